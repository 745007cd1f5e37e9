/**
 * `head`: which version was last answered. Two slots, overwritten in turn, so that a write that is cut short leaves the one
 * before. It tells a snapshot file that lost its end from one that is whole, and a change that was answered from one that was
 * not.
 */
import { join } from 'node:path';
import { FsError, readFully, writeAll } from '../../lib/fs/file-system.ts';
import type { FileHandle, FileSystem } from '../../lib/fs/file-system.ts';
import { decodeLine, encodeLine } from './line.codec.ts';
import type { Head } from './line.codec.ts';

const NAME = 'head';
/** Within one sector: a line, filled up with spaces. */
const SLOT_BYTES = 128;
const SLOTS = [0, 1] as const;

export type HeadRead = Head | 'absent' | 'bad';

const isNewer = (a: Head, b: Head): boolean =>
  a.file === b.file ? a.version >= b.version : a.file > b.file;

/** Reads it; what cannot be read is bad, whatever the reason. */
export async function readHead(files: FileSystem, directory: string): Promise<HeadRead> {
  const path = join(directory, NAME);
  try {
    if (!(await files.stat(path))) return 'absent';
    const file = await files.open(path, 'read');
    try {
      return newestOf(await slotsOf(file))?.head ?? 'bad';
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    return 'bad';
  }
}

async function slotsOf(file: FileHandle): Promise<readonly (Head | undefined)[]> {
  const bytes = Buffer.alloc(SLOT_BYTES * SLOTS.length);
  await readFully(file, bytes, 0);
  return SLOTS.map((slot) => {
    const text = bytes.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES);
    const end = text.indexOf(0x0a);
    const line = end < 0 ? undefined : decodeLine(text.subarray(0, end));
    return line && 'head' in line ? line.head : undefined;
  });
}

function newestOf(
  slots: readonly (Head | undefined)[],
): { readonly head: Head; readonly slot: number } | undefined {
  return slots
    .flatMap((head, slot) => (head ? [{ head, slot }] : []))
    .reduce<{ head: Head; slot: number } | undefined>(
      (best, one) => (best && isNewer(best.head, one.head) ? best : one),
      undefined,
    );
}

/** The file as its writer has it. Every method rejects with FsError. */
export class HeadFile {
  readonly #files: FileSystem;
  readonly #directory: string;
  #file: FileHandle | undefined;
  #next = 0;

  constructor(files: FileSystem, directory: string) {
    this.#files = files;
    this.#directory = directory;
  }

  /** Writes and syncs it. */
  async write(head: Head): Promise<void> {
    const bytes = Buffer.alloc(SLOT_BYTES, ' ');
    encodeLine({ head }).copy(bytes);
    const file = (this.#file ??= await this.#open());
    try {
      await writeAll(file, [bytes], this.#next * SLOT_BYTES);
      await file.sync();
      this.#next = 1 - this.#next;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => {});
  }

  async #open(): Promise<FileHandle> {
    const path = join(this.#directory, NAME);
    if (!(await this.#files.stat(path))) await this.#make(path);
    const file = await this.#files.open(path, 'write');
    const newest = newestOf(await slotsOf(file));
    this.#next = newest ? 1 - newest.slot : 0;
    return file;
  }

  /** Its name is there only when it can be read: the first slot says that nothing was answered yet. */
  async #make(path: string): Promise<void> {
    const draft = `${path}.new`;
    if (await this.#files.stat(draft)) await this.#files.unlink(draft);
    const file = await this.#files.open(draft, 'create');
    try {
      const bytes = Buffer.alloc(SLOT_BYTES * SLOTS.length, ' ');
      encodeLine({ head: { file: 1, version: 0, sum: '0000000000000000' } }).copy(bytes);
      await writeAll(file, [bytes], 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#files.rename(draft, path);
    await this.#files.syncDirectory(this.#directory);
  }
}
