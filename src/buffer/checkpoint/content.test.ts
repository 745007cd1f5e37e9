import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silent } from '../../lib/diagnostics.ts';
import type { BufferRecord } from '../format/records.codec.ts';
import { ShardState } from '../state/state.ts';
import { StreamEntry } from '../state/stream.ts';
import { MemoryLedger } from '../testing.ts';
import { CHUNK_BYTES, CHUNK_HEADER_BYTES, decodeChunk, encodeChunk } from './chunks.codec.ts';
import type { Chunk } from './chunks.codec.ts';
import { chunksOf, headOf, restoreChunk } from './content.ts';

const LIMITS = { keys: 10, keyMs: 1_000, producers: 10 };
const stateOf = (): ShardState => new ShardState(LIMITS, new MemoryLedger(), silent);

function stream(id: number): BufferRecord {
  const body = { id, key: `zones/z${id}/d`, account: 'a', epoch: `${id}`.padStart(16, '0') };
  return { kind: 'stream', serviceMs: 0, body };
}

function opened(job: number, of: number): BufferRecord {
  const body = { event: 'opened', job, stream: of, start: 0, atMs: 0 } as const;
  return { kind: 'job', serviceMs: 0, body: { ...body, sequence: 0, chain: null } };
}

function restored(chunks: readonly Chunk[]): ShardState {
  const state = stateOf();
  for (const chunk of chunks) assert.equal(restoreChunk(state, chunk), undefined);
  return state;
}

test('a job opened on a new stream while a checkpoint is written leaves it whole', () => {
  const state = stateOf();
  state.apply(stream(1), 0, 10);
  state.apply(opened(1, 1), 10, 20);
  const head = headOf(state, 1, 0);
  const chunks: Chunk[] = [];
  for (const chunk of chunksOf(state, head)) {
    chunks.push(chunk);
    if (chunk.kind !== 'streams') continue;
    state.apply(stream(2), 20, 30);
    state.apply(opened(2, 2), 30, 40);
    state.apply(opened(3, 1), 40, 50);
  }
  const again = restored(chunks);
  // What lies behind the head's position is replayed, and then everything is there.
  assert.equal(again.appliedEnd, 20);
  again.apply(stream(2), 20, 30);
  again.apply(opened(2, 2), 30, 40);
  again.apply(opened(3, 1), 40, 50);
  assert.deepEqual(new Set(again.jobs.keys()), new Set([1, 2, 3]));
  assert.equal(again.streams.get('zones/z2/d')?.jobs.length, 1);
});

test('I5: streams with lines in thousands of spans, and spans with many pages, never make a chunk that no reader believes', () => {
  const state = stateOf();
  const spans = 4_000;
  const pages = Array.from({ length: 40 }, (_, page) => {
    return { position: 1e12 + page, stream: 100_000, first: 1e12 };
  });
  for (let id = 1; id <= spans; id++) {
    const span = { id, start: id, end: id + 1, pages, bytes: 1, wanted: 0, freeServiceMs: null };
    state.spans.sealed.push({ ...span, sealedServiceMs: 0, lastReceivedMs: 0 });
  }
  state.spans.nextId = spans + 1;
  for (let id = 1; id <= 250; id++) {
    const entry = new StreamEntry(id, `zones/z${id}/d`, 'a', '0'.repeat(16));
    for (let span = 1; span <= spans; span++) {
      entry.addStretch({ span, first: 1e12 + span, end: 1e12 + span + 1 });
    }
    state.streams.set(entry.key, entry);
    state.streamsById.set(id, entry);
  }
  const chunks: Chunk[] = [];
  let allBytes = 0;
  for (const chunk of chunksOf(state, headOf(state, 1, 0))) {
    const bytes = encodeChunk(chunk);
    assert.ok(bytes.length < CHUNK_BYTES / 8, `${chunk.kind}: ${bytes.length}`);
    assert.ok(bytes.length > CHUNK_HEADER_BYTES);
    allBytes += bytes.length;
    chunks.push(decodeChunk(bytes)!);
  }
  assert.ok(allBytes > CHUNK_BYTES / 8, `${allBytes}: one chunk of it all would be too large`);
  const again = restored(chunks);
  assert.deepEqual(
    again.spans.sealed.map((span) => span.id),
    state.spans.sealed.map((span) => span.id),
  );
  assert.equal(again.spans.nextId, spans + 1);
  assert.deepEqual(
    again.streams.get('zones/z250/d')?.snapshot(),
    state.streams.get('zones/z250/d')?.snapshot(),
  );
});
