/**
 * Segment files byte by byte: the code beside `docs/formats/segment.md`, which is the specification.
 *
 * A position counts the bytes of frames over all segments: a frame at offset `o` of a segment with base `b` stands at
 * `b + o - 64`, so that the end of a segment's last frame is the base of the next one. All numbers are little-endian.
 */
import { crc32 } from 'node:zlib';

import { shortCrc32 } from '../../lib/crc32.ts';
import type { Position } from '../contract.ts';

const FORMAT_VERSION = 1;
export const HEADER_BYTES = 64;
export const FRAME_BYTES = 32;
/** Frames begin at multiples of this: where a search for the next one looks. */
export const ALIGNMENT = 8;

const SEGMENT_MAGIC = Buffer.from('WAYBSEG\n', 'latin1');
export const FRAME_MAGIC = Buffer.from('WBFR', 'latin1');
const FRAME_MAGIC_NUMBER = FRAME_MAGIC.readUInt32LE();

const HEADER_CRC_AT = 60;
const FRAME_CRC_AT = 28;

/** Flags of a frame. */
const LAST_OF_GROUP = 1;
const MARK = 2;

export interface SegmentHeader {
  readonly shard: number;
  /** The opening that made the segment. */
  readonly epoch: number;
  /** Grows by one with each segment. */
  readonly sequence: number;
  /** Position of the first frame. */
  readonly base: Position;
  readonly createdMs: number;
}

export type HeaderRead =
  | { readonly kind: 'header'; readonly header: SegmentHeader }
  /** Whole, but of a version that this one does not know. */
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'damaged'; readonly reason: string };

export interface Frame {
  readonly length: number;
  readonly payloadCrc: number;
  /** Place within its group, from 0. */
  readonly index: number;
  /** Everything before it was durable when the frame was written. */
  readonly frontier: number;
  readonly last: boolean;
  /** Carries the frontier and no record. */
  readonly mark: boolean;
}

function writeU64(into: Buffer, value: number, at: number): void {
  into.writeUInt32LE(value % 2 ** 32, at);
  into.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

function readU64(from: Buffer, at: number): number {
  return from.readUInt32LE(at) + from.readUInt32LE(at + 4) * 2 ** 32;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  SEGMENT_MAGIC.copy(bytes);
  bytes.writeUInt16LE(FORMAT_VERSION, 8);
  bytes.writeUInt16LE(HEADER_BYTES, 10);
  bytes.writeUInt32LE(header.shard, 12);
  writeU64(bytes, header.epoch, 16);
  writeU64(bytes, header.sequence, 24);
  writeU64(bytes, header.base, 32);
  writeU64(bytes, header.createdMs, 40);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT);
  return bytes;
}

/** @param bytes the first bytes of a segment file, up to 64 */
export function decodeHeader(bytes: Buffer): HeaderRead {
  if (bytes.length < HEADER_BYTES) return { kind: 'damaged', reason: 'the header is cut short' };
  if (!bytes.subarray(0, SEGMENT_MAGIC.length).equals(SEGMENT_MAGIC)) {
    return { kind: 'damaged', reason: 'the file does not begin as a segment' };
  }
  if (crc32(bytes.subarray(0, HEADER_CRC_AT)) !== bytes.readUInt32LE(HEADER_CRC_AT)) {
    return { kind: 'damaged', reason: 'the header has another checksum' };
  }
  const version = bytes.readUInt16LE(8);
  if (version > FORMAT_VERSION) return { kind: 'newer', version };
  return {
    kind: 'header',
    header: {
      shard: bytes.readUInt32LE(12),
      epoch: readU64(bytes, 16),
      sequence: readU64(bytes, 24),
      base: readU64(bytes, 32) as Position,
      createdMs: readU64(bytes, 40),
    },
  };
}

/** Zeros between a payload's end and the next frame. */
export function paddingBytes(payloadBytes: number): number {
  return (ALIGNMENT - (payloadBytes % ALIGNMENT)) % ALIGNMENT;
}

/** The first place at or behind a position where a frame may begin. */
export function alignUp(position: number): Position {
  return (Math.ceil(position / ALIGNMENT) * ALIGNMENT) as Position;
}

/** A whole frame: header, payload, padding. */
export function frameBytes(payloadBytes: number): number {
  return FRAME_BYTES + payloadBytes + paddingBytes(payloadBytes);
}

const positionBytes = Buffer.alloc(8);

/**
 * The checksum of a frame's header also covers its position: a frame that stands elsewhere than where it was written (in a
 * payload, after a misdirected write) is not taken for one.
 */
function frameCrc(bytes: Buffer, at: number, position: number): number {
  writeU64(positionBytes, position, 0);
  return shortCrc32(positionBytes, 0, 8, shortCrc32(bytes, at, at + FRAME_CRC_AT));
}

/** Writes the header of the frame that stands at `position` into `bytes` at `at`. */
export function encodeFrame(bytes: Buffer, at: number, position: number, frame: Frame): void {
  FRAME_MAGIC.copy(bytes, at);
  bytes.writeUInt32LE(frame.length, at + 4);
  bytes.writeUInt32LE(frame.payloadCrc, at + 8);
  bytes.writeUInt32LE(frame.index, at + 12);
  writeU64(bytes, frame.frontier, at + 16);
  bytes.writeUInt32LE((frame.last ? LAST_OF_GROUP : 0) | (frame.mark ? MARK : 0), at + 24);
  bytes.writeUInt32LE(frameCrc(bytes, at, position), at + FRAME_CRC_AT);
}

/** Reads the header of the frame at `position`; undefined when none is there whole. */
export function decodeFrame(bytes: Buffer, at: number, position: number): Frame | undefined {
  if (bytes.length < at + FRAME_BYTES) return undefined;
  if (bytes.readUInt32LE(at) !== FRAME_MAGIC_NUMBER) return undefined;
  if (bytes.readUInt32LE(at + FRAME_CRC_AT) !== frameCrc(bytes, at, position)) return undefined;
  const flags = bytes.readUInt32LE(at + 24);
  const frontier = readU64(bytes, at + 16);
  if (frontier > position || flags > (LAST_OF_GROUP | MARK)) return undefined;
  return {
    length: bytes.readUInt32LE(at + 4),
    payloadCrc: bytes.readUInt32LE(at + 8),
    index: bytes.readUInt32LE(at + 12),
    frontier,
    last: (flags & LAST_OF_GROUP) !== 0,
    mark: (flags & MARK) !== 0,
  };
}
