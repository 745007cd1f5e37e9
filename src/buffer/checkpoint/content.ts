/**
 * The shard's state as chunks, and back. Chunks are made one by one across turns while commits go on: every record behind
 * the head's position is replayed, and applying one twice does nothing, so the later chunks may know more than the first.
 */
import { addCounts, NO_LINES } from '../../model/delivery.ts';
import { JobEntry } from '../state/job.ts';
import { SLOT_BYTES } from '../state/keys.ts';
import type { Span } from '../state/spans.ts';
import type { ShardState } from '../state/state.ts';
import { StreamEntry } from '../state/stream.ts';
import type { Chunk, HeadChunk, JobChunk, StreamChunk } from './chunks.codec.ts';

/** Entities in one chunk: a few milliseconds' work. */
const MOST = 500;
const KEYS = 20_000 * SLOT_BYTES;
/**
 * Bytes of one chunk, about: a stream with lines in every span of a large log takes as much as thousands of others. A chunk
 * longer than readers believe would make every later start refuse a log that it cannot do without.
 */
const BYTES = 1 << 20;
/** About what a number takes in JSON, a page's bounds, and a plan. */
const NUMBER_BYTES = 17;
const PAGE_BYTES = 80;
const PLAN_BYTES = 400;
const RANGE_BYTES = 60;

/** What must be taken in one turn, because replay counts from it. */
export function headOf(state: ShardState, sequence: number, serviceMs: number): HeadChunk {
  return {
    sequence,
    position: state.appliedEnd,
    tailStart: state.spans.tailStart,
    serviceMs,
    lines: state.lines,
    nextStream: state.nextStream,
    nextSpan: state.spans.nextId,
    refusalSequence: state.refusalSequence,
    corruptLines: state.corruptLines,
    damagedBytes: state.damagedBytes,
  };
}

/**
 * The oldest format that can say what the state holds. What comes while the file is written stands in the log behind it, in
 * records of that format.
 */
export function formatOf(state: ShardState): number {
  if (state.erasures.size > 0) return 2;
  for (const job of state.jobs.values()) if (job.end !== null) return 2;
  return 1;
}

/** All chunks but the last. The first two are made in the turn of the call to `next`. */
export function* chunksOf(state: ShardState, head: HeadChunk): Generator<Chunk> {
  const spans = state.spans.sealed.map((span) => ({ ...span }));
  // A ring moves on while chunks are written: what is to be remembered is copied whole.
  const keys = state.keys.slots();
  yield { kind: 'head', body: head };
  const spanBytes = ({ pages }: Span): number => 200 + pages.length * PAGE_BYTES;
  for (const body of slices(spans, spanBytes)) yield { kind: 'spans', body };
  const streams = mapped(state.streams.values(), streamChunk);
  const streamBytes = ([, key, account, , , , , , , , marks, stretches]: StreamChunk): number =>
    200 + key.length + account.length + (marks.length + stretches.length) * NUMBER_BYTES;
  for (const body of slices(streams, streamBytes)) yield { kind: 'streams', body };
  const jobBytes = ({ open, settled }: JobChunk): number =>
    500 + open.length * PLAN_BYTES + settled.length * RANGE_BYTES;
  for (const body of slices(mapped(jobsOf(state, head), jobChunk), jobBytes)) {
    yield { kind: 'jobs', body };
  }
  const erasures = mapped(state.erasures, ([stream, erasure]) => ({ stream, ...erasure }));
  for (const body of slices(erasures, () => 100)) yield { kind: 'erasures', body };
  for (const body of slices(state.chains, () => 100)) yield { kind: 'chains', body };
  for (const body of slices(state.producers.snapshot(), () => 1_000)) {
    yield { kind: 'producers', body };
  }
  for (let at = 0; at < keys.length; at += KEYS) {
    yield { kind: 'keys', slots: keys.subarray(at, at + KEYS) };
  }
}

/** A job on a stream that was made since the head is left out, as its stream may be: replay makes both. */
function* jobsOf(state: ShardState, head: HeadChunk): Generator<JobEntry> {
  for (const job of state.jobs.values()) if (job.stream.id < head.nextStream) yield job;
}

function* mapped<From, To>(all: Iterable<From>, to: (one: From) => To): Generator<To> {
  for (const one of all) yield to(one);
}

/** Each as it is at the turn in which its slice is taken. */
function* slices<T>(all: Iterable<T>, bytesOf: (one: T) => number): Generator<T[]> {
  let slice: T[] = [];
  let bytes = 0;
  for (const one of all) {
    slice.push(one);
    bytes += bytesOf(one);
    if (slice.length < MOST && bytes < BYTES) continue;
    yield slice;
    slice = [];
    bytes = 0;
  }
  if (slice.length > 0) yield slice;
}

function streamChunk(stream: StreamEntry): StreamChunk {
  const { marks, stretches } = stream.snapshot();
  return [
    stream.id,
    stream.key,
    stream.account,
    stream.epoch,
    stream.head,
    stream.bytes,
    stream.lastReceivedMs,
    stream.lastServiceMs,
    stream.oldest,
    stream.settledTo,
    marks,
    stretches,
  ];
}

function jobChunk(job: JobEntry): JobChunk {
  return {
    id: job.id,
    stream: job.stream.id,
    start: job.start,
    cursor: job.cursor,
    settled: job.settled,
    open: job.open,
    totals: job.totals,
    deliveredBytes: job.deliveredBytes,
    sequence: job.sequence,
    chain: job.chain,
    lastCompleteMs: job.lastCompleteMs,
    closedMs: job.closedMs,
    closedServiceMs: job.closedServiceMs,
    appliedTo: job.appliedTo,
    ...(job.end === null ? {} : { end: job.end, openedServiceMs: job.openedServiceMs }),
  };
}

/** Puts a chunk into a state that is being rebuilt. Returns what is wrong with it, if anything. */
export function restoreChunk(state: ShardState, chunk: Chunk): string | undefined {
  switch (chunk.kind) {
    case 'head':
      restoreHead(state, chunk.body);
      return undefined;
    case 'spans':
      state.spans.restore(chunk.body);
      return undefined;
    case 'streams':
      for (const stream of chunk.body) restoreStream(state, stream);
      return undefined;
    case 'jobs':
      return chunk.body.every((job) => restoreJob(state, job))
        ? undefined
        : 'a job without a stream';
    case 'erasures':
      for (const { stream, ...erasure } of chunk.body) state.erasures.set(stream, erasure);
      return undefined;
    case 'chains':
      for (const [job, end] of chunk.body) state.chains.set(job, end);
      return undefined;
    case 'producers':
      state.producers.restore(chunk.body);
      return undefined;
    case 'keys':
      state.keys.restore(chunk.slots);
      return undefined;
    case 'end':
      return undefined;
  }
}

function restoreHead(state: ShardState, head: HeadChunk): void {
  state.appliedEnd = head.position;
  state.serviceMs = head.serviceMs;
  state.lines = head.lines;
  state.nextStream = head.nextStream;
  state.refusalSequence = head.refusalSequence;
  state.corruptLines = head.corruptLines;
  state.damagedBytes = head.damagedBytes;
  state.spans.nextId = head.nextSpan;
  state.spans.tailStart = head.tailStart;
}

function restoreStream(state: ShardState, chunk: StreamChunk): void {
  const [id, key, account, epoch, head, bytes, lastReceivedMs, lastServiceMs, oldest] = chunk;
  const stream = new StreamEntry(id, key, account, epoch);
  stream.head = head;
  stream.bytes = bytes;
  stream.lastReceivedMs = lastReceivedMs;
  stream.lastServiceMs = lastServiceMs;
  stream.oldest = oldest;
  stream.settledTo = chunk[9];
  stream.restore(chunk[10], chunk[11]);
  state.streams.set(key, stream);
  state.streamsById.set(id, stream);
  state.nextStream = Math.max(state.nextStream, id + 1);
}

function restoreJob(state: ShardState, chunk: JobChunk): boolean {
  const stream = state.streamsById.get(chunk.stream);
  if (stream === undefined) return false;
  const job = new JobEntry(chunk.id, stream, chunk.start, chunk.end);
  job.openedServiceMs = chunk.openedServiceMs ?? 0;
  job.cursor = chunk.cursor;
  // Empty lists and counts of 100,000 jobs at rest are the ones that a new job has, not some of their own.
  if (chunk.settled.length > 0) job.settled = chunk.settled;
  if (chunk.open.length > 0) job.open = chunk.open;
  job.totals = addCounts(NO_LINES, chunk.totals);
  job.deliveredBytes = chunk.deliveredBytes;
  job.sequence = chunk.sequence;
  job.chain = chunk.chain;
  job.lastCompleteMs = chunk.lastCompleteMs;
  job.closedMs = chunk.closedMs;
  job.closedServiceMs = chunk.closedServiceMs;
  job.appliedTo = chunk.appliedTo;
  state.jobs.set(job.id, job);
  stream.jobs = [...stream.jobs, job];
  return true;
}
