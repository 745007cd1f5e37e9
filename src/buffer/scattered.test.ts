/** A backlog of many streams: what is read for one of them is its own, not what stands between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Position, ShardLog } from '../log/index.ts';
import { readAll, request, smallLimits, texts, TestShard } from './testing.ts';

const STREAMS = 40;
const ROUNDS = 12;
/** Large enough that a stream's blocks stand far apart, and do not shrink into one another. */
const PAD = 150;

/** The same log; bytes of records that reading brought are counted. */
function counting(log: ShardLog): { readonly log: ShardLog; readonly read: () => number } {
  let bytes = 0;
  const counted = new Proxy(log, {
    get(target, name, receiver) {
      if (name === 'read')
        return async (from: Position, most: number, before?: Position) => {
          const outcome = await target.read(from, most, before);
          if (outcome.kind === 'records')
            for (const { payload } of outcome.records) bytes += payload.length;
          return outcome;
        };
      if (name === 'readOne')
        return async (at: Position, expected?: number) => {
          const outcome = await target.readOne(at, expected);
          if (outcome.kind === 'record') bytes += outcome.record.payload.length;
          return outcome;
        };
      if (name === 'readEach')
        return async (places: Parameters<ShardLog['readEach']>[0]) => {
          const outcomes = await target.readEach(places);
          for (const outcome of outcomes)
            if (outcome.kind === 'record') bytes += outcome.record.payload.length;
          return outcomes;
        };
      const value: unknown = Reflect.get(target, name, receiver);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { log: counted, read: () => bytes };
}

for (const kind of ['memory', 'disk'] as const) {
  test(`looking at a backlog ends with the block that makes it enough (${kind})`, async () => {
    const shard = new TestShard(smallLimits({ spanBlocks: 100_000 }), kind);
    const buffer = await shard.open(await shard.log());
    for (let n = 0; n < 10; n += 1) await buffer.append(request(texts(2, n * 2, PAD)));
    const stream = [...buffer.streams()][0]!.stream;
    const all = await buffer.peek(stream, 0, 100);
    const bytes = all.slice(0, 3).reduce((sum, { plainBytes }) => sum + plainBytes, 0);
    assert.deepEqual(await buffer.peek(stream, 0, 100, bytes), all.slice(0, 3));
    assert.deepEqual(await buffer.peek(stream, 0, 100, bytes + 1), all.slice(0, 4));
    assert.deepEqual(await buffer.peek(stream, 0, 2, bytes), all.slice(0, 2));
    await buffer.close();
  });

  test(`one of ${STREAMS} streams is read back by its own blocks alone (${kind})`, async () => {
    const limits = smallLimits({ tailCacheBytes: 0, spanBlocks: 100_000 });
    const shard = new TestShard({ ...limits, log: { ...limits.log, segmentBytes: 1 << 20 } }, kind);
    const { log, read } = counting(await shard.log());
    const buffer = await shard.open(log);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (let n = 0; n < STREAMS; n += 1) {
        const lines = texts(3, round * 3, PAD).map((text) => text.replace('"n"', `"n${n}"`));
        await buffer.append(request(lines, { stream: `zones/z${n}/http_requests` }));
      }
    }
    const before = read();
    const found = await readAll(buffer, 'zones/z7/http_requests', 0, 1 << 20);
    const expected = texts(ROUNDS * 3, 0, PAD).map((text) => text.replace('"n"', '"n7"'));
    assert.deepEqual(found, expected);
    const own = read() - before;
    const all = ROUNDS * STREAMS * 3 * PAD;
    assert.ok(own < all / 10, `${own} bytes read of some ${all}`);
    // A batch is a part of a backlog: what stands behind it is for another time.
    const [first] = await buffer.peek('zones/z7/http_requests', 0, 1);
    const from = read();
    const part = await buffer.read('zones/z7/http_requests', 0, 1 << 20, first!.range.to);
    assert.ok(part.kind === 'blocks' && part.blocks.length === 1);
    assert.ok(read() - from <= (own / ROUNDS) * 1.5, `${read() - from} bytes read for one block`);
    await buffer.close();
  });
}

test('blocks that stand apart are read with a few calls', async () => {
  const limits = smallLimits({ tailCacheBytes: 0, spanBlocks: 100_000 });
  const shard = new TestShard(limits, 'disk');
  let calls = 0;
  const counted = new Proxy(await shard.log(), {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (name === 'read' || name === 'readOne' || name === 'readEach') calls += 1;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const buffer = await shard.open(counted);
  for (let n = 0; n < STREAMS * ROUNDS; n += 1) {
    await buffer.append(request(texts(3, n, PAD), { stream: `zones/z${n % STREAMS}/http` }));
  }
  calls = 0;
  assert.equal((await readAll(buffer, 'zones/z7/http', 0, 1 << 20)).length, ROUNDS * 3);
  // Some of them for pages of the index.
  assert.ok(calls <= ROUNDS / 2, `${calls} calls for ${ROUNDS} blocks`);
  await buffer.close();
});

test('memory of blocks that were read is given back, however few they are', async () => {
  const shard = new TestShard(smallLimits({ tailCacheBytes: 0, spanBlocks: 100_000 }), 'disk');
  const buffer = await shard.open(await shard.log());
  for (let n = 0; n < STREAMS * 2; n += 1)
    await buffer.append(request(texts(3, n, PAD), { stream: `zones/z${n % STREAMS}/http` }));
  const read = await buffer.read('zones/z7/http', 0, 1 << 20);
  assert.ok(read.kind === 'blocks' && read.blocks.length > 0);
  assert.ok(read.blocks.every(({ stored }) => stored.length > 0));
  read.giveBack?.();
  assert.ok(read.blocks.every(({ stored }) => stored.length === 0));
  await buffer.close();
});

test('blocks that stand together are read in one go', async () => {
  const shard = new TestShard(smallLimits({ tailCacheBytes: 0 }), 'disk');
  let reads = 0;
  const log = await shard.log();
  const counted = new Proxy(log, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (name === 'read' || name === 'readOne' || name === 'readEach') reads += 1;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const buffer = await shard.open(counted);
  await buffer.append(request(texts(100, 0, PAD)));
  reads = 0;
  assert.equal((await readAll(buffer, undefined, 0, 1 << 20)).length, 100);
  assert.ok(reads <= 2, `${reads} readings for ten blocks`);
  await buffer.close();
});
