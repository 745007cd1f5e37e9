/** Reading files in pieces, and numbers out of bytes: what all parsers here share. */
import { readFully } from '../lib/fs/file-system.ts';
import type { FileHandle } from '../lib/fs/file-system.ts';

const PIECE_BYTES = 1024 * 1024;

/** A 64-bit number, little-endian. Exact up to 2^53; greater ones come from nobody and fail the comparisons that follow. */
export function u64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

/** JSON in UTF-8; undefined when it is none. What it says was written by us: its checksum has been looked at. */
export function parsed(json: Buffer): unknown {
  try {
    return JSON.parse(json.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

/** Bytes of one file by their offset, read in large pieces; asking for more than there is gives what there is. */
export class FileBytes {
  readonly #file: FileHandle;
  readonly #limit: number;
  #piece = Buffer.alloc(0);
  #pieceAt = 0;

  /** @param limit nothing at or past this offset is read */
  constructor(file: FileHandle, limit: number) {
    this.#file = file;
    this.#limit = limit;
  }

  /** A view, which later calls leave as it is. */
  async at(offset: number, bytes: number): Promise<Buffer> {
    const need = Math.min(bytes, this.#limit - offset);
    if (need <= 0) return Buffer.alloc(0);
    const held = this.#pieceAt + this.#piece.length - offset;
    if (offset < this.#pieceAt || held < need) {
      const size = Math.min(Math.max(need, PIECE_BYTES), this.#limit - offset);
      // A new one each time: views of the one before are still in use.
      const piece = Buffer.alloc(size);
      this.#piece = piece.subarray(0, await readFully(this.#file, piece, offset));
      this.#pieceAt = offset;
    }
    return this.#piece.subarray(offset - this.#pieceAt, offset - this.#pieceAt + need);
  }

  /** The first offset from `from` on where `wanted` stands, or the limit. */
  async find(wanted: Buffer, from: number): Promise<number> {
    for (let offset = from; ;) {
      const piece = await this.at(offset, Math.min(PIECE_BYTES, this.#limit - offset));
      if (piece.length < wanted.length) return this.#limit;
      const found = piece.indexOf(wanted);
      if (found >= 0) return offset + found;
      offset += piece.length - wanted.length + 1;
    }
  }
}
