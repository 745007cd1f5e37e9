/** The chain of segments of an open log: begins new ones, lets go of broken ones, gives up old ones. */
import { dirname, join } from 'node:path';

import { FsError } from '../../lib/fs/file-system.ts';
import type { Position } from '../contract.ts';
import { HEADER_BYTES } from './format.ts';
import { parseSegmentName } from './names.ts';
import type { FilesLogOptions } from './options.ts';
import { bestEffort, makeSegment, readHeader } from './segment.ts';
import type { ActiveSegment, Segment, Tail } from './segment.ts';

export class Segments {
  /** Oldest first, never empty once the log is open. */
  readonly all: Segment[];
  /** Undefined after a roll or a fault, until the next segment has been made. */
  active: ActiveSegment | undefined;
  readonly #options: FilesLogOptions;
  readonly #epoch: number;
  #trimming: Promise<void> = Promise.resolve();
  /** A segment's name was removed and nobody knows whether for good. */
  #unlinkUnsynced = false;
  /** Base of the first segment while there is none. */
  #origin = 0 as Position;

  constructor(options: FilesLogOptions, epoch: number, all: Segment[]) {
    this.#options = options;
    this.#epoch = epoch;
    this.all = all;
  }

  start(): Position {
    return this.all[0]?.base ?? this.#origin;
  }

  /** Where the next segment would begin: the frontier. */
  end(): Position {
    return this.all.at(-1)?.end ?? this.#origin;
  }

  /** Says where a log without segments begins. */
  beginAt(origin: Position): void {
    this.#origin = origin;
  }

  heldBytes(): number {
    return this.all.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  }

  /**
   * Makes the next segment, at the frontier. The last one keeps what is behind it and is replaced when that is nothing, so
   * that segments are numbered without gaps however often a disk refuses.
   *
   * @param tail what it begins with
   * @returns `"fenced"` when a newer opening has made segments here
   */
  async openNext(tail?: Tail): Promise<'fenced' | undefined> {
    if (await this.#isFenced()) return 'fenced';
    const last = this.all.at(-1);
    const replaces = last !== undefined && last.end === last.base;
    const sequence = last === undefined ? 1 : last.sequence + (replaces ? 0 : 1);
    const base = this.end();
    this.active = await makeSegment(this.#options, this.#epoch, sequence, base, tail);
    if (replaces) this.all.pop();
    this.all.push(this.active.segment);
    return undefined;
  }

  /** Takes note of what has become durable in the active segment. */
  advance(end: Position): void {
    const segment = this.active?.segment;
    if (!segment) return;
    segment.end = end;
    segment.fileBytes = HEADER_BYTES + end - segment.base;
  }

  /** Ends the active segment where it is durable. */
  async seal(): Promise<void> {
    const { active } = this;
    this.active = undefined;
    if (!active) return;
    this.#options.onStep?.('sealed');
    await bestEffort(active.file.close());
  }

  /** Ends the active segment at the frontier after a fault: what was written past it is cut, as far as the disk lets us. */
  async abandon(): Promise<void> {
    const { active } = this;
    if (!active) return;
    await bestEffort(active.file.truncate(HEADER_BYTES + active.segment.end - active.segment.base));
    await this.seal();
  }

  /**
   * Gives up whole segments that end at or before a position, oldest first. Each name is gone for good before the next one
   * is removed, so that a crash never leaves a hole.
   *
   * @param dropped called for each that is gone
   */
  trimBefore(position: Position, dropped: (segment: Segment) => Promise<void>): Promise<void> {
    this.#trimming = this.#trimming.then(() => this.#trim(position, dropped));
    return this.#trimming;
  }

  /** Resolves when no trimming is under way. */
  trimmed(): Promise<void> {
    return this.#trimming;
  }

  async #trim(position: Position, dropped: (segment: Segment) => Promise<void>): Promise<void> {
    const { files, directory, diagnostics, onStep } = this.#options;
    try {
      if (this.#unlinkUnsynced) await this.#syncUnlink();
      for (;;) {
        const [oldest] = this.all;
        if (!oldest || this.all.length === 1 || oldest.end > position) return;
        await unlinkIfThere(files.unlink(oldest.path));
        this.#unlinkUnsynced = true;
        this.all.shift();
        onStep?.('trimmed-unlink');
        await dropped(oldest);
        await this.#syncUnlink();
        onStep?.('trimmed-synced');
      }
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      const { code, operation } = error;
      diagnostics.warn('log.trim_failed', { code, operation, directory });
    }
  }

  async #syncUnlink(): Promise<void> {
    await this.#options.files.syncDirectory(this.#options.directory);
    this.#unlinkUnsynced = false;
  }

  /** The lock keeps others away; where a file system does not honour it, a segment of a later epoch gives them away. */
  async #isFenced(): Promise<boolean> {
    const { files, directory } = this.#options;
    const names = await files.list(directory);
    const newest = names.findLast((name) => parseSegmentName(name)?.final);
    if (newest === undefined) return false;
    const read = await readHeader(this.#options, join(directory, newest));
    return read.kind === 'newer' || (read.kind === 'header' && read.header.epoch > this.#epoch);
  }
}

async function unlinkIfThere(unlink: Promise<void>): Promise<void> {
  try {
    await unlink;
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'ENOENT') throw error;
  }
}

/** Makes the log's folder, its name durable. */
export async function makeLogDirectory({ files, directory }: FilesLogOptions): Promise<void> {
  await files.makeDirectory(directory);
  await files.syncDirectory(dirname(directory));
}
