/** What is held for a time: lines that nobody has, jobs that begin in the past, replays, and what an owner skips (I2, I3). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ShardBuffer } from './contract.ts';
import { readAll, request, smallLimits, STREAM, texts, TestShard, waybill } from './testing.ts';

async function pass(shard: TestShard, buffer: ShardBuffer, ms: number, steps = 20): Promise<void> {
  for (let step = 0; step < steps; step += 1) {
    shard.clock.pass(ms / steps);
    await buffer.tend();
  }
}

const billsOf = (shard: TestShard) =>
  shard.ledger.events.flatMap((event) => (event.kind === 'waybill' ? [event.waybill] : []));

test('I2: a stream that goes on without a job is settled as its lines age, not only when it rests', async () => {
  const shard = new TestShard(smallLimits({ holdbackMs: 24_000 }));
  const buffer = await shard.open();
  for (let round = 0; round < 40; round += 1) {
    await buffer.append(request(texts(5, round * 5)));
    await pass(shard, buffer, 1_000, 2);
  }
  const settled = billsOf(shard).reduce(
    (sum, { counts }) => sum + (counts.dropped.unclaimed ?? 0),
    0,
  );
  assert.ok(settled >= 50 && settled <= 85, `${settled} of 200 lines are older than the holdback`);
  assert.ok(billsOf(shard).every(({ job }) => job === -1));
  let next = 0;
  for (const { range } of billsOf(shard)) {
    assert.equal(range.from, next);
    next = range.to;
  }
  await pass(shard, buffer, 50_000, 60);
  assert.ok(buffer.stream(STREAM)!.oldest > 0, 'and what is settled is trimmed in its time');
  const lost = await readAll(buffer, STREAM, buffer.stream(STREAM)!.oldest);
  assert.ok(lost.every((line) => !line.startsWith('gap')));
});

test('a job that begins in the past reads from there; forgotten and opened again it begins at the head', async () => {
  const shard = new TestShard(smallLimits({ holdbackMs: 10_000 }));
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'head');
  for (let round = 0; round < 5; round += 1) await buffer.append(request(texts(4, round * 4)));
  await buffer.openJob(2, STREAM, 'a1', { firstOffset: 8 });
  assert.deepEqual([buffer.job(2)!.start, buffer.waiting(2)!.lines], [8, 12]);
  await buffer.closeJob(2);
  await pass(shard, buffer, 25_000);
  assert.equal(buffer.job(2), undefined);
  await buffer.openJob(2, STREAM, 'a1', { firstOffset: 8 });
  assert.equal(buffer.job(2)!.start, 20, 'what was settled once is not begun anew');
});

test('I3: a replay holds its lines against trimming, has books of its own, and ends where it should, over a restart', async () => {
  const shard = new TestShard(smallLimits({ holdbackMs: 5_000, replayMs: 1e9 }), 'disk');
  let buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'head');
  for (let round = 0; round < 10; round += 1) await buffer.append(request(texts(10, round * 10)));
  await buffer.settle(waybill(buffer.job(1)!, { from: 0, to: 100 }, shard.clock.wall));
  await buffer.openJob(9, STREAM, 'a1', { offset: 20, end: 40 });
  assert.deepEqual([buffer.job(9)!.end, buffer.waiting(9)!.lines], [40, 20]);
  await buffer.append(request(texts(10, 100)));
  assert.equal(buffer.waiting(9)!.lines, 20, 'new lines are none of its own');
  await pass(shard, buffer, 40_000, 60);
  const lines = (await readAll(buffer, STREAM, 20)).slice(0, 20);
  assert.deepEqual(lines, texts(20, 20));
  await buffer.close();
  shard.disk.crash();
  buffer = await shard.open();
  assert.deepEqual([buffer.job(9)!.end, buffer.waiting(9)!.lines], [40, 20]);
  const bill = waybill(buffer.job(9)!, { from: 20, to: 40 }, buffer.stream(STREAM)!.lastReceivedMs);
  assert.deepEqual(await buffer.settle(bill), { kind: 'durable' });
  assert.deepEqual(buffer.waiting(9)!.lines, 0);
  const behind = waybill(buffer.job(9)!, { from: 40, to: 50 }, shard.clock.wall);
  await assert.rejects(async () => buffer.settle(behind), /between start and head/);
  assert.equal(buffer.job(1)!.cursor, 100, 'the job is where it was');
  await buffer.settle(
    waybill(buffer.job(1)!, { from: 100, to: 110 }, buffer.stream(STREAM)!.lastReceivedMs),
  );
  await pass(shard, buffer, 40_000, 60);
  assert.ok(buffer.stream(STREAM)!.oldest > 40, 'then nothing is held any more');
  await buffer.closeJob(9);
  await pass(shard, buffer, 100, 2);
  assert.equal(buffer.job(9), undefined, 'a finished one is forgotten at once');
});

test('I5: a replay that holds its lines too long is told as expired; one called off as skipped by its owner', async () => {
  const shard = new TestShard(smallLimits({ holdbackMs: 5_000, replayMs: 10_000 }));
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'head');
  await buffer.append(request(texts(10)));
  await buffer.openJob(8, STREAM, 'a1', { offset: 0, end: 10 });
  await buffer.openJob(9, STREAM, 'a1', { offset: 5, end: 10 });
  await buffer.closeJob(9);
  await pass(shard, buffer, 1_000, 2);
  assert.equal(buffer.job(9), undefined);
  assert.deepEqual(buffer.job(8)!.totals.dropped, {});
  await pass(shard, buffer, 12_000);
  assert.deepEqual(buffer.job(8)!.totals.dropped, { expired: 10 });
  const skipped = billsOf(shard).filter(({ job }) => job === 9);
  assert.deepEqual(
    skipped.map(({ counts }) => counts.dropped),
    [{ skipped_by_owner: 5 }],
  );
});

test('a replay of lines that are gone begins where they are held; one of none is over at once', async () => {
  const shard = new TestShard(smallLimits({ holdbackMs: 1_000 }));
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'head');
  for (let round = 0; round < 10; round += 1) {
    await buffer.append(request(texts(10, round * 10)));
    const range = { from: round * 10, to: round * 10 + 10 };
    await buffer.settle(waybill(buffer.job(1)!, range, shard.clock.wall));
    await pass(shard, buffer, 1_000, 5);
  }
  const { oldest } = buffer.stream(STREAM)!;
  assert.ok(oldest >= 20);
  await buffer.openJob(8, STREAM, 'a1', { offset: 0, end: oldest + 5 });
  assert.deepEqual([buffer.job(8)!.start, buffer.waiting(8)!.lines], [oldest, 5]);
  await buffer.openJob(9, STREAM, 'a1', { offset: 0, end: 10 });
  assert.equal(buffer.waiting(9)!.lines, 0);
});

test('I2: what an owner skips is settled by waybill, open plans too, and what he keeps is not', async () => {
  const shard = new TestShard(smallLimits());
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'head');
  await buffer.append(request(texts(30)));
  await buffer.closeJob(1);
  assert.ok(buffer.heldForMs(1)! > 0);
  await buffer.openJob(1, STREAM, 'a1', 'head');
  assert.equal(buffer.heldForMs(1), null);
  assert.deepEqual(await buffer.skip(1, 20), { kind: 'durable' });
  const state = buffer.job(1)!;
  assert.deepEqual([state.cursor, state.totals.dropped], [20, { skipped_by_owner: 20 }]);
  assert.deepEqual(await buffer.skip(1, 20), { kind: 'durable' }, 'again it does nothing');
  assert.equal(buffer.job(1)!.sequence, state.sequence);
});

test('I3: on a disk that stays full nobody’s waiting lines give way, those of closed jobs neither', async () => {
  const shard = new TestShard(
    smallLimits({ holdbackMs: 1e9, lowWatermark: 0.5, highWatermark: 0.8 }),
    'disk',
  );
  const buffer = await shard.open();
  const streams = ['old', 'new', 'on', 'shared'];
  for (const [index, stream] of streams.entries()) {
    await buffer.openJob(index + 1, stream, `a${index}`, 'head');
    await buffer.append(request(texts(200, 0, 100), { stream, account: `a${index}` }));
  }
  await buffer.openJob(5, 'shared', 'a3', { firstOffset: 0 });
  for (const job of [4, 1, 2]) {
    await buffer.closeJob(job);
    shard.clock.pass(1_000);
  }
  const waiting = () => [1, 2, 3, 4, 5].map((job) => buffer.waiting(job)!.lines);
  const fillTo = async (share: number): Promise<void> => {
    shard.disk.resize(1 << 30);
    const { freeBytes, totalBytes } = await shard.disk.files().space('/data');
    shard.disk.resize(Math.ceil((totalBytes - freeBytes) / share));
  };
  await fillTo(0.95);
  await pass(shard, buffer, 30_000, 30);
  assert.deepEqual(waiting(), [200, 200, 200, 200, 200]);
  const refused = await buffer.append(request(texts(1), { stream: 'on', account: 'a2' }));
  assert.deepEqual(
    [refused.kind, refused.kind === 'refused' && refused.reason],
    ['refused', 'disk_full'],
    'who sends is told instead',
  );
});
