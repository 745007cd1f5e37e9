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

/** Places of one segment, before its end: each as its index among those asked for, and as many bytes as are expected there. */
interface Group {
  readonly indexes: number[];
  readonly bytes: number[];
  allBytes: number;
}

/** The records at these places; the caller has checked that the log is open. */
export async function readEachRecord(
  source: ReadSource,
  places: readonly RecordPlace[],
): Promise<readonly ReadOneOutcome[]> {
  const outcomes: (ReadOneOutcome | undefined)[] = places.map(() => undefined);
  // Side by side: blocks of one among ten thousand customers lie in a segment each.
  await Promise.all(
    [...bySegment(source, places)].map(([segment, group]) =>
      readWhole(source, segment, places, group, outcomes),
    ),
  );
  const read: ReadOneOutcome[] = [];
  for (let index = 0; index < places.length; index += 1) {
    const { position, expectedBytes } = places[index]!;
    read.push(outcomes[index] ?? (await readRecord(source, position, expectedBytes)));
  }
  return read;
}

function bySegment(
  source: ReadSource,
  places: readonly RecordPlace[],
): ReadonlyMap<Segment, Group> {
  const start = source.start();
  const segments = source.segments();
  const frontier = source.frontier();
  const groups = new Map<Segment, Group>();
  let last: Segment | undefined;
  let group: Group | undefined;
  for (let index = 0; index < places.length; index += 1) {
    const { position, expectedBytes } = places[index]!;
    const segment = position < start ? undefined : segmentAt(segments, position);
    if (segment === undefined) continue;
    const bytes = Math.min(frameBytes(expectedBytes), Math.min(segment.end, frontier) - position);
    if (bytes < FRAME_BYTES) continue;
    if (segment !== last || group === undefined) {
      last = segment;
      group = groups.get(segment) ?? { indexes: [], bytes: [], allBytes: 0 };
      groups.set(segment, group);
    }
    group.indexes.push(index);
    group.bytes.push(bytes);
    group.allBytes += bytes;
  }
  return groups;
}

/** Puts the records that are whole in their places. */
async function readWhole(
  source: ReadSource,
  segment: Segment,
  places: readonly RecordPlace[],
  { indexes, bytes, allBytes }: Group,
  outcomes: (ReadOneOutcome | undefined)[],
): Promise<void> {
  // One stretch of memory for all: they are read together, and are let go of together.
  const memory = Buffer.allocUnsafeSlow(allBytes);
  const frontier = source.frontier();
  let isLately = true;
  let from = 0;
  const reads = indexes.map((index, n) => {
    const { position } = places[index]!;
    isLately &&= frontier - position <= LATELY_BYTES;
    const target = memory.subarray(from, (from += bytes[n]!));
    return { target, at: position - segment.base + HEADER_BYTES };
  });
  try {
    const counts = await source.handles.with(segment, (file) => file.readEach(reads, isLately));
    for (let n = 0; n < indexes.length; n += 1) {
      const index = indexes[n]!;
      const record = wholeRecord(places[index]!.position, reads[n]!.target, counts[n]!);
      if (record !== undefined) outcomes[index] = { kind: 'record', record };
    }
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
  }
}

/** @param count how many of the bytes were read */
function wholeRecord(position: Position, bytes: Buffer, count: number): LogRecord | undefined {
  if (count < FRAME_BYTES) return undefined;
  const frame = decodeFrame(bytes, 0, position);
  if (!frame || frame.mark || FRAME_BYTES + frame.length > count) return undefined;
  const payload = bytes.subarray(FRAME_BYTES, FRAME_BYTES + frame.length);
  if (crc32(payload) !== frame.payloadCrc) return undefined;
  return { position, end: (position + frameBytes(frame.length)) as Position, payload };
}
