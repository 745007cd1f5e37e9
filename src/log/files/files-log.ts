/**
 * The open log over files.
 *
 * One commit is under way at a time: one write of all groups that wait, which syncs them, then all of them are answered. What
 * comes meanwhile waits for the next one; with nothing under way nothing waits.
 *
 * After a failed write the file is not trusted past the frontier and never written again: the groups, still in
 * memory, go to a new segment, or are refused. Each later append tries again, so that intake resumes when the fault ends.
 */
import { FsError, writeAll } from '../../lib/fs/file-system.ts';
import type { Lock } from '../../lib/fs/file-system.ts';
import type {
  AppendFailure,
  AppendOptions,
  AppendOutcome,
  LogStats,
  Position,
  ReadOneOutcome,
  ReadOutcome,
  RecordParts,
  RecordPlace,
  ShardLog,
} from '../contract.ts';
import { groupBytes } from '../record.ts';
import { encodeCommit, encodeMark } from './commit.ts';
import type { Commit } from './commit.ts';
import { HEADER_BYTES, frameBytes } from './format.ts';
import { ReadHandles } from './handles.ts';
import type { FilesLogOptions } from './options.ts';
import { readEachRecord } from './read-each.ts';
import { readRecord, readRecords } from './read.ts';
import type { ReadSource } from './read.ts';
import type { ActiveSegment } from './segment.ts';
import { bestEffort } from './segment.ts';
import { Segments } from './segments.ts';

interface Waiting {
  readonly group: readonly RecordParts[];
  readonly bytes: number;
  readonly roll: boolean;
  readonly answer: (outcome: AppendOutcome) => void;
}

/** Codes of a disk, or a quota, that has no room. */
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

export class FilesLog implements ShardLog {
  readonly epoch: number;
  readonly durability: 'disk' | 'memory';
  readonly readsAreOwn = true;
  readonly #options: FilesLogOptions;
  readonly #lock: Lock;
  readonly #segments: Segments;
  readonly #handles: ReadHandles;
  readonly #source: ReadSource;
  #frontier: Position;
  #queue: Waiting[] = [];
  #committing: Promise<void> | undefined;
  /** The frontier that a mark says. */
  #marked: Position | undefined;
  #closing: Promise<void> | undefined;
  /** Set when a newer opening was met. */
  #fenced = false;
  #syncs = 0;
  #failedSyncs = 0;
  #writtenBytes = 0;

  constructor(
    options: FilesLogOptions,
    opened: {
      readonly epoch: number;
      readonly durability: 'disk' | 'memory';
      readonly lock: Lock;
      readonly segments: Segments;
    },
  ) {
    this.#options = options;
    this.epoch = opened.epoch;
    this.durability = opened.durability;
    this.#lock = opened.lock;
    this.#segments = opened.segments;
    this.#frontier = opened.segments.end();
    this.#handles = new ReadHandles(options.files, options.openSegments);
    this.#source = {
      handles: this.#handles,
      segments: () => this.#segments.all,
      frontier: () => this.#frontier,
      start: () => this.start(),
    };
  }

  append(group: readonly RecordParts[], options: AppendOptions = {}): Promise<AppendOutcome> {
    const bytes = groupBytes(group, this.#options.recordBytes, frameBytes);
    if (this.#isFenced()) return Promise.resolve({ kind: 'fenced' });
    return new Promise((answer) => {
      this.#queue.push({ group, bytes, roll: options.roll ?? false, answer });
      this.#committing ??= this.#commitAll();
    });
  }

  /** The mark lies where the next commit begins and is overwritten by it. */
  async mark(): Promise<void> {
    const { active } = this.#segments;
    if (this.#isFenced() || this.#committing || this.#marked === this.#frontier) return;
    if (!active || active.segment.end === active.segment.base) return;
    this.#marked = this.#frontier;
    this.#committing = this.#markActive(active).then(() => this.#commitAll());
    await this.#committing;
  }

  durableEnd(): Position {
    return this.#frontier;
  }

  start(): Position {
    return this.#segments.start();
  }

  async read(from: Position, maxBytes: number, before?: Position): Promise<ReadOutcome> {
    if (this.#isFenced()) return { kind: 'fenced' };
    return readRecords(this.#source, from, maxBytes, before);
  }

  async readOne(position: Position, expectedBytes?: number): Promise<ReadOneOutcome> {
    if (this.#isFenced()) return { kind: 'fenced' };
    return readRecord(this.#source, position, expectedBytes);
  }

  async readEach(places: readonly RecordPlace[]): Promise<readonly ReadOneOutcome[]> {
    if (this.#isFenced()) return places.map(() => ({ kind: 'fenced' }));
    return readEachRecord(this.#source, places);
  }

  async trimBefore(position: Position): Promise<Position> {
    if (!this.#isFenced()) {
      await this.#segments.trimBefore(position, (segment) => this.#handles.drop(segment));
    }
    return this.start();
  }

  stats(): LogStats {
    return {
      syncs: this.#syncs,
      failedSyncs: this.#failedSyncs,
      writtenBytes: this.#writtenBytes,
      segments: this.#segments.all.length,
      heldBytes: this.#segments.heldBytes(),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  #isFenced(): boolean {
    return this.#fenced || this.#closing !== undefined;
  }

  async #finish(): Promise<void> {
    await this.#committing;
    this.#options.onStep?.('closing');
    await this.#segments.trimmed();
    const { active } = this.#segments;
    if (active) await this.#closeActive(active);
    await this.#handles.closeAll();
    await this.#lock.release();
  }

  /** Leaves the frontier behind the last commit: what is damaged later, while nobody looks, is then told and not cut. */
  async #closeActive({ file, segment }: ActiveSegment): Promise<void> {
    if (segment.end > segment.base) {
      await bestEffort(this.#writeMark({ file, segment }));
    }
    await bestEffort(file.close());
  }

  /** A file whose sync failed is not written again, whatever it was for. */
  async #markActive(active: ActiveSegment): Promise<void> {
    const error = await attempt(this.#writeMark(active));
    if (error === undefined) return;
    this.#options.diagnostics.warn('log.mark_failed', { code: error.code });
    await this.#segments.abandon();
  }

  /** Behind the last commit, whose place stays free for the next one. */
  #writeMark({ file, segment }: ActiveSegment): Promise<void> {
    const mark = encodeMark(segment.end);
    return writeAll(file, [mark], HEADER_BYTES + segment.end - segment.base);
  }

  async #commitAll(): Promise<void> {
    // Groups that are appended in the same turn share the first commit.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const waiting = this.#takeQueue();
      const roll = waiting.at(-1)?.roll ?? false;
      const commit = encodeCommit(
        waiting.map(({ group }) => group),
        this.#frontier,
      );
      const failure = await this.#store(commit);
      for (const [index, { answer }] of waiting.entries()) {
        const positions = commit.positions[index]!;
        answer(failure ?? { kind: 'durable', positions, end: this.#frontier });
      }
      if (roll && !failure) await this.#roll();
    }
    this.#committing = undefined;
  }

  /** What the next commit takes: at least one group, none behind one that closes the segment. */
  #takeQueue(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      bytes += waiting.bytes;
      if (count > 0 && bytes > this.#options.commitBytes) break;
      count++;
      if (waiting.roll) break;
    }
    return this.#queue.splice(0, count);
  }

  /** Puts a commit on stable storage, in a new segment if the first try fails; or says why it is not. */
  async #store(commit: Commit): Promise<AppendFailure | undefined> {
    const { diagnostics, segmentBytes } = this.#options;
    const { active } = this.#segments;
    if (active && active.segment.end > active.segment.base) {
      if (active.segment.fileBytes + commit.bytes > segmentBytes) await this.#segments.seal();
    }
    if (this.#segments.active) {
      const error = await attempt(this.#write(commit, this.#segments.active));
      if (error === undefined) return undefined;
      diagnostics.warn('log.commit_failed', { operation: error.operation, code: error.code });
      await this.#segments.abandon();
    }
    const error = await attempt(this.#storeInNext(commit));
    if (error === undefined) return undefined;
    if (error === 'fenced') {
      diagnostics.alarm('log.fenced', { epoch: this.epoch });
      this.#fenced = true;
      return { kind: 'fenced' };
    }
    diagnostics.error('log.commit_refused', { operation: error.operation, code: error.code });
    await this.#segments.abandon();
    return { kind: NO_ROOM.has(error.code) ? 'full' : 'failed', detail: error.message };
  }

  async #storeInNext(commit: Commit): Promise<'fenced' | undefined> {
    const fenced = await this.#segments.openNext();
    if (fenced) return fenced;
    const { active } = this.#segments;
    if (active) await this.#write(commit, active);
    return undefined;
  }

  async #write(commit: Commit, { file, segment }: ActiveSegment): Promise<undefined> {
    this.#syncs++;
    try {
      await writeAll(file, commit.buffers, HEADER_BYTES + segment.end - segment.base);
    } catch (error) {
      this.#failedSyncs++;
      throw error;
    }
    this.#writtenBytes += commit.bytes;
    this.#segments.advance(commit.end);
    this.#frontier = commit.end;
    this.#options.onStep?.('group-synced');
    return undefined;
  }

  /** Begins the next segment ahead of time; when that fails the next append does it. */
  async #roll(): Promise<void> {
    await this.#segments.seal();
    const error = await attempt(this.#segments.openNext());
    if (error === 'fenced') this.#fenced = true;
    else if (error) this.#options.diagnostics.warn('log.roll_failed', { code: error.code });
  }
}

/** What came of it: nothing when it went well, the outside's failure as a value. */
async function attempt<T>(work: Promise<T>): Promise<T | FsError> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof FsError) return error;
    throw error;
  }
}
