/**
 * The archive's files, as `docs/formats/archive.md` specifies them: a 32-byte header, then frames of a 24-byte header and one
 * ledger event as JSON. Little-endian. Held by golden files.
 */
import { crc32 } from 'node:zlib';
import type { LedgerEvent } from '../buffer/index.ts';

export const ARCHIVE_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;
/** The longest payload that a reader believes; longer means damage. */
export const PAYLOAD_BYTES_MAX = 1 << 20;
export const FRAME_MAGIC = Buffer.from('WBEV', 'latin1');

const FRAME_MAGIC_NUMBER = FRAME_MAGIC.readUInt32LE();

const MAGIC = Buffer.from('WBARCHV\n', 'latin1');
const VERSION = 2;
const HEADER_CRC_AT = 24;
const FRAME_CRC_AT = 20;

export function archiveFileName(file: number): string {
  return `${String(file).padStart(10, '0')}.wba`;
}

/** The number in an archive file's name, or undefined for other names. */
export function archiveFileNumber(name: string): number | undefined {
  return /^\d{10}\.wba$/.test(name) ? Number(name.slice(0, 10)) : undefined;
}

export function encodeHeader(file: number, createdMs: number): Buffer {
  const header = Buffer.alloc(ARCHIVE_HEADER_BYTES);
  MAGIC.copy(header, 0);
  header.writeUInt16LE(VERSION, 8);
  header.writeUInt32LE(file, 12);
  header.writeBigUInt64LE(BigInt(createdMs), 16);
  header.writeUInt32LE(crc32(header.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT);
  return header;
}

export type HeaderOutcome =
  | {
      readonly kind: 'header';
      readonly version: number;
      readonly file: number;
      readonly createdMs: number;
    }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'damaged' };

export function decodeHeader(bytes: Buffer): HeaderOutcome {
  if (bytes.length < ARCHIVE_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC))
    return { kind: 'damaged' };
  if (bytes.readUInt32LE(HEADER_CRC_AT) !== crc32(bytes.subarray(0, HEADER_CRC_AT)))
    return { kind: 'damaged' };
  const version = bytes.readUInt16LE(8);
  if (version > VERSION) return { kind: 'newer', version };
  return {
    kind: 'header',
    version,
    file: bytes.readUInt32LE(12),
    createdMs: Number(bytes.readBigUInt64LE(16)),
  };
}

/** Where a frame stands, and what was known when it was written. */
export interface FramePlace {
  readonly file: number;
  /** Its first byte in the file. */
  readonly at: number;
  /** Bytes of the file that were on stable storage then: what cannot be read before it is damage and no crash's doing. */
  readonly syncedBytes: number;
}

const placeBytes = Buffer.alloc(12);

/** BigInts cost more than the rest of a frame; sizes of files are exact as numbers. */
function writeU64(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value % 2 ** 32, at);
  target.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

/** The checksum also covers where the frame stands: within a payload, or in a file that holds it twice, it is none. */
function frameCrc(bytes: Buffer, at: number, place: Pick<FramePlace, 'file' | 'at'>): number {
  placeBytes.writeUInt32LE(place.file, 0);
  writeU64(placeBytes, place.at, 4);
  return crc32(placeBytes, crc32(bytes.subarray(at, at + FRAME_CRC_AT)));
}

/**
 * Frames one behind the other.
 *
 * @param payloads of events; an empty one makes a mark, which only carries `syncedBytes`
 * @param place of the first
 */
export function encodeFrames(payloads: readonly Buffer[], place: FramePlace): Buffer {
  const bytes = payloads.reduce((sum, { length }) => sum + FRAME_HEADER_BYTES + length, 0);
  const frames = Buffer.allocUnsafe(bytes);
  const { file, syncedBytes } = place;
  let from = 0;
  for (const payload of payloads) {
    frames.writeUInt32LE(FRAME_MAGIC_NUMBER, from);
    frames.writeUInt32LE(payload.length, from + 4);
    frames.writeUInt32LE(crc32(payload), from + 8);
    writeU64(frames, syncedBytes, from + 12);
    const crc = frameCrc(frames, from, { file, at: place.at + from });
    frames.writeUInt32LE(crc, from + FRAME_CRC_AT);
    payload.copy(frames, from + FRAME_HEADER_BYTES);
    from += FRAME_HEADER_BYTES + payload.length;
  }
  return frames;
}

export function encodeEvent(event: LedgerEvent): Buffer {
  return Buffer.from(JSON.stringify(event), 'utf8');
}

export interface FrameHead {
  readonly payloadBytes: number;
  readonly payloadCrc: number;
  readonly syncedBytes: number;
}

/** The header of the frame that stands at `place.at` of its file, and at `at` of `bytes`; undefined when none is there whole. */
export function decodeFrameHead(
  bytes: Buffer,
  at: number,
  place: Pick<FramePlace, 'file' | 'at'>,
): FrameHead | undefined {
  if (bytes.length < at + FRAME_HEADER_BYTES) return undefined;
  if (bytes.readUInt32LE(at) !== FRAME_MAGIC_NUMBER) return undefined;
  if (bytes.readUInt32LE(at + FRAME_CRC_AT) !== frameCrc(bytes, at, place)) return undefined;
  const payloadBytes = bytes.readUInt32LE(at + 4);
  if (payloadBytes > PAYLOAD_BYTES_MAX) return undefined;
  return {
    payloadBytes,
    payloadCrc: bytes.readUInt32LE(at + 8),
    syncedBytes: bytes.readUInt32LE(at + 12) + bytes.readUInt32LE(at + 16) * 2 ** 32,
  };
}
