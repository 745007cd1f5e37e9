/**
 * Frames of archive files of version 1: a length, a CRC-32 and an event. They say neither where they stand nor what was synced, so
 * that the first one that cannot be read ends its file.
 */
import { crc32 } from 'node:zlib';
import { readFully } from '../lib/fs/file-system.ts';
import type { FileHandle } from '../lib/fs/file-system.ts';
import type { LedgerEvent } from '../buffer/index.ts';
import { PAYLOAD_BYTES_MAX } from './archive-format.ts';
import type { ArchivePiece } from './archive-piece.ts';

const FRAME_HEADER_BYTES = 8;
const PIECE_BYTES = PAYLOAD_BYTES_MAX * 2;
/** What each event begins with. */
const EVENT_BEGINS = '{"';

export async function* readFileV1(
  handle: FileHandle,
  file: number,
  fromBytes: number,
  untilBytes: number,
): AsyncGenerator<ArchivePiece> {
  let at = fromBytes;
  for (;;) {
    const piece = Buffer.alloc(PIECE_BYTES);
    const there = await readFully(handle, piece, at);
    const bytes = piece.subarray(0, Math.min(there, Math.max(0, untilBytes - at)));
    const events: LedgerEvent[] = [];
    let inPiece = 0;
    let next = decodeEventV1(bytes, inPiece);
    while (next.kind === 'event') {
      events.push(next.event);
      inPiece += next.bytes;
      next = decodeEventV1(bytes, inPiece);
    }
    at += inPiece;
    // Zeros are what a crash leaves of an unsynced end; anything else that cannot be read is damage.
    const rest = bytes.subarray(inPiece);
    const isLast = bytes.length < PIECE_BYTES;
    const damaged =
      next.kind === 'damaged' ? rest.some((byte) => byte !== 0) : isLast && hasEventWithin(rest);
    yield {
      events,
      mark: { file, bytes: at },
      ...(damaged ? { damaged: `frame at byte ${at}, and what stands behind it` } : {}),
    };
    if (next.kind === 'damaged' || isLast) return;
  }
}

type FrameOutcome =
  | { readonly kind: 'event'; readonly event: LedgerEvent; readonly bytes: number }
  /** The frame goes on past the bytes given. */
  | { readonly kind: 'more' }
  | { readonly kind: 'damaged' };

/** The event that begins at `at`. */
export function decodeEventV1(bytes: Buffer, at: number): FrameOutcome {
  if (at + FRAME_HEADER_BYTES > bytes.length) return { kind: 'more' };
  const length = bytes.readUInt32LE(at);
  if (length === 0 || length > PAYLOAD_BYTES_MAX) return { kind: 'damaged' };
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

/**
 * Whether a whole event stands somewhere behind the first byte. Behind a frame that a crash cut nothing does; behind one whose
 * length decayed, so that it seems to go on past the end of the file, the next one does.
 */
function hasEventWithin(bytes: Buffer): boolean {
  for (let from = 1; ; from += 1) {
    const payload = bytes.indexOf(EVENT_BEGINS, from + FRAME_HEADER_BYTES);
    if (payload < 0) return false;
    from = payload - FRAME_HEADER_BYTES;
    const length = bytes.readUInt32LE(from);
    const end = payload + length;
    if (length === 0 || length > PAYLOAD_BYTES_MAX || end > bytes.length) continue;
    if (crc32(bytes.subarray(payload, end)) === bytes.readUInt32LE(from + 4)) return true;
  }
}
