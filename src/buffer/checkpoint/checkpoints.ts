/**
 * Checkpoint files, two generations: `checkpoint-<number>.wbc`. A new one is written beside the others, synced, renamed and
 * its name synced before anything that it replaces is given up. What the log may trim is what neither generation needs.
 */
import { crc32 } from 'node:zlib';

import { AssertionError } from '../../lib/assert.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { FsError, readFully, writeAll } from '../../lib/fs/file-system.ts';
import type { FileHandle, FileSystem } from '../../lib/fs/file-system.ts';
import type { LedgerSink } from '../contract.ts';
import type { BufferDeps } from '../deps.ts';
import { nextTurn } from '../gate.ts';
import type { ShardState } from '../state/state.ts';
import {
  CHECKPOINT_FORMAT,
  CHUNK_BYTES,
  CHUNK_HEADER_BYTES,
  decodeChunk,
  decodeFileHeader,
  encodeChunk,
  encodeFileHeader,
  FILE_HEADER_BYTES,
  payloadBytes,
} from './chunks.codec.ts';
import type { HeadChunk } from './chunks.codec.ts';
import { chunksOf, formatOf, headOf, restoreChunk } from './content.ts';

const NAME = /^checkpoint-(\d{12})\.wbc$/;
const TEMPORARY = 'checkpoint.tmp';

/** Reading one checkpoint: its state, or why it cannot be used. */
export type Loaded =
  | { readonly kind: 'loaded'; readonly state: ShardState; readonly head: HeadChunk }
  | { readonly kind: 'damaged'; readonly reason: string }
  | { readonly kind: 'newer'; readonly version: number };

export interface CheckpointDeps {
  readonly files: FileSystem;
  readonly directory: string;
  readonly ledger: LedgerSink;
  readonly diagnostics: Diagnostics;
  readonly onStep?: BufferDeps['onStep'] | undefined;
}

/** What one generation still needs of the log. */
interface Generation {
  readonly sequence: number;
  readonly position: number;
  readonly tailStart: number;
}

export class Checkpoints {
  readonly #deps: CheckpointDeps;
  #newest: Generation | undefined;
  #older: Generation | undefined;
  #lastSequence = 0;
  /** Size of the newest file. */
  bytes = 0;

  constructor(deps: CheckpointDeps) {
    this.#deps = deps;
  }

  /** Numbers of the checkpoints in the folder, newest first. */
  async list(): Promise<number[]> {
    const names = await this.#deps.files.list(this.#deps.directory);
    const found = names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);
    this.#lastSequence = Math.max(this.#lastSequence, ...found);
    return found.toSorted((a, b) => b - a);
  }

  /** Reads one checkpoint into a fresh state. Rejects with {@link FsError} when the disk does not answer. */
  async load(sequence: number, fresh: () => ShardState): Promise<Loaded> {
    const file = await this.#deps.files.open(this.#path(sequence), 'read');
    try {
      return await loadFile(file, fresh());
    } finally {
      await file.close();
    }
  }

  /** Says which checkpoint the shard goes on from. What an older one needs is not known: nothing is trimmed for now. */
  startFrom(head: HeadChunk | undefined): void {
    this.#newest = head;
    this.#older = undefined;
  }

  /** Behind what the newest checkpoint covers. */
  get position(): number {
    return this.#newest?.position ?? 0;
  }

  /** The log may be trimmed before this position. */
  get trimLimit(): number {
    if (this.#newest === undefined || this.#older === undefined) return 0;
    return Math.min(this.#newest.tailStart, this.#older.tailStart);
  }

  /** Writes a new generation. Returns whether it stands; when not, the ones before it do. */
  async write(state: ShardState, serviceMs: number): Promise<boolean> {
    const sequence = this.#lastSequence + 1;
    try {
      const head = await this.#writeFile(state, sequence, serviceMs);
      this.#older = this.#newest;
      this.#newest = head;
      this.#lastSequence = sequence;
      await this.#removeOthers();
      return true;
    } catch (error) {
      if (!(error instanceof Error) || error instanceof AssertionError) throw error;
      if (!(error instanceof FsError)) {
        this.#deps.diagnostics.error('buffer.checkpoint_failed', { detail: error.message });
        return false;
      }
      this.#deps.diagnostics.error('buffer.checkpoint_failed', {
        code: error.code,
        operation: error.operation,
      });
      return false;
    }
  }

  async #writeFile(state: ShardState, sequence: number, serviceMs: number): Promise<HeadChunk> {
    const { directory, files, ledger, onStep } = this.#deps;
    const temporary = `${directory}/${TEMPORARY}`;
    if ((await files.stat(temporary)) !== undefined) await files.unlink(temporary);
    const file = await files.open(temporary, 'create');
    const head = headOf(state, sequence, serviceMs);
    const chunks = chunksOf(state, head);
    let at = FILE_HEADER_BYTES;
    let count = 0;
    let crc = 0;
    try {
      // Both in the turn of `headOf`: the spans must be those that the head speaks of.
      const first = [chunks.next(), chunks.next()].flatMap((one) =>
        one.done ? [] : [encodeChunk(one.value)],
      );
      await writeAll(file, [encodeFileHeader(formatOf(state))], 0);
      const put = async (chunk: Buffer): Promise<void> => {
        await writeAll(file, [chunk], at);
        at += chunk.length;
        count += 1;
        crc = crc32(chunk.subarray(4, 8), crc);
      };
      for (const chunk of first) await put(chunk);
      for (const chunk of chunks) {
        await put(encodeChunk(chunk));
        await nextTurn();
      }
      await put(encodeChunk({ kind: 'end', body: { chunks: count, crc } }));
      onStep?.('checkpoint-written');
      // What the checkpoint covers will not be told to the ledger again: it must have it on disk first.
      await ledger.sync();
      onStep?.('ledger-synced');
      await file.sync();
      onStep?.('checkpoint-synced');
    } finally {
      await file.close();
    }
    await files.rename(temporary, this.#path(sequence));
    onStep?.('checkpoint-renamed');
    await files.syncDirectory(directory);
    onStep?.('checkpoint-named');
    this.bytes = at;
    return head;
  }

  async #removeOthers(): Promise<void> {
    const { directory, files, onStep } = this.#deps;
    const kept = [this.#newest?.sequence, this.#older?.sequence];
    // Before there are two good ones, whatever else is there stays: it may be all that somebody can look at.
    if (this.#older === undefined) return;
    for (const sequence of await this.list()) {
      if (kept.includes(sequence)) continue;
      await files.unlink(this.#path(sequence));
      onStep?.('checkpoint-unlinked');
    }
    await files.syncDirectory(directory);
  }

  /** Removes all: only when the log that they belong to lived in memory and is gone. */
  async removeAll(): Promise<void> {
    for (const sequence of await this.list()) await this.#deps.files.unlink(this.#path(sequence));
  }

  #path(sequence: number): string {
    return `${this.#deps.directory}/checkpoint-${String(sequence).padStart(12, '0')}.wbc`;
  }
}

/**
 * Up to where the log is known to be durable, from the newest whole checkpoint in a folder: what the log is to be opened
 * with, so that what is missing before it counts as damage and not as a torn tail. Undefined when there is no checkpoint.
 *
 * @throws {FsError} when the disk does not answer
 */
export async function knownEnd(files: FileSystem, directory: string): Promise<number | undefined> {
  await files.makeDirectory(directory);
  const found = (await files.list(directory)).flatMap((name) => NAME.exec(name)?.[1] ?? []);
  for (const digits of found.toReversed()) {
    const file = await files.open(`${directory}/checkpoint-${digits}.wbc`, 'read');
    try {
      const header = Buffer.alloc(FILE_HEADER_BYTES);
      const size = await file.sizeBytes();
      if ((await readFully(file, header, 0)) < header.length) continue;
      const version = decodeFileHeader(header);
      if (version === undefined || version > CHECKPOINT_FORMAT) continue;
      const bytes = await readChunk(file, FILE_HEADER_BYTES, size);
      const chunk = bytes && decodeChunk(bytes);
      // A file of this name was renamed when it was synced whole: its head is enough.
      if (chunk?.kind === 'head') return chunk.body.position;
    } finally {
      await file.close();
    }
  }
  return undefined;
}

const torn: Loaded = { kind: 'damaged', reason: 'it ends too early' };

async function loadFile(file: FileHandle, state: ShardState): Promise<Loaded> {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  if ((await readFully(file, header, 0)) < header.length) return torn;
  const version = decodeFileHeader(header);
  if (version === undefined) return { kind: 'damaged', reason: 'no checkpoint of ours' };
  if (version > CHECKPOINT_FORMAT) return { kind: 'newer', version };
  const size = await file.sizeBytes();
  let head: HeadChunk | undefined;
  let at = FILE_HEADER_BYTES;
  let crc = 0;
  for (let count = 0; ; count += 1) {
    const bytes = await readChunk(file, at, size);
    if (bytes === undefined) return torn;
    const chunk = decodeChunk(bytes);
    if (chunk === undefined) return { kind: 'damaged', reason: `CRC-32 of chunk ${count} differs` };
    if ((chunk.kind === 'head') !== (count === 0)) return { kind: 'damaged', reason: 'no head' };
    if (chunk.kind === 'end') {
      if (chunk.body.chunks !== count || chunk.body.crc !== crc || head === undefined) {
        return { kind: 'damaged', reason: 'a chunk is missing' };
      }
      state.recount();
      return { kind: 'loaded', state, head };
    }
    if (chunk.kind === 'head') head = chunk.body;
    const wrong = restoreChunk(state, chunk);
    if (wrong !== undefined) return { kind: 'damaged', reason: wrong };
    crc = crc32(bytes.subarray(4, 8), crc);
    at += bytes.length;
  }
}

async function readChunk(file: FileHandle, at: number, size: number): Promise<Buffer | undefined> {
  const header = Buffer.alloc(CHUNK_HEADER_BYTES);
  if ((await readFully(file, header, at)) < header.length) return undefined;
  const length = payloadBytes(header);
  if (length > CHUNK_BYTES || at + CHUNK_HEADER_BYTES + length > size) return undefined;
  const bytes = Buffer.alloc(CHUNK_HEADER_BYTES + length);
  return (await readFully(file, bytes, at)) < bytes.length ? undefined : bytes;
}
