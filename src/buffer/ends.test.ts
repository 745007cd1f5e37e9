/** How lines end that nobody delivers, and who is refused when space ends (I2, I3, I5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ShardBuffer } from './contract.ts';
import {
  HOUR_MS,
  key,
  request,
  smallLimits,
  STREAM,
  texts,
  TestShard,
  waybill,
} from './testing.ts';

const OTHER = 'zones/z2/http_requests';

async function chores(
  shard: TestShard,
  buffer: ShardBuffer,
  rounds: number,
  stepMs: number,
): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    shard.clock.pass(stepMs);
    await buffer.tend();
  }
}

test('a closed job keeps its lines for the holdback, then they are unclaimed and its chain goes on', async () => {
  const shard = new TestShard(smallLimits({ holdbackMs: 10_000 }));
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'head');
  await buffer.append(request(texts(20)));
  await buffer.settle(waybill(buffer.job(1)!, { from: 0, to: 5 }, shard.clock.wall));
  await buffer.closeJob(1);
  await chores(shard, buffer, 3, 2_000);
  assert.equal(buffer.job(1)!.cursor, 5, 'still held back');
  await buffer.openJob(1, STREAM, 'a1', 'head');
  assert.equal(buffer.job(1)!.cursor, 5, 'opened again it goes on where it stopped');
  await buffer.closeJob(1);
  await chores(shard, buffer, 6, 2_000);
  assert.equal(buffer.job(1), undefined);
  const told = shard.ledger.events.flatMap((event) =>
    event.kind === 'waybill' ? event.waybill : [],
  );
  assert.deepEqual(
    told.map((one) => one.counts.dropped),
    [{}, { unclaimed: 15 }],
  );
  await buffer.openJob(1, STREAM, 'a1', 'head');
  const again = buffer.job(1)!;
  assert.deepEqual([again.start, again.sequence], [20, 2], 'no number is given twice');
});

test('I3: a job that is opened again just when its holdback is over loses none of its lines afterwards', async () => {
  for (let turns = 0; turns < 40; turns += 1) {
    const shard = new TestShard(smallLimits({ holdbackMs: 10_000 }));
    const buffer = await shard.open();
    await buffer.openJob(1, STREAM, 'a1', 'head');
    await buffer.append(request(texts(20)));
    await buffer.closeJob(1);
    shard.clock.pass(11_000);
    const tending = buffer.tend();
    for (let left = turns; left > 0; left -= 1) {
      if (left % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      else await Promise.resolve();
    }
    await Promise.all([tending, buffer.openJob(1, STREAM, 'a1', 'head')]);
    await chores(shard, buffer, 2, 2_000);
    const told = shard.ledger.events.flatMap((event) => {
      if (event.kind === 'job') return event.open ? 'opened' : 'closed';
      return event.kind === 'waybill' ? 'ended' : [];
    });
    assert.ok(
      told.lastIndexOf('ended') < told.lastIndexOf('opened'),
      `after ${turns} turns: ${told.join()}`,
    );
  }
});

test('I2: lines of a stream without a job are settled as unclaimed by the built-in one', async () => {
  const shard = new TestShard(smallLimits({ holdbackMs: 10_000 }));
  const buffer = await shard.open();
  await buffer.append(request(texts(20)));
  shard.clock.pass(HOUR_MS);
  await buffer.append(request(texts(3, 20)));
  await chores(shard, buffer, 10, 2_000);
  const told = shard.ledger.events.flatMap((event) =>
    event.kind === 'waybill' ? event.waybill : [],
  );
  assert.deepEqual(
    told.map((one) => [one.range, one.counts.dropped]),
    [
      [{ from: 0, to: 20 }, { unclaimed: 20 }],
      [{ from: 20, to: 23 }, { unclaimed: 3 }],
    ],
  );
  assert.deepEqual([...buffer.jobs()], []);
});

test('I3: retention drops the oldest waiting lines by waybill, but never more than one percent in a sweep', async () => {
  const shard = new TestShard(smallLimits({ holdbackMs: 1_000, retentionMs: 24_000 }));
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'head');
  await buffer.append(request(texts(5)));
  await chores(shard, buffer, 5, 1_000);
  for (let round = 0; round < 100; round += 1) await buffer.append(request(texts(10)));
  await chores(shard, buffer, 21, 1_000);
  assert.equal(buffer.job(1)!.cursor, 5, 'the five are past it');
  assert.deepEqual(buffer.job(1)!.totals.dropped, { expired: 5 });
  await chores(shard, buffer, 10, 1_000);
  assert.equal(
    buffer.job(1)!.cursor,
    5,
    'the thousand would be too many at once: an operator is asked',
  );
});

test('being switched off or a jump of the wall clock ages nothing', async () => {
  const shard = new TestShard(smallLimits({ holdbackMs: 10_000 }));
  const first = await shard.open();
  await first.openJob(1, STREAM, 'a1', 'head');
  await first.append(request(texts(5)));
  await first.closeJob(1);
  shard.clock.wall += 1_000 * HOUR_MS;
  await first.tend();
  shard.clock.monotonic += 1_000 * HOUR_MS;
  const second = await shard.open();
  await second.tend();
  assert.equal(second.job(1)!.cursor, 0);
});

test('I5, I6: a nearly full disk refuses who waits above the fair share, a full one all, and plans still pass', async () => {
  const shard = new TestShard(smallLimits({ lowWatermark: 0.5, highWatermark: 0.8 }), 'disk');
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'head');
  await buffer.append(request(texts(200, 0, 100)));
  await buffer.append(request(['small'], { stream: OTHER, account: 'a2' }));
  const used = async (): Promise<number> => {
    const { freeBytes, totalBytes } = await shard.disk.files().space('/data');
    return totalBytes - freeBytes;
  };
  shard.disk.resize(1 << 30);
  shard.disk.resize(Math.ceil((await used()) / 0.6));
  await chores(shard, buffer, 1, 2_000);
  const crowd = await buffer.append(request(['{}']));
  assert.deepEqual(
    [crowd.kind, crowd.kind === 'refused' && crowd.reason],
    ['refused', 'over_fair_share'],
  );
  assert.equal(
    (await buffer.append(request(['{}'], { stream: OTHER, account: 'a2' }))).kind,
    'stored',
  );
  shard.disk.resize(Math.ceil((await used()) / 0.85));
  await chores(shard, buffer, 1, 2_000);
  const all = await buffer.append(request(['{}'], { stream: OTHER, account: 'a2' }));
  assert.deepEqual([all.kind, all.kind === 'refused' && all.reason], ['refused', 'disk_full']);
  const bill = waybill(buffer.job(1)!, { from: 0, to: 200 }, buffer.stream(STREAM)!.lastReceivedMs);
  assert.deepEqual(await buffer.settle(bill), { kind: 'durable' });
  shard.disk.resize(1 << 30);
  await chores(shard, buffer, 1, 2_000);
  assert.equal(
    (await buffer.append(request(['{}']))).kind,
    'stored',
    'intake goes on without a restart',
  );
});

test('I5: new streams are bounded by account and in all; a repeat of a refused one is not charged twice', async () => {
  const shard = new TestShard(
    smallLimits({ newStreamsBurst: 3, newStreamsPerMinute: 60, streams: 5 }),
  );
  const buffer = await shard.open();
  const send = async (name: string, account: string): Promise<string> => {
    const result = await buffer.append(request(['{}'], { stream: name, account }));
    return result.kind === 'refused' ? result.reason : result.kind;
  };
  const flood = await Promise.all(['s1', 's2', 's3', 's4'].map((name) => send(name, 'a1')));
  assert.deepEqual(flood, ['stored', 'stored', 'stored', 'too_many_streams']);
  assert.equal(await send('s1', 'a1'), 'stored', 'streams that are there go on');
  assert.equal(await send('t1', 'a2'), 'stored', 'another account is not touched');
  shard.clock.pass(1_000);
  assert.equal(await send('s4', 'a1'), 'stored', 'the bucket fills again');
  shard.clock.pass(60_000);
  assert.equal(await send('s6', 'a1'), 'too_many_streams', 'five in all');
});

test('draining refuses lines, and waybills still pass', async () => {
  const shard = new TestShard();
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'head');
  await buffer.append(request(texts(5), { identity: key('a') }));
  buffer.drain();
  const refused = await buffer.append(request(texts(5)));
  assert.deepEqual(
    [refused.kind, refused.kind === 'refused' && refused.reason],
    ['refused', 'draining'],
  );
  const bill = waybill(buffer.job(1)!, { from: 0, to: 5 }, shard.clock.wall);
  assert.deepEqual(await buffer.settle(bill), { kind: 'durable' });
  await buffer.close();
});

test('refusals are counted together and told within five seconds', async () => {
  const shard = new TestShard();
  const buffer = await shard.open();
  const entry = { stream: STREAM, hour: 1, reason: 'disk_full', requests: 1, lines: 4 };
  buffer.countRefusal(entry);
  buffer.countRefusal(entry);
  shard.clock.pass(5_000);
  await buffer.append(request(['{}']));
  const told = shard.ledger.events.find((event) => event.kind === 'refused');
  assert.deepEqual(told, {
    kind: 'refused',
    sequence: 1,
    entries: [{ ...entry, requests: 2, lines: 8 }],
  });
});
