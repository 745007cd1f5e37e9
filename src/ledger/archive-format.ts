/**
 * The archive's files, as `docs/formats/archive.md` specifies them: a 32-byte header, then frames of a length, a CRC-32 and
 * one ledger event as JSON. Little-endian. Held by a golden file.
 */
import { crc32 } from 'node:zlib';
import type { LedgerEvent } from '../buffer/index.ts';

export const ARCHIVE_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 8;
/** The longest payload that a reader believes; longer means damage. */
export const FRAME_BYTES_MAX = 1 << 20;
/** What each event begins with. */
const EVENT_BEGINS = '{"';

const MAGIC = Buffer.from('WBARCHV\n', 'latin1');
const VERSION = 1;

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
  header.writeUInt32LE(crc32(header.subarray(0, 24)), 24);
  return header;
}

export type HeaderOutcome =
  | { readonly kind: 'header'; readonly file: number; readonly createdMs: number }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'damaged' };

export function decodeHeader(bytes: Buffer): HeaderOutcome {
  if (bytes.length < ARCHIVE_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC))
    return { kind: 'damaged' };
  if (bytes.readUInt32LE(24) !== crc32(bytes.subarray(0, 24))) return { kind: 'damaged' };
  const version = bytes.readUInt16LE(8);
  if (version > VERSION) return { kind: 'newer', version };
  return {
    kind: 'header',
    file: bytes.readUInt32LE(12),
    createdMs: Number(bytes.readBigUInt64LE(16)),
  };
}

export function encodeEvent(event: LedgerEvent): Buffer {
  const payload = Buffer.from(JSON.stringify(event), 'utf8');
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(crc32(payload), 4);
  payload.copy(frame, FRAME_HEADER_BYTES);
  return frame;
}

export type FrameOutcome =
  | { readonly kind: 'event'; readonly event: LedgerEvent; readonly bytes: number }
  /** The frame goes on past the bytes given. */
  | { readonly kind: 'more' }
  | { readonly kind: 'damaged' };

/** The event that begins at `at`. */
/**
 * Whether a whole event stands somewhere behind the first byte. Behind a frame that a crash cut nothing does; behind one whose
 * length decayed, so that it seems to go on past the end of the file, the next one does.
 */
export function hasEventWithin(bytes: Buffer): boolean {
  for (let from = 1; ; from += 1) {
    const payload = bytes.indexOf(EVENT_BEGINS, from + FRAME_HEADER_BYTES);
    if (payload < 0) return false;
    from = payload - FRAME_HEADER_BYTES;
    const length = bytes.readUInt32LE(from);
    const end = payload + length;
    if (length === 0 || length > FRAME_BYTES_MAX || end > bytes.length) continue;
    if (crc32(bytes.subarray(payload, end)) === bytes.readUInt32LE(from + 4)) return true;
  }
}

export function decodeEvent(bytes: Buffer, at: number): FrameOutcome {
  if (at + FRAME_HEADER_BYTES > bytes.length) return { kind: 'more' };
  const length = bytes.readUInt32LE(at);
  if (length === 0 || length > FRAME_BYTES_MAX) return { kind: 'damaged' };
  const end = at + FRAME_HEADER_BYTES + length;
  if (end > bytes.length) return { kind: 'more' };
  const payload = bytes.subarray(at + FRAME_HEADER_BYTES, end);
  if (crc32(payload) !== bytes.readUInt32LE(at + 4)) return { kind: 'damaged' };
  return {
    kind: 'event',
    event: JSON.parse(payload.toString('utf8')) as LedgerEvent,
    bytes: end - at,
  };
}
