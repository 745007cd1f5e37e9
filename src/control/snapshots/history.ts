/**
 * Looks changes up in the snapshot files: by version, and in order. Places of changes in older files are found by reading
 * them once, and remembered for a few files.
 */
import { join } from 'node:path';
import { FsError, readFully } from '../../lib/fs/file-system.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import { decodeLine, snapshotFileName } from './line.codec.ts';
import type { ChangeLine } from './line.codec.ts';
import { linesOf, readHeader } from './read-file.ts';
import { fileNumbers } from './recover.ts';

/** Where the changes of one file lie. */
export interface FileIndex {
  readonly number: number;
  readonly baseVersion: number;
  /** Of version `baseVersion + 1` on. */
  readonly offsets: readonly number[];
}

/** Indexes of older files that are remembered: 8 bytes a change. */
const INDEXES = 16;
const ENTRY_BYTES_MAX = 1 << 28;

export class History {
  readonly #files: FileSystem;
  readonly #directory: string;
  readonly #newest: () => FileIndex;
  readonly #indexes = new Map<number, FileIndex>();

  /** @param newest the file that is being written, whose places its writer knows */
  constructor(files: FileSystem, directory: string, newest: () => FileIndex) {
    this.#files = files;
    this.#directory = directory;
    this.#newest = newest;
  }

  /** Forgets where changes lie: files were written anew. */
  forgetPlaces(): void {
    this.#indexes.clear();
  }

  /** The first version whose change can be looked up; one more than the newest when there is none. */
  async oldest(): Promise<number> {
    const [first] = await this.#spans();
    return first ? first.baseVersion + 1 : this.#newest().baseVersion + 1;
  }

  /** The change that made this version; undefined when it is older than the history, or damaged. */
  async change(version: number): Promise<ChangeLine | undefined> {
    for await (const line of this.changes(version, version)) return line;
    return undefined;
  }

  /** Changes of versions `from` to `to`, rising. Those that cannot be read are left out. */
  async *changes(from: number, to: number): AsyncGenerator<ChangeLine, void, void> {
    const spans = await this.#spans();
    for (const [place, span] of spans.entries()) {
      const next = spans[place + 1];
      // What stands in a file behind the next one's base was never answered, or stands there again.
      const last = Math.min(to, next ? next.baseVersion : to);
      const first = Math.max(from, span.baseVersion + 1);
      if (first > last) continue;
      yield* this.#changesOf(span.number, first, last);
    }
  }

  async *#changesOf(number: number, first: number, last: number): AsyncGenerator<ChangeLine> {
    try {
      const index = await this.#index(number);
      const at = index.offsets[first - index.baseVersion - 1];
      if (at === undefined) return;
      const file = await this.#files.open(this.#path(number), 'read');
      try {
        if (first === last) {
          const line = await oneLine(file, at, index.offsets[first - index.baseVersion]);
          if (line?.version === first) yield line;
          return;
        }
        for await (const { bytes, whole } of linesOf(file, at)) {
          const line = whole ? decodeLine(bytes) : undefined;
          if (!line || !('change' in line) || line.change.version > last) return;
          yield line.change;
        }
      } finally {
        await file.close();
      }
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
    }
  }

  /** The files that can be read, with their base's version, rising. */
  async #spans(): Promise<readonly { readonly number: number; readonly baseVersion: number }[]> {
    const newest = this.#newest();
    const spans: { number: number; baseVersion: number }[] = [];
    for (const number of await fileNumbers(this.#files, this.#directory)) {
      if (number === newest.number) spans.push(newest);
      const header =
        number < newest.number ? await readHeader(this.#files, this.#path(number)) : undefined;
      if (header) spans.push({ number, baseVersion: header.version });
    }
    return spans;
  }

  async #index(number: number): Promise<FileIndex> {
    const newest = this.#newest();
    if (number === newest.number) return newest;
    const known = this.#indexes.get(number);
    if (known) return known;
    const index = await this.#scan(number);
    if (this.#indexes.size >= INDEXES) this.#indexes.clear();
    this.#indexes.set(number, index);
    return index;
  }

  async #scan(number: number): Promise<FileIndex> {
    const file = await this.#files.open(this.#path(number), 'read');
    try {
      let baseVersion = 0;
      const offsets: number[] = [];
      for await (const { at, bytes, whole } of linesOf(file)) {
        const line = whole ? decodeLine(bytes) : undefined;
        if (!line) break;
        if ('header' in line) baseVersion = line.header.version;
        if (!('change' in line)) continue;
        if (line.change.version !== baseVersion + offsets.length + 1) break;
        offsets.push(at);
      }
      return { number, baseVersion, offsets };
    } finally {
      await file.close();
    }
  }

  #path(number: number): string {
    return join(this.#directory, snapshotFileName(number));
  }
}

async function oneLine(
  file: Awaited<ReturnType<FileSystem['open']>>,
  from: number,
  to: number | undefined,
): Promise<ChangeLine | undefined> {
  const end = to ?? (await file.sizeBytes());
  if (end - from > ENTRY_BYTES_MAX) return undefined;
  const bytes = Buffer.alloc(end - from);
  await readFully(file, bytes, from);
  const newline = bytes.indexOf(0x0a);
  const line = newline < 0 ? undefined : decodeLine(bytes.subarray(0, newline));
  return line && 'change' in line ? line.change : undefined;
}
