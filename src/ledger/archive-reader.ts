import { join } from 'node:path';
import type { FileHandle, FileSystem } from '../lib/fs/file-system.ts';
import { readFully } from '../lib/fs/file-system.ts';
import type { LedgerEvent } from '../buffer/index.ts';
import type { ArchiveMark } from './contract.ts';
import {
  ARCHIVE_HEADER_BYTES,
  FRAME_BYTES_MAX,
  archiveFileName,
  archiveFileNumber,
  decodeEvent,
  decodeHeader,
  hasEventWithin,
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
    const damaged =
      decoded.kind === 'newer'
        ? `format version ${decoded.version} is newer than this Waybill`
        : 'header';
    yield { events: [], mark: { file, bytes: 0 }, ...(torn ? {} : { damaged }) };
    return;
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
    at += inPiece;
    // Zeros are what a crash leaves of an unsynced end; anything else that cannot be read is damage.
    const rest = bytes.subarray(inPiece);
    const isLast = bytes.length < PIECE_BYTES;
    const damaged =
      next.kind === 'damaged' ? rest.some((byte) => byte !== 0) : isLast && hasEventWithin(rest);
    yield {
      events,
      mark: { file, bytes: at },
      ...(damaged ? { damaged: `frame at byte ${at}` } : {}),
    };
    if (next.kind === 'damaged' || isLast) return;
  }
}
