/** A segment's header and frames, read by `docs/formats/segment.md` and by nothing of the log's own code. */
import { crc32 } from 'node:zlib';

import { FileBytes, u64 } from './bytes.ts';
import type { FileHandle } from '../lib/fs/file-system.ts';

export const SEGMENT_HEADER_BYTES = 64;
const VERSION = 1;
const FRAME_HEADER_BYTES = 32;
const ALIGNMENT = 8;
const MAGIC = Buffer.from('WAYBSEG\n', 'latin1');
const FRAME_MAGIC = Buffer.from('WBFR', 'latin1');
const NAME = /^(\d{16})-(\d{16})\.seg$/;

/** What a segment's name says. */
export interface SegmentName {
  readonly name: string;
  readonly sequence: number;
  readonly base: number;
}

/** The name's parts; undefined for names that are no segment's. */
export function segmentName(name: string): SegmentName | undefined {
  const match = NAME.exec(name);
  const [sequence, base] = [Number(match?.[1]), Number(match?.[2])];
  // Sixteen digits hold more than a number does exactly: nobody's log is that long.
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(base)) return undefined;
  return { name, sequence, base };
}

export type SegmentHeader =
  | {
      readonly kind: 'header';
      readonly shard: number;
      readonly epoch: number;
      readonly sequence: number;
      readonly base: number;
    }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'damaged'; readonly reason: string };

/** @param bytes a segment file's first bytes, up to 64 */
export function segmentHeader(bytes: Buffer): SegmentHeader {
  const damaged = (reason: string): SegmentHeader => ({ kind: 'damaged', reason });
  if (bytes.length < SEGMENT_HEADER_BYTES) return damaged('its header is cut short');
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC))
    return damaged('it does not begin as a segment');
  if (crc32(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) {
    return damaged("its header's CRC-32 differs");
  }
  const version = bytes.readUInt16LE(8);
  if (version > VERSION) return { kind: 'newer', version };
  return {
    kind: 'header',
    shard: bytes.readUInt32LE(12),
    epoch: u64(bytes, 16),
    sequence: u64(bytes, 24),
    base: u64(bytes, 32),
  };
}

export interface Frame {
  readonly position: number;
  /** Position behind it and its padding. */
  readonly end: number;
  readonly frontier: number;
  /** Place in its group, from 0. */
  readonly index: number;
  readonly last: boolean;
  /** Carries a frontier and no record. */
  readonly mark: boolean;
  /** Undefined when its CRC-32 differs. */
  readonly payload: Buffer | undefined;
}

/** Frames of one segment file by their position. */
export class SegmentFrames {
  readonly #bytes: FileBytes;
  readonly #base: number;
  readonly #end: number;

  /** @param end nothing at or past this position is read */
  constructor(file: FileHandle, base: number, end: number) {
    this.#bytes = new FileBytes(file, SEGMENT_HEADER_BYTES + end - base);
    this.#base = base;
    this.#end = end;
  }

  /** The frame at `position`; undefined when none stands there whole. */
  async at(position: number): Promise<Frame | undefined> {
    const offset = this.#offset(position);
    const head = await this.#bytes.at(offset, FRAME_HEADER_BYTES);
    if (head.length < FRAME_HEADER_BYTES || !head.subarray(0, 4).equals(FRAME_MAGIC))
      return undefined;
    if (headerCrc(head, position) !== head.readUInt32LE(28)) return undefined;
    const length = head.readUInt32LE(4);
    const payloadCrc = head.readUInt32LE(8);
    const flags = head.readUInt32LE(24);
    const frontier = u64(head, 16);
    const end = position + FRAME_HEADER_BYTES + Math.ceil(length / ALIGNMENT) * ALIGNMENT;
    if (end > this.#end || flags > 3 || frontier > position) return undefined;
    const index = head.readUInt32LE(12);
    const payload = await this.#bytes.at(offset + FRAME_HEADER_BYTES, length);
    const whole = payload.length === length && crc32(payload) === payloadCrc;
    return {
      position,
      end,
      frontier,
      index,
      last: (flags & 1) !== 0,
      mark: (flags & 2) !== 0,
      payload: whole ? payload : undefined,
    };
  }

  /** The next position at or behind `from` where a frame stands, or the end. */
  async next(from: number): Promise<number> {
    for (let position = from; position < this.#end; position += 1) {
      position =
        this.#base +
        (await this.#bytes.find(FRAME_MAGIC, this.#offset(position))) -
        SEGMENT_HEADER_BYTES;
      const aligned = (position - this.#base) % ALIGNMENT === 0;
      if (position < this.#end && aligned && (await this.at(position)) !== undefined)
        return position;
    }
    return this.#end;
  }

  #offset(position: number): number {
    return SEGMENT_HEADER_BYTES + position - this.#base;
  }
}

/** Over the frame's own first 28 bytes and its position, so that a frame that stands elsewhere is none. */
function headerCrc(head: Buffer, position: number): number {
  const where = Buffer.alloc(8);
  where.writeBigUInt64LE(BigInt(position));
  return crc32(where, crc32(head.subarray(0, 28)));
}
