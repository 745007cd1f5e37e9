import { join } from 'node:path';
import type { FileHandle, FileSystem } from '../lib/fs/file-system.ts';
import { readFully } from '../lib/fs/file-system.ts';
import type { LedgerEvent } from '../buffer/index.ts';
import type { ArchiveMark } from './contract.ts';
import {
  ARCHIVE_HEADER_BYTES,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  archiveFileName,
  archiveFileNumber,
  decodeEvent,
  decodeHeader,
} from './archive-format.ts';

const PIECE_BYTES = FRAME_BYTES_MAX * 2;

/** Some of the archive's events in order. */
export interface ArchivePiece {
  readonly events: readonly LedgerEvent[];
  /** Just behind the last of them: where to read on. */
  readonly mark: ArchiveMark;
  /** Set when the rest of this file cannot be read. Its end after a crash is no damage: what stood there comes again. */
  readonly damaged?: string;
}

/**
 * Reads events from `from` on, over all files, in pieces of about two MiB.
 *
 * An unfinished end is passed over when a newer file follows (a crash cut it), and is where reading stops in the newest.
 *
 * @param until a mark that the writer gave: nothing behind it is read
 * @throws FsError when the disk does not answer
 */
export async function* readArchive(
  files: FileSystem,
  directory: string,
  from: ArchiveMark = { file: 0, bytes: 0 },
  until?: ArchiveMark,
): AsyncGenerator<ArchivePiece> {
  const names = await files.list(directory).catch(() => [] as string[]);
  const numbers = names.map(archiveFileNumber).filter((n) => n !== undefined);
  for (const number of numbers) {
    if (number < from.file) continue;
    if (until && number > until.file) return;
    const handle = await files.open(join(directory, archiveFileName(number)), 'read');
    try {
      const fromBytes = number === from.file ? from.bytes : 0;
      yield* readFile(handle, number, fromBytes, number === until?.file ? until.bytes : Infinity);
    } finally {
      await handle.close();
    }
  }
}

async function* readFile(
  handle: FileHandle,
  file: number,
  fromBytes: number,
  untilBytes: number,
): AsyncGenerator<ArchivePiece> {
  const header = Buffer.alloc(ARCHIVE_HEADER_BYTES);
  const headerBytes = await readFully(handle, header, 0);
  const decoded = decodeHeader(header.subarray(0, headerBytes));
  if (decoded.kind !== 'header') {
    const torn = headerBytes < ARCHIVE_HEADER_BYTES || header.every((byte) => byte === 0);
    const isNewer = decoded.kind === 'newer';
    const damaged = isNewer
      ? `format version ${decoded.version} is newer than this Waybill`
      : 'header';
    if (fromBytes <= ARCHIVE_HEADER_BYTES)
      yield { events: [], mark: { file, bytes: 0 }, ...(torn ? {} : { damaged }) };
    // Frames have checksums of their own: they do not need a header that decayed.
    if (torn || isNewer) return;
  }
  let at = Math.max(fromBytes, ARCHIVE_HEADER_BYTES);
  for (;;) {
    const piece = Buffer.alloc(PIECE_BYTES);
    const there = await readFully(handle, piece, at);
    const bytes = piece.subarray(0, Math.min(there, Math.max(0, untilBytes - at)));
    const events: LedgerEvent[] = [];
    let inPiece = 0;
    let next = decodeEvent(bytes, inPiece);
    while (next.kind === 'event') {
      events.push(next.event);
      inPiece += next.bytes;
      next = decodeEvent(bytes, inPiece);
    }
    const rest = bytes.subarray(inPiece);
    const isEnd = bytes.length < PIECE_BYTES;
    at += inPiece;
    const ended = next.kind === 'damaged' || isEnd || inPiece === 0;
    const further = ended ? nextFrame(rest) : undefined;
    // Zeros, or a beginning with nothing behind it, are what a crash leaves of an unsynced end. A whole frame behind what
    // cannot be read says that it was whole once.
    const isDamaged =
      further !== undefined || (next.kind === 'damaged' && rest.some((byte) => byte !== 0));
    const damaged = isDamaged ? { damaged: `frame at byte ${at}` } : {};
    if (further !== undefined) at += further;
    yield { events, mark: { file, bytes: at }, ...damaged };
    if (ended && further === undefined) return;
  }
}

/** Where the first whole frame in these bytes begins, which do not begin with one. */
function nextFrame(bytes: Buffer): number | undefined {
  for (let json = bytes.indexOf('{"'); json >= 0; json = bytes.indexOf('{"', json + 1)) {
    const frame = json - FRAME_HEADER_BYTES;
    if (frame > 0 && decodeEvent(bytes, frame).kind === 'event') return frame;
  }
  return undefined;
}
