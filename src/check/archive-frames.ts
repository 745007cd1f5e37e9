/** Frames of an archive file of version 2, read by `docs/formats/archive.md` and by nothing of the ledger's own code. */
import { crc32 } from 'node:zlib';

import type { FileBytes } from './bytes.ts';
import { u64 } from './bytes.ts';

const MAGIC = Buffer.from('WBEV', 'latin1');
const FRAME_BYTES = 24;
const CRC_AT = 20;
const PAYLOAD_BYTES_MAX = 1_048_576;

export interface ArchiveFrame {
  readonly end: number;
  /** Bytes of the file that were on stable storage when it was written. */
  readonly synced: number;
  /** Undefined when its CRC-32 differs; empty in a mark. */
  readonly payload: Buffer | undefined;
}

export class ArchiveFrames {
  readonly #bytes: FileBytes;
  readonly #file: number;
  #synced: number | undefined;

  constructor(bytes: FileBytes, file: number) {
    this.#bytes = bytes;
    this.#file = file;
  }

  /** The frame that begins at a byte; undefined when none does, or it goes on past the end. */
  async at(at: number): Promise<ArchiveFrame | undefined> {
    const head = await this.#bytes.at(at, FRAME_BYTES);
    if (head.length < FRAME_BYTES || !head.subarray(0, 4).equals(MAGIC)) return undefined;
    const place = Buffer.alloc(12);
    place.writeUInt32LE(this.#file, 0);
    place.writeBigUInt64LE(BigInt(at), 4);
    const covered = Buffer.concat([head.subarray(0, CRC_AT), place]);
    if (crc32(covered) !== head.readUInt32LE(CRC_AT)) return undefined;
    const [length, crc, synced] = [head.readUInt32LE(4), head.readUInt32LE(8), u64(head, 12)];
    if (length > PAYLOAD_BYTES_MAX) return undefined;
    const payload = await this.#bytes.at(at + FRAME_BYTES, length);
    if (payload.length < length) return undefined;
    const whole = crc32(payload) === crc;
    return { end: at + FRAME_BYTES + length, synced, payload: whole ? payload : undefined };
  }

  /** The first byte from `from` on at which a frame begins; the end of the file when there is none. */
  async next(from: number): Promise<number> {
    for (let at = from; ;) {
      const found = await this.#bytes.find(MAGIC, at);
      if ((await this.#bytes.at(found, 1)).length === 0) return found;
      if ((await this.at(found)) !== undefined) return found;
      at = found + 1;
    }
  }

  /** How much of the file was on stable storage: the most that one of its frames says. */
  async synced(from: number): Promise<number> {
    if (this.#synced !== undefined) return this.#synced;
    let synced = 0;
    for (let at = from; ;) {
      const frame = await this.at(at);
      if (frame !== undefined) {
        synced = Math.max(synced, frame.synced);
        at = frame.end;
        continue;
      }
      const next = await this.next(at + 1);
      if ((await this.at(next)) === undefined) break;
      at = next;
    }
    this.#synced = synced;
    return synced;
  }
}
