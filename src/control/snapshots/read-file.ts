/**
 * Reads one snapshot file from its beginning: the base, then change after change, each held to its own CRC-32 and to the
 * checksum of the whole that it claims. What does not fit ends the file; what stands before it is good.
 */
import { FsError } from '../../lib/fs/file-system.ts';
import type { FileHandle, FileSystem } from '../../lib/fs/file-system.ts';
import { addHash, checksumText, objectHash, removeHash, secretHash } from '../store/checksum.ts';
import { Holdings, keyOf } from './holdings.ts';
import { SNAPSHOT_FORMAT, decodeLine, sealedFromForm } from './line.codec.ts';
import type { ChangeLine, FileHeader, Line } from './line.codec.ts';

const NEWLINE = 0x0a;
const PIECE_BYTES = 1 << 20;

export type FileRead =
  | {
      readonly kind: 'base';
      readonly header: FileHeader;
      readonly holdings: Holdings;
      /** Where the base ends, and where what can be read ends. */
      readonly baseEnd: number;
      readonly end: number;
      /** Where each change's line begins: of version `header.version + 1` on. */
      readonly offsets: readonly number[];
      /** The newest change, for who has to take it back. */
      readonly last: LastChange | undefined;
      /** Behind `end` stands something that is no whole line: cut off by a crash, or damaged. */
      readonly rest: 'none' | 'partial' | 'bad';
      /** A record was written by an older version and reads differently now. */
      readonly migrated: boolean;
    }
  | { readonly kind: 'newer'; readonly format: number }
  | { readonly kind: 'unreadable'; readonly detail: string };

/** The newest change of a file, with what is needed to take it back. */
export interface LastChange {
  readonly line: ChangeLine;
  readonly nextJobBefore: number;
  /** The checksum of the whole before it. */
  readonly sumBefore: string;
}

interface RawLine {
  readonly at: number;
  readonly bytes: Buffer;
  /** False for the last line of a file that does not end with a newline. */
  readonly whole: boolean;
}

/** The lines from byte `from` on, a few hundred KiB in memory at a time, or one line when it is longer. */
export async function* linesOf(file: FileHandle, from = 0): AsyncGenerator<RawLine, void, void> {
  const size = await file.sizeBytes();
  /** Pieces of a line whose end has not come yet. */
  let rest: Buffer[] = [];
  let restAt = from;
  for (let at = from; at < size;) {
    const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, size - at));
    const count = await file.read(piece, at);
    if (count === 0) break;
    let start = 0;
    const bytes = piece.subarray(0, count);
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const line = bytes.subarray(start, end);
      yield {
        at: restAt,
        bytes: rest.length > 0 ? Buffer.concat([...rest, line]) : line,
        whole: true,
      };
      rest = [];
      start = end + 1;
      restAt = at + start;
    }
    if (start < count) rest.push(bytes.subarray(start));
    at += count;
  }
  if (rest.length > 0) yield { at: restAt, bytes: Buffer.concat(rest), whole: false };
}

/** Reads a file whole. Rejects with FsError when the disk does not answer. */
export async function readSnapshotFile(file: FileHandle): Promise<FileRead> {
  const lines = linesOf(file);
  const first = await lines.next();
  const header = first.done ? undefined : headerOf(decodeLine(first.value.bytes));
  if (!header) return { kind: 'unreadable', detail: 'its first line cannot be read' };
  if (header.format > SNAPSHOT_FORMAT) return { kind: 'newer', format: header.format };
  const reading = new Reading(header);
  let baseEnd = 0;
  let end = 0;
  let rest: 'none' | 'partial' | 'bad' = 'none';
  if (header.objects + header.secrets === 0) end = baseEnd = first.value!.bytes.length + 1;
  for await (const { at, bytes, whole } of lines) {
    const line = whole ? decodeLine(bytes) : undefined;
    if (!line || !reading.take(line, at)) {
      rest = whole ? 'bad' : 'partial';
      break;
    }
    end = at + bytes.length + 1;
    if (baseEnd === 0 && reading.baseIsWhole) baseEnd = end;
  }
  if (baseEnd === 0 || !reading.baseFits)
    return { kind: 'unreadable', detail: 'its base is not whole' };
  const { holdings, offsets, last } = reading;
  const migrated = holdings.sum !== reading.rawSum;
  return { kind: 'base', header, holdings, baseEnd, end, offsets, last, rest, migrated };
}

/** A file's first line; undefined when it cannot be read. */
export async function readHeader(files: FileSystem, path: string): Promise<FileHeader | undefined> {
  try {
    const file = await files.open(path, 'read');
    try {
      const first = await linesOf(file).next();
      return first.done ? undefined : headerOf(decodeLine(first.value.bytes));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    return undefined;
  }
}

function headerOf(line: Line | undefined): FileHeader | undefined {
  return line && 'header' in line ? line.header : undefined;
}

/** What has been read so far. Sums are those of the bytes in the file, which an older version may have written. */
class Reading {
  readonly holdings: Holdings;
  readonly offsets: number[] = [];
  last: LastChange | undefined;
  readonly #header: FileHeader;
  /** Hashes of the records that this version would write differently. Of all others they are those of the holdings. */
  readonly #odd = new Map<string, bigint>();
  #sum = 0n;
  #objects = 0;
  #secrets = 0;
  baseFits: boolean;

  constructor(header: FileHeader) {
    this.#header = header;
    this.holdings = new Holdings(header.version, header.nextJob);
    this.baseFits = this.baseIsWhole && header.sum === this.rawSum;
  }

  get rawSum(): string {
    return checksumText(this.#sum);
  }

  get baseIsWhole(): boolean {
    return this.#objects === this.#header.objects && this.#secrets === this.#header.secrets;
  }

  /** False: the line does not belong here, or does not fit what came before. */
  take(line: Line, at: number): boolean {
    if (!this.baseIsWhole) {
      const taken = this.#takeBase(line);
      if (this.baseIsWhole) this.baseFits = taken && this.#header.sum === this.rawSum;
      return taken && (!this.baseIsWhole || this.baseFits);
    }
    return 'change' in line && this.#takeChange(line.change, at);
  }

  #takeBase(line: Line): boolean {
    if ('object' in line) {
      this.#objects++;
      const { kind, id, record } = line.object;
      const text = JSON.stringify(record);
      const hash = objectHash(keyOf(kind, id), text);
      const before = this.#hashOf(kind, id);
      const own = this.holdings.takeObject(line.object, { text, hash });
      if (own === undefined) return false;
      this.#sum = replaced(this.#sum, before, hash);
      this.#remember(kind, id, hash, own);
      return true;
    }
    if ('secret' in line) {
      this.#secrets++;
      const secret = sealedFromForm(line.secret.id, line.secret);
      const hash = secretHash(secret);
      this.#sum = replaced(this.#sum, this.holdings.secretHashOf(secret.id), hash);
      this.holdings.putSecret(secret, hash);
      return true;
    }
    return false;
  }

  #takeChange(line: ChangeLine, at: number): boolean {
    if (line.version !== this.holdings.version + 1) return false;
    const made = this.#hashesOf(line);
    if (line.sum !== checksumText(made.sum)) return false;
    const { nextJob: nextJobBefore, sum: sumBefore } = this.holdings;
    if (!this.holdings.replay(line)) return false;
    this.#sum = made.sum;
    for (const { kind, id } of line.edits) {
      const hash = made.after.get(keyOf(kind, id));
      this.#remember(kind, id, hash, this.holdings.hashOf(kind, id));
    }
    this.offsets.push(at);
    this.last = { line, nextJobBefore, sumBefore };
    return true;
  }

  /** What a change would make of the sum, and the hashes of the records that it leaves; nothing is changed by asking. */
  #hashesOf({ edits, secrets }: ChangeLine) {
    const after = new Map<string, bigint | undefined>();
    let sum = this.#sum;
    const put = (key: string, standing: () => bigint | undefined, hash: bigint | undefined) => {
      sum = replaced(sum, after.has(key) ? after.get(key) : standing(), hash);
      after.set(key, hash);
    };
    for (const { kind, id, after: record } of edits) {
      const key = keyOf(kind, id);
      const hash = record === null ? undefined : objectHash(key, JSON.stringify(record));
      put(key, () => this.#hashOf(kind, id), hash);
    }
    for (const { id, after: form } of secrets) {
      const hash = form ? secretHash(sealedFromForm(id, form)) : undefined;
      put(`secret\0${id}`, () => this.holdings.secretHashOf(id), hash);
    }
    return { sum, after };
  }

  #hashOf(kind: string, id: string): bigint | undefined {
    const odd = this.#odd.size > 0 ? this.#odd.get(keyOf(kind, id)) : undefined;
    return odd ?? this.holdings.hashOf(kind, id);
  }

  /** @param own the hash of the same record as this version writes it */
  #remember(kind: string, id: string, hash: bigint | undefined, own: bigint | undefined): void {
    if (hash !== undefined && hash !== own) this.#odd.set(keyOf(kind, id), hash);
    else if (this.#odd.size > 0) this.#odd.delete(keyOf(kind, id));
  }
}

function replaced(sum: bigint, before: bigint | undefined, after: bigint | undefined): bigint {
  const without = before === undefined ? sum : removeHash(sum, before);
  return after === undefined ? without : addHash(without, after);
}
