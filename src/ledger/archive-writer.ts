import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { FileHandle, FileSystem } from '../lib/fs/file-system.ts';
import { readFully, writeAll } from '../lib/fs/file-system.ts';
import type { LedgerEvent } from '../buffer/index.ts';
import type { ArchiveMark, ArchiveWriter } from './contract.ts';
import {
  ARCHIVE_HEADER_BYTES,
  archiveFileName,
  archiveFileNumber,
  decodeHeader,
  encodeEvent,
  encodeFrames,
  encodeHeader,
} from './archive-format.ts';
import { assert } from '../lib/assert.ts';

/** Where in a file's beginning or a sync the archive stands; tests kill the process there. */
export const ARCHIVE_STEPS = ['archive-begun', 'archive-written', 'archive-synced'] as const;
export type ArchiveStep = (typeof ARCHIVE_STEPS)[number];

export interface ArchiveWriterOptions {
  readonly files: FileSystem;
  readonly directory: string;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  /** A file's size before the next one begins. */
  readonly fileBytes: number;
  /** How long files are kept. */
  readonly keepMs: number;
  /** Called as each durability step is done. For tests that end the process there. */
  readonly onStep?: (step: ArchiveStep) => void;
}

/** Until `live()` blocks are recorded one by one, so that a reader can tell exactly which of them it has seen. */
export interface OpenArchiveWriter extends ArchiveWriter {
  live(): void;
}

interface Current {
  readonly number: number;
  readonly handle: FileHandle;
  writtenBytes: number;
  /** As far as the last sync that went well reached. */
  syncedBytes: number;
}

/**
 * Opens the archive for appending, in a new file: what a crash left at the end of the last one is never built upon.
 *
 * Written bytes are held until they are synced, so that a failed sync is answered by writing them again into a new file
 * (a page whose sync failed is not to be believed).
 *
 * @throws FsError when the folder cannot be made or listed
 */
export async function openArchiveWriter(options: ArchiveWriterOptions): Promise<OpenArchiveWriter> {
  const { files, directory, clock, diagnostics } = options;
  await files.makeDirectory(directory);
  const numbers = (await files.list(directory))
    .map(archiveFileNumber)
    .filter((n) => n !== undefined);
  let nextNumber = Math.max(0, ...numbers) + 1;

  let current: Current | undefined;
  let pending: LedgerEvent[] = [];
  const outgoing: Buffer[] = [];
  let taken = 0;
  let unsynced: Buffer[] = [];
  let live = false;
  let closed = false;
  let chain: Promise<unknown> = Promise.resolve();

  /** One operation after the other, whoever calls. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = chain.then(work, work);
    chain = result.catch(() => {});
    return result;
  };

  async function begin(): Promise<Current> {
    const number = nextNumber++;
    const path = join(directory, archiveFileName(number));
    const handle = await files.open(path, 'create');
    const file: Current = { number, handle, writtenBytes: 0, syncedBytes: 0 };
    try {
      await writeAll(handle, [encodeHeader(number, Math.floor(clock.wallMs()))], 0);
      file.writtenBytes = ARCHIVE_HEADER_BYTES;
      await append(file, unsynced);
      await handle.sync();
      file.syncedBytes = file.writtenBytes;
      await files.syncDirectory(directory);
    } catch (error) {
      await handle.close().catch(() => {});
      // Begun anew each second while a disk is full: without this, a file each second. Its number is not used again, because
      // a reader may have been in it.
      await files.unlink(path).catch(() => {});
      throw error;
    }
    if (unsynced.length > 0) await mark(file);
    unsynced = [];
    options.onStep?.('archive-begun');
    return file;
  }

  /** Writes frames of these payloads behind what is there. */
  async function append(file: Current, payloads: readonly Buffer[]): Promise<void> {
    const { number, syncedBytes, writtenBytes } = file;
    const frames = encodeFrames(payloads, { file: number, at: writtenBytes, syncedBytes });
    await writeAll(file.handle, [frames], writtenBytes);
    file.writtenBytes += frames.length;
  }

  /**
   * Says in the file that what stands before is on stable storage, so that what cannot be read there is damage and no crash's
   * doing. Without it the next frame says so.
   */
  async function mark(file: Current): Promise<void> {
    await append(file, [Buffer.alloc(0)]).catch(() => {});
  }

  async function leave(): Promise<void> {
    const file = current;
    current = undefined;
    await file?.handle.close().catch(() => {});
  }

  /** Takes what has been recorded up to this very call; returns how many events have been taken in all. */
  function take(): number {
    // One by one: after a replay there may be more of them than a call takes arguments.
    for (const event of pending) outgoing.push(encodeEvent(event));
    taken += pending.length;
    pending = [];
    return taken;
  }

  /** Writes events up to the `upTo`-th and no further, so that a mark holds exactly what was recorded before its call. */
  async function write(upTo: number): Promise<Current> {
    current ??= await begin();
    const count = outgoing.length - (taken - upTo);
    if (count <= 0) return current;
    await append(current, outgoing.slice(0, count));
    for (const payload of outgoing.splice(0, count)) unsynced.push(payload);
    options.onStep?.('archive-written');
    return current;
  }

  async function sync(upTo: number): Promise<void> {
    const file = await write(upTo);
    try {
      await file.handle.sync();
    } catch (error) {
      diagnostics.warn('archive sync failed, going on in a new file', { error: String(error) });
      await leave();
      current = await begin();
      return;
    }
    file.syncedBytes = file.writtenBytes;
    if (unsynced.length > 0) await mark(file);
    unsynced = [];
    options.onStep?.('archive-synced');
    if (file.writtenBytes >= options.fileBytes) {
      await leave();
      await removeOld();
    }
  }

  /** Removes files that were followed by another one before the archive's time. */
  async function removeOld(): Promise<void> {
    const kept = (await files.list(directory))
      .map(archiveFileNumber)
      .filter((n) => n !== undefined);
    const keepFromMs = clock.wallMs() - options.keepMs;
    let old = 0;
    for (let index = 1; index < kept.length - 1; index += 1) {
      const beganMs = await createdMs(files, join(directory, archiveFileName(kept[index]!)));
      // One that a crash or a full disk left without a header says nothing of the one before it.
      if (beganMs === undefined) continue;
      if (beganMs > keepFromMs) break;
      old = index;
    }
    for (const number of kept.slice(0, old)) {
      await files.unlink(join(directory, archiveFileName(number)));
    }
  }

  return {
    record(event) {
      assert(!closed, 'nothing is recorded after the archive was closed');
      const last = pending.at(-1);
      if (
        live &&
        event.kind === 'accepted' &&
        last?.kind === 'accepted' &&
        continues(last, event)
      ) {
        pending[pending.length - 1] = {
          ...last,
          range: { from: last.range.from, to: event.range.to },
          bytes: last.bytes + event.bytes,
        };
      } else pending.push(event);
    },
    live() {
      live = true;
    },
    flush() {
      const upTo = take();
      return inTurn(async (): Promise<ArchiveMark> => {
        const file = await write(upTo);
        return { file: file.number, bytes: file.writtenBytes };
      });
    },
    sync() {
      const upTo = take();
      return inTurn(() => sync(upTo));
    },
    close() {
      const upTo = take();
      return inTurn(async () => {
        if (closed) return;
        await sync(upTo);
        closed = true;
        await leave();
      });
    },
  };
}

type Accepted = LedgerEvent & { kind: 'accepted' };

const continues = (last: Accepted, next: Accepted): boolean =>
  last.stream === next.stream &&
  last.epoch === next.epoch &&
  last.hour === next.hour &&
  last.range.to === next.range.from;

/** When a file was begun; undefined when it has no whole header. */
async function createdMs(files: FileSystem, path: string): Promise<number | undefined> {
  const handle = await files.open(path, 'read');
  try {
    const header = Buffer.alloc(ARCHIVE_HEADER_BYTES);
    const bytes = await readFully(handle, header, 0);
    const decoded = decodeHeader(header.subarray(0, bytes));
    return decoded.kind === 'header' ? decoded.createdMs : undefined;
  } finally {
    await handle.close();
  }
}
