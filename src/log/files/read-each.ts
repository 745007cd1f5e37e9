/**
 * Many single records at the price of a few. Read one by one each of them wakes a thread of the pool, and on busy cores that
 * thread takes the core of the one that woke it: of the drain of a backlog over 1,000 streams that was nearly half of all time.
 *
 * Only what is whole at the first look is taken from here. All else (a longer record than expected, damage, a segment that goes
 * away meanwhile) is asked for by itself, by `readRecord`, which alone says what is the matter.
 */
import { crc32 } from 'node:zlib';

import { FsError } from '../../lib/fs/file-system.ts';
import type { LogRecord, Position, ReadOneOutcome, RecordPlace } from '../contract.ts';
import { decodeFrame, FRAME_BYTES, frameBytes, HEADER_BYTES } from './format.ts';
import { readRecord, segmentAt } from './read.ts';
import type { ReadSource } from './read.ts';
import type { Segment } from './segment.ts';

/**
 * Bytes of the log behind its end that the machine may have in memory still. Whether it has shows as they are read (`lib/fs/reads-now.ts`);
 * with what is further behind the thread does not try.
 */
const LATELY_BYTES = 4 * 1024 ** 3;

/** A place in a segment, and as much as is expected there. */
interface Wanted {
  readonly index: number;
  readonly position: Position;
  readonly bytes: number;
}

/** The records at these places; the caller has checked that the log is open. */
export async function readEachRecord(
  source: ReadSource,
  places: readonly RecordPlace[],
): Promise<readonly ReadOneOutcome[]> {
  const found: (ReadOneOutcome | undefined)[] = places.map(() => undefined);
  const take = async (segment: Segment, wanted: readonly Wanted[]): Promise<void> => {
    const records = await readWhole(source, segment, wanted);
    for (const [n, { index }] of wanted.entries()) {
      const record = records[n];
      if (record !== undefined) found[index] = { kind: 'record', record };
    }
  };
  // Side by side: blocks of one among ten thousand customers lie in a segment each.
  await Promise.all(
    [...bySegment(source, places)].map(([segment, wanted]) => take(segment, wanted)),
  );
  const outcomes: ReadOneOutcome[] = [];
  for (const [index, { position, expectedBytes }] of places.entries())
    outcomes.push(found[index] ?? (await readRecord(source, position, expectedBytes)));
  return outcomes;
}

/** Places that lie in a segment, before its end. */
function bySegment(
  source: ReadSource,
  places: readonly RecordPlace[],
): ReadonlyMap<Segment, readonly Wanted[]> {
  const start = source.start();
  const groups = new Map<Segment, Wanted[]>();
  for (const [index, { position, expectedBytes }] of places.entries()) {
    const segment = position < start ? undefined : segmentAt(source.segments(), position);
    if (segment === undefined) continue;
    const end = Math.min(segment.end, source.frontier());
    const bytes = Math.min(frameBytes(expectedBytes), end - position);
    if (bytes < FRAME_BYTES) continue;
    const wanted = { index, position, bytes };
    const group = groups.get(segment);
    if (group) group.push(wanted);
    else groups.set(segment, [wanted]);
  }
  return groups;
}

/** The records that are whole, each in its place. */
async function readWhole(
  source: ReadSource,
  segment: Segment,
  wanted: readonly Wanted[],
): Promise<readonly (LogRecord | undefined)[]> {
  // One stretch of memory for all: they are read together, and are let go of together.
  const memory = Buffer.allocUnsafeSlow(wanted.reduce((sum, { bytes }) => sum + bytes, 0));
  let filled = 0;
  const places = wanted.map(({ position, bytes }) => {
    const target = memory.subarray(filled, (filled += bytes));
    return { target, at: position - segment.base + HEADER_BYTES };
  });
  try {
    const lately = wanted.every(({ position }) => source.frontier() - position <= LATELY_BYTES);
    const counts = await source.handles.with(segment, (file) => file.readEach(places, lately));
    return wanted.map(({ position }, n) =>
      wholeRecord(position, places[n]!.target.subarray(0, counts[n])),
    );
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    return wanted.map(() => undefined);
  }
}

function wholeRecord(position: Position, bytes: Buffer): LogRecord | undefined {
  const frame = decodeFrame(bytes, 0, position);
  if (!frame || frame.mark) return undefined;
  const payload = bytes.subarray(FRAME_BYTES, FRAME_BYTES + frame.length);
  if (payload.length < frame.length || crc32(payload) !== frame.payloadCrc) return undefined;
  return { position, end: (position + frameBytes(frame.length)) as Position, payload };
}
