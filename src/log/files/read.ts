/** Reading: verified frames from any position up to the frontier, over segments, past damage. */
import { FsError } from '../../lib/fs/file-system.ts';
import type { Damage, LogRecord, Position, ReadOneOutcome, ReadOutcome } from '../contract.ts';
import { ALIGNMENT, frameBytes } from './format.ts';
import { FrameReader } from './frame-reader.ts';
import type { ReadHandles } from './handles.ts';
import type { Segment } from './segment.ts';

/** Pieces in which segments are read: large enough for a disk's full rate, small enough to be held by one reader. */
const CHUNK_BYTES_MAX = 1024 * 1024;
const CHUNK_BYTES_MIN = 64 * 1024;

/** For a single record: most fit, and the rest of a larger one is a second read. */
const ONE_CHUNK_BYTES = 16 * 1024;

/** What reading needs of an open log. Asked again after each wait, because trimming goes on meanwhile. */
export interface ReadSource {
  readonly handles: ReadHandles;
  /** Oldest first, never empty. */
  segments(): readonly Segment[];
  frontier(): Position;
  start(): Position;
}

/** Records from `from` on; the caller has checked that the log is open. */
export async function readRecords(
  source: ReadSource,
  from: Position,
  maxBytes: number,
  before = Infinity,
): Promise<ReadOutcome> {
  const start = source.start();
  if (from < start) return { kind: 'trimmed', start };
  const gathered = new Gathered(from, maxBytes, before);
  const frontier = source.frontier();
  while (gathered.next < frontier && !gathered.full) {
    const segment = segmentAt(source.segments(), gathered.next);
    if (!segment) break;
    const end = Math.min(segment.end, frontier) as Position;
    if (gathered.next >= end) {
      gathered.damaged(baseBehind(source.segments(), segment) ?? frontier, 'a segment is missing');
      continue;
    }
    const failure = await readSegment(source, segment, end, gathered);
    if (failure === undefined) continue;
    if (gathered.next < source.start()) break;
    if (failure.code === 'ENOENT') gathered.damaged(end, 'the segment has been removed');
    else if (gathered.empty) return { kind: 'failed', detail: failure.message };
    else break;
  }
  const now = source.start();
  if (gathered.empty && gathered.next < now) return { kind: 'trimmed', start: now };
  const { records, damage, next } = gathered;
  // Behind the frontier there is nothing: whoever is ahead of it is led back.
  return { kind: 'records', records, damage, next: Math.min(next, frontier) as Position };
}

/** The record at a position; the caller has checked that the log is open. */
export async function readRecord(
  source: ReadSource,
  position: Position,
  expectedBytes = ONE_CHUNK_BYTES,
): Promise<ReadOneOutcome> {
  const start = source.start();
  if (position < start) return { kind: 'trimmed', start };
  const segment = segmentAt(source.segments(), position);
  const end = segment ? (Math.min(segment.end, source.frontier()) as Position) : position;
  if (!segment || position >= end) return { kind: 'damaged', reason: 'nothing is stored here' };
  try {
    const read = await source.handles.with(segment, (file) =>
      new FrameReader(file, segment.base, end, frameBytes(expectedBytes)).frameAt(position),
    );
    switch (read.kind) {
      case 'frame':
        if (read.frame.mark) return { kind: 'damaged', reason: 'no record begins here' };
        return { kind: 'record', record: read.record };
      case 'broken':
        return { kind: 'damaged', reason: 'the payload has another checksum' };
      case 'none':
        return { kind: 'damaged', reason: 'no frame can be read here' };
    }
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    const now = source.start();
    if (position < now) return { kind: 'trimmed', start: now };
    if (error.code === 'ENOENT') return { kind: 'damaged', reason: 'the segment has been removed' };
    return { kind: 'failed', detail: error.message };
  }
}

/** What one call to read has found so far. */
class Gathered {
  readonly records: LogRecord[] = [];
  readonly damage: Damage[] = [];
  next: Position;
  readonly #maxBytes: number;
  readonly #before: number;
  #bytes = 0;
  #isFull = false;

  constructor(from: Position, maxBytes: number, before: number) {
    this.next = from;
    this.#maxBytes = maxBytes;
    this.#before = before;
  }

  get full(): boolean {
    return this.#isFull || this.next >= this.#before;
  }

  get empty(): boolean {
    return this.records.length === 0 && this.damage.length === 0;
  }

  get bytesLeft(): number {
    return this.#maxBytes - this.#bytes;
  }

  /** Takes a record unless it would go past the bound; the first one always. */
  add(record: LogRecord): void {
    this.#bytes += record.payload.length;
    this.#isFull = this.records.length > 0 && this.#bytes > this.#maxBytes;
    if (this.#isFull) return;
    this.records.push(record);
    this.next = record.end;
  }

  damaged(to: Position, reason: string): void {
    const before = this.damage.at(-1);
    if (before?.to === this.next && before.reason === reason) {
      this.damage[this.damage.length - 1] = { ...before, to };
    } else {
      this.damage.push({ from: this.next, to, reason });
    }
    this.next = to;
  }

  /** A record of which only the checksum differs. */
  broken(to: Position, payload: Buffer): void {
    this.#bytes += payload.length;
    this.damage.push({ from: this.next, to, reason: 'a payload has another checksum', payload });
    this.#isFull = this.#bytes > this.#maxBytes;
    this.next = to;
  }
}

/** Reads on in one segment up to `end` or until enough is gathered. Returns the disk's failure, if it did not answer. */
async function readSegment(
  { handles }: ReadSource,
  segment: Segment,
  end: Position,
  gathered: Gathered,
): Promise<FsError | undefined> {
  const chunkBytes = Math.min(Math.max(gathered.bytesLeft, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX);
  try {
    await handles.with(segment, async (file) => {
      const reader = new FrameReader(file, segment.base, end, chunkBytes);
      while (gathered.next < end && !gathered.full) await readNext(reader, gathered);
    });
    return undefined;
  } catch (error) {
    if (error instanceof FsError) return error;
    throw error;
  }
}

async function readNext(reader: FrameReader, gathered: Gathered): Promise<void> {
  const read = await reader.frameAt(gathered.next);
  switch (read.kind) {
    case 'frame':
      if (read.frame.mark) gathered.next = read.record.end;
      else gathered.add(read.record);
      return;
    case 'broken':
      gathered.broken(read.end, read.payload);
      return;
    case 'none':
      gathered.damaged(
        await reader.find((gathered.next + ALIGNMENT) as Position),
        'no frame can be read here',
      );
  }
}

/** The last segment that begins at or before a position. */
export function segmentAt(segments: readonly Segment[], position: Position): Segment | undefined {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (segments[middle]!.base <= position) low = middle + 1;
    else high = middle;
  }
  return segments[low - 1];
}

function baseBehind(segments: readonly Segment[], segment: Segment): Position | undefined {
  return segments[segments.indexOf(segment) + 1]?.base;
}
