/**
 * The shard's state as chunks, and back. Chunks are made one by one across turns while commits go on: every record behind
 * the head's position is replayed, and applying one twice does nothing, so the later chunks may know more than the first.
 */
import { JobEntry } from '../state/job.ts';
import { SLOT_BYTES } from '../state/keys.ts';
import type { ShardState } from '../state/state.ts';
import { StreamEntry } from '../state/stream.ts';
import type { Chunk, HeadChunk, JobChunk, StreamChunk } from './chunks.codec.ts';

/** Entities in one chunk: a few milliseconds' work. */
const STREAMS = 500;
const JOBS = 500;
const KEYS = 20_000 * SLOT_BYTES;

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

/** All chunks but the last. The first two are made in the turn of the call to `next`. */
export function* chunksOf(state: ShardState, head: HeadChunk): Generator<Chunk> {
  const spans = state.spans.sealed.map((span) => ({ ...span }));
  // A ring moves on while chunks are written: what is to be remembered is copied whole.
  const keys = state.keys.slots();
  yield { kind: 'head', body: head };
  yield { kind: 'spans', body: spans };
  for (const streams of slices(state.streams.values(), STREAMS)) {
    yield { kind: 'streams', body: streams.map(streamChunk) };
  }
  for (const jobs of slices(state.jobs.values(), JOBS)) {
    yield { kind: 'jobs', body: jobs.map(jobChunk) };
  }
  for (const chains of slices(state.chains, STREAMS)) yield { kind: 'chains', body: chains };
  yield { kind: 'producers', body: state.producers.snapshot() };
  for (let at = 0; at < keys.length; at += KEYS) {
    yield { kind: 'keys', slots: keys.subarray(at, at + KEYS) };
  }
}

function* slices<T>(all: Iterable<T>, size: number): Generator<T[]> {
  let slice: T[] = [];
  for (const one of all) {
    slice.push(one);
    if (slice.length < size) continue;
    yield slice;
    slice = [];
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
  };
}

/** Puts a chunk into a state that is being rebuilt. Returns what is wrong with it, if anything. */
export function restoreChunk(state: ShardState, chunk: Chunk): string | undefined {
  switch (chunk.kind) {
    case 'head':
      restoreHead(state, chunk.body);
      return undefined;
    case 'spans':
      state.spans.restore(chunk.body, state.spans.nextId, state.spans.tailStart);
      return undefined;
    case 'streams':
      for (const stream of chunk.body) restoreStream(state, stream);
      return undefined;
    case 'jobs':
      return chunk.body.every((job) => restoreJob(state, job))
        ? undefined
        : 'a job without a stream';
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
  const job = new JobEntry(chunk.id, stream, chunk.start);
  job.cursor = chunk.cursor;
  job.settled = chunk.settled;
  job.open = chunk.open;
  job.totals = chunk.totals;
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
