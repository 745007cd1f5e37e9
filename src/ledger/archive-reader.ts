import { join } from 'node:path';
import type { FileHandle, FileSystem } from '../lib/fs/file-system.ts';
import { readFully } from '../lib/fs/file-system.ts';
import type { LedgerEvent } from '../buffer/index.ts';
import type { ArchivePiece } from './archive-piece.ts';
import type { ArchiveMark } from './contract.ts';
import {
  ARCHIVE_HEADER_BYTES,
  archiveFileName,
  archiveFileNumber,
  decodeHeader,
} from './archive-format.ts';
import { ArchiveFrames } from './archive-frames.ts';
import { readFileV1 } from './archive-v1.ts';

/**
 * Bytes of the file from which a piece is handed over. Its events are some thousand objects, which are all held while they are summed: what
 * survives a collection so makes the control thread's young generation grow, which nothing makes smaller while there is work.
 */
const PIECE_BYTES = 256 << 10;

/**
 * Reads events from `from` on, over all files, in pieces of a quarter of a MiB or so.
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

/** What a disk writes whole, or tears when the power goes. */
const SECTOR_BYTES = 512;

async function* readFile(
  handle: FileHandle,
  file: number,
  fromBytes: number,
  untilBytes: number,
): AsyncGenerator<ArchivePiece> {
  const sector = Buffer.alloc(SECTOR_BYTES);
  const sectorBytes = await readFully(handle, sector, 0);
  const headerBytes = Math.min(sectorBytes, ARCHIVE_HEADER_BYTES);
  const decoded = decodeHeader(sector.subarray(0, headerBytes));
  const at = Math.max(fromBytes, ARCHIVE_HEADER_BYTES);
  if (decoded.kind === 'newer') {
    const damaged = `format version ${decoded.version} is newer than this Waybill`;
    yield { events: [], mark: { file, bytes: 0 }, damaged };
    return;
  }
  const frames = new ArchiveFrames(handle, file, await handle.sizeBytes());
  if (decoded.kind === 'damaged') {
    // A crash left it without its first write, or tore that: then no frame stands behind the header.
    const behind = sector.subarray(ARCHIVE_HEADER_BYTES);
    const torn = headerBytes < ARCHIVE_HEADER_BYTES || behind.every((byte) => byte === 0);
    if (torn) return yield { events: [], mark: { file, bytes: 0 } };
    // Its frames say by themselves what they are; those of version 1 do not.
    if (at === ARCHIVE_HEADER_BYTES)
      yield { events: [], mark: { file, bytes: at }, damaged: 'header' };
    if ((await frames.find(at)) === frames.bytes) return;
  }
  if (decoded.kind === 'header' && decoded.version === 1) {
    return yield* readFileV1(handle, file, at, untilBytes);
  }
  try {
    yield* readFrames(frames, file, at, untilBytes);
  } finally {
    frames.giveBack();
  }
}

async function* readFrames(
  frames: ArchiveFrames,
  file: number,
  fromBytes: number,
  untilBytes: number,
): AsyncGenerator<ArchivePiece> {
  const end = Math.min(frames.bytes, untilBytes);
  let at = fromBytes;
  let pieceFrom = at;
  let events: LedgerEvent[] = [];
  while (at < end) {
    const read = await frames.frameAt(at);
    if (read.kind === 'event' || read.kind === 'mark') {
      if (read.kind === 'event') events.push(read.event);
      at = read.end;
      if (at - pieceFrom < PIECE_BYTES) continue;
      yield { events, mark: { file, bytes: at } };
      events = [];
      pieceFrom = at;
      continue;
    }
    const synced = await frames.syncedBytes();
    // What was never synced a crash may have cut, or is being written just now.
    if (at >= synced) break;
    const next = read.kind === 'broken' ? read.end : await frames.find(at + 1);
    const behind = Math.min(next, synced, end);
    const damaged = `bytes ${at} to ${behind} of ${archiveFileName(file)}`;
    at = behind;
    yield { events, mark: { file, bytes: at }, damaged };
    events = [];
    pieceFrom = at;
  }
  yield { events, mark: { file, bytes: at } };
}
