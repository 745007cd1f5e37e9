/** The newest blocks, within bytes and time: against the slow, obvious way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runs } from '../../lib/testing/depth.ts';
import type { BlockRecord } from '../format/block.codec.ts';
import { readAll, request, smallLimits, texts, TestShard } from '../testing.ts';
import { OBJECTS_BYTES, TailCache } from './tail-cache.ts';

const blockOf = (bytes: number, serviceMs: number): BlockRecord => ({
  kind: 'block',
  stream: 1,
  epoch: 'e1',
  first: 0,
  lines: 1,
  receivedMs: 0,
  serviceMs,
  linesBefore: 0,
  copied: false,
  codec: 'raw',
  plainBytes: bytes,
  plainCrc: 0,
  storedCrc: 0,
  identities: [],
  stored: Buffer.alloc(bytes),
});

const step = fc.record({
  bytes: fc.nat(3_000),
  laterMs: fc.nat(50),
  dropMs: fc.option(fc.nat(300)),
});

test('holds the newest that fit with their objects and are not too old, and nothing else', () => {
  fc.assert(
    fc.property(fc.nat(20_000), fc.array(step, { maxLength: 60 }), (mostBytes, steps) => {
      const cache = new TailCache(mostBytes);
      let held: { at: number; block: BlockRecord }[] = [];
      let nowMs = 0;
      for (const [at, { bytes, laterMs, dropMs }] of steps.entries()) {
        nowMs += laterMs;
        const block = blockOf(bytes, nowMs);
        cache.put(at, block);
        held.push({ at, block });
        const counted = () =>
          held.reduce((sum, one) => sum + one.block.stored.length + OBJECTS_BYTES, 0);
        while (counted() > mostBytes) held.shift();
        if (dropMs !== null) {
          cache.dropBefore(nowMs - dropMs);
          held = held.filter((one) => one.block.serviceMs >= nowMs - dropMs);
        }
        assert.equal(cache.bytes, counted());
        for (let n = 0; n <= at; n += 1)
          assert.equal(cache.get(n), held.find((one) => one.at === n)?.block);
      }
    }),
    { numRuns: runs(150) },
  );
});

test('blocks that a job which keeps up has long read are held no more', async () => {
  const shard = new TestShard(
    smallLimits({ tailCacheBytes: 100_000, tailCacheMs: 10_000 }),
    'disk',
  );
  let reads = 0;
  const log = new Proxy(await shard.log(), {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (name === 'read' || name === 'readOne' || name === 'readEach') reads += 1;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const buffer = await shard.open(log);
  await buffer.append(request(texts(30, 0)));
  shard.clock.pass(9_000);
  await buffer.tend();
  reads = 0;
  assert.equal((await readAll(buffer)).length, 30);
  assert.equal(reads, 0);
  shard.clock.pass(2_000);
  await buffer.tend();
  reads = 0;
  assert.equal((await readAll(buffer)).length, 30);
  assert.ok(reads > 0);
  await buffer.close();
});
