/** Windows of reception time: what Logpull's promise of exact windows rests on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { silent } from '../lib/diagnostics.ts';
import type { ShardBuffer } from './contract.ts';
import { readAll, request, smallLimits, STREAM, TestShard, texts, waybill } from './testing.ts';
import { runs } from '../lib/testing/depth.ts';

async function offsetOf(buffer: ShardBuffer, atMs: number): Promise<number> {
  const answer = await buffer.offsetAt(STREAM, atMs);
  assert.ok(answer.kind === 'offset', JSON.stringify(answer));
  return answer.offset;
}

test('a time is found by halving, whatever blocks, spans and restarts lie between', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ lines: fc.integer({ min: 1, max: 25 }), ms: fc.nat(3_000) }), {
        minLength: 1,
        maxLength: 40,
      }),
      fc.boolean(),
      fc.array(fc.double({ min: -0.1, max: 1, noNaN: true }), { minLength: 1, maxLength: 8 }),
      async (appends, restarts, shares) => {
        const shard = new TestShard();
        let buffer = await shard.open();
        await buffer.openJob(1, STREAM, 'a1', 'oldest');
        const begin = shard.clock.wall;
        const dates: number[] = [];
        for (const { lines, ms } of appends) {
          shard.clock.pass(ms);
          await buffer.append(request(texts(lines, dates.length, 30)));
          for (let line = 0; line < lines; line++) dates.push(shard.clock.wall);
        }
        shard.clock.pass(1);
        if (restarts) {
          await buffer.close();
          buffer = await shard.open();
        }
        for (const share of shares) {
          const atMs = begin + Math.floor((shard.clock.wall - begin) * share);
          const expected = dates.findIndex((date) => date >= atMs);
          assert.equal(await offsetOf(buffer, atMs), expected < 0 ? dates.length : expected);
        }
        await buffer.close();
      },
    ),
    { numRuns: runs(40) },
  );
});

test('what was answered stays true when the wall clock goes back: later lines are not dated before it', async () => {
  const shard = new TestShard();
  const buffer = await shard.open();
  await buffer.append(request(texts(3)));
  shard.clock.pass(60_000);
  const asked = shard.clock.wall - 1_000;
  assert.equal(await offsetOf(buffer, asked), 3);
  shard.clock.wall -= 30_000;
  await buffer.append(request(texts(2, 3)));
  shard.clock.pass(60_000);
  assert.equal(await offsetOf(buffer, asked), 3);
  const [last] = await buffer.peek(STREAM, 3, 1);
  assert.equal(last?.receivedMs, asked);
});

test('a time is not answered while lines dated before it may still be on their way, nor one to come', async () => {
  const shard = new TestShard();
  const log = await shard.log();
  const append = log.append.bind(log);
  const held = Promise.withResolvers<void>();
  let holding = false;
  log.append = async (...args) => {
    if (holding) await held.promise;
    return append(...args);
  };
  const buffer = await shard.open(log);
  await buffer.append(request(texts(1)));
  holding = true;
  const slow = buffer.append(request(texts(1, 1)));
  const stamped = shard.clock.wall;
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  shard.clock.pass(90_000);
  assert.deepEqual(await buffer.offsetAt(STREAM, stamped + 30_000), { kind: 'early' });
  assert.deepEqual(await buffer.offsetAt(STREAM, shard.clock.wall + 1), { kind: 'early' });
  held.resolve();
  await slow;
  assert.equal(await offsetOf(buffer, stamped + 30_000), 2);
  assert.equal((await buffer.offsetAt('zones/z9/none', stamped)).kind, 'offset');
});

test('a time whose lines are partly given up is not answered as if nothing had been there', async () => {
  const shard = new TestShard(smallLimits({ holdbackMs: 10_000, checkpointBytes: 1 }));
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'oldest');
  const begin = shard.clock.wall;
  for (let round = 0; round < 40; round++) {
    await buffer.append(request(texts(10, round * 10, 40)));
    shard.clock.pass(1_000);
    const job = buffer.job(1)!;
    const range = { from: job.cursor, to: buffer.stream(STREAM)!.head };
    await buffer.settle(waybill(job, range, shard.clock.wall));
    await buffer.tend();
  }
  const { oldest, head } = buffer.stream(STREAM)!;
  assert.ok(oldest > 0 && oldest < head, `${oldest} of ${head} trimmed`);
  const answer = await buffer.offsetAt(STREAM, begin);
  assert.ok(answer.kind === 'gone');
  assert.ok(answer.sinceMs > begin && answer.sinceMs < shard.clock.wall);
  const offset = await offsetOf(buffer, answer.sinceMs);
  assert.ok(offset >= oldest);
  assert.deepEqual(await readAll(buffer, STREAM, offset), texts(400, 0, 40).slice(offset));
});

test('a disk that does not answer is said to be that', async () => {
  const shard = new TestShard();
  const log = await shard.log();
  shard.deps = { diagnostics: silent };
  const buffer = await shard.open(log);
  for (let round = 0; round < 60; round++) await buffer.append(request(texts(10, round * 10, 40)));
  shard.clock.pass(1_000);
  log.readOne = async () => ({ kind: 'failed', detail: 'EIO' });
  assert.equal((await buffer.offsetAt(STREAM, shard.clock.wall - 500)).kind, 'failed');
});
