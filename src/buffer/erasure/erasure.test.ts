/** Erasure by order: nothing reads the lines, the books say so, the bytes go, and nobody else's lines do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readFully } from '../../lib/fs/file-system.ts';
import { seededRandom } from '../../lib/random.ts';
import type { ShardBuffer } from '../contract.ts';
import {
  planOf,
  readAll,
  request,
  smallLimits,
  STREAM,
  texts,
  TestShard,
  waybill,
} from '../testing.ts';
import { runs } from '../../lib/testing/depth.ts';

const OTHER = 'zones/z2/http_requests';
const MARK = 'TheErasedOnes';

/** One line in a block of its own: too short to shrink, so its bytes stand in the log as they are. */
const marked = (n: number): string[] => [`{"m":"${MARK}${n}"}`];

const small = (more: object = {}): ReturnType<typeof smallLimits> =>
  smallLimits(
    { checkpointBytes: 500, spanBlocks: 20, tailCacheBytes: 0, erasureMs: 0, ...more },
    { segmentBytes: 1_000 },
  );

async function holdsOnDisk(shard: TestShard, text: string): Promise<boolean> {
  const files = shard.disk.files();
  for (const folder of ['/data/log', '/data/buffer']) {
    for (const name of await files.list(folder)) {
      const file = await files.open(`${folder}/${name}`, 'read');
      const bytes = Buffer.alloc(await file.sizeBytes());
      await readFully(file, bytes, 0);
      await file.close();
      if (bytes.includes(text)) return true;
    }
  }
  return false;
}

async function tend(shard: TestShard, buffer: ShardBuffer, rounds = 12): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    shard.clock.pass(100);
    await buffer.tend();
  }
}

const dropsOf = (shard: TestShard): object[] =>
  shard.ledger.events.flatMap((event) =>
    event.kind === 'waybill' ? [{ job: event.waybill.job, ...event.waybill.counts.dropped }] : [],
  );

test('I2: what is erased is read by nobody, settled as erased for every job, and gone from the disk; the rest stays', async () => {
  const shard = new TestShard(small(), 'disk');
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'head');
  await buffer.openJob(2, OTHER, 'a2', 'head');
  for (let n = 0; n < 10; n += 1) {
    await buffer.append(request(marked(n)));
    await buffer.append(request(texts(1, n), { stream: OTHER, account: 'a2' }));
  }
  await buffer.settle(waybill(buffer.job(1)!, { from: 0, to: 3 }, shard.clock.wall));
  await buffer.settle(waybill(buffer.job(2)!, { from: 0, to: 10 }, shard.clock.wall));
  await buffer.append(request(texts(2, 100)));
  assert.equal(await holdsOnDisk(shard, MARK), true, 'the search finds what is there');
  assert.deepEqual(await buffer.erase('e1', [{ stream: STREAM, to: 10 }]), { kind: 'durable' });
  assert.deepEqual(await readAll(buffer), ['gap:0-10:erased', ...texts(2, 100)]);
  assert.deepEqual(await buffer.peek(STREAM, 5, 10), []);
  assert.equal(buffer.stream(STREAM)!.oldest, 10);
  assert.deepEqual(buffer.erasing([STREAM, OTHER]), [STREAM]);
  await tend(shard, buffer);
  assert.deepEqual(dropsOf(shard).at(-1), { job: 1, erased: 7 });
  assert.deepEqual(buffer.job(1)!.totals.dropped, { erased: 7 });
  assert.deepEqual(buffer.erasing([STREAM]), []);
  assert.equal(await holdsOnDisk(shard, MARK), false);
  assert.deepEqual(await readAll(buffer, STREAM, 10), texts(2, 100));
  assert.deepEqual(await readAll(buffer, OTHER), texts(10), 'held back for whoever replays them');
  shard.disk.crash();
  const again = await shard.open();
  assert.deepEqual(await readAll(again, STREAM, 10), texts(2, 100));
  assert.deepEqual(await readAll(again, OTHER), texts(10));
  assert.equal(again.stats().corruptLines, 0);
});

test('I2: a stream without a job is settled as erased by keep', async () => {
  const shard = new TestShard(small());
  const buffer = await shard.open();
  await buffer.append(request(texts(20)));
  await buffer.erase('e1', [{ stream: STREAM, to: 20 }]);
  await tend(shard, buffer);
  assert.deepEqual(dropsOf(shard), [{ job: -1, erased: 20 }]);
  assert.deepEqual(buffer.erasing([STREAM]), []);
});

test('an erasure is durable when it is answered: from the log alone, and from a checkpoint', async () => {
  for (const checkpointed of [false, true]) {
    const shard = new TestShard(small({ erasureMs: 1e9 }), 'disk');
    const buffer = await shard.open();
    await buffer.openJob(1, STREAM, 'a1', 'head');
    await buffer.append(request(texts(20)));
    await buffer.erase('e1', [{ stream: STREAM, to: 20 }]);
    if (checkpointed) await buffer.close();
    shard.disk.crash();
    const again = await shard.open();
    assert.deepEqual(await readAll(again), ['gap:0-20:erased']);
    await tend(shard, again);
    assert.deepEqual(again.job(1)!.totals.dropped, { erased: 20 });
  }
});

test('a plan that reaches past the end is left to its delivery, one before it is settled as erased', async () => {
  const shard = new TestShard(small());
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'head');
  for (let n = 0; n < 3; n += 1) await buffer.append(request(texts(10, n * 10)));
  const job = buffer.job(1)!;
  const plans = [
    planOf(job, { from: 0, to: 10 }, shard.clock.wall),
    planOf(job, { from: 10, to: 30 }, shard.clock.wall),
  ];
  await buffer.plan(1, plans);
  await buffer.erase('e1', [{ stream: STREAM, to: 20 }]);
  await tend(shard, buffer, 3);
  assert.deepEqual(buffer.job(1)!.open, [plans[1]]);
  assert.deepEqual(buffer.job(1)!.totals.dropped, { erased: 10 });
  assert.deepEqual(buffer.erasing([STREAM]), [STREAM], 'the order stands until all is settled');
  const counts = { delivered: 10, excluded: {}, dropped: { erased: 10 } };
  const bill = waybill(buffer.job(1)!, plans[1]!.range, shard.clock.wall, {
    plan: plans[1]!.id,
    counts,
  });
  assert.deepEqual(await buffer.settle(bill), { kind: 'durable' });
  await tend(shard, buffer, 8);
  assert.deepEqual(buffer.erasing([STREAM]), []);
});

test('I6: until an order’s time has come nothing is copied for it; orders in between share one copy', async () => {
  const shard = new TestShard(small({ erasureMs: 10_000 }), 'disk');
  const buffer = await shard.open();
  await buffer.openJob(1, OTHER, 'a2', 'head');
  for (let n = 0; n < 10; n += 1) {
    await buffer.append(request(marked(n)));
    await buffer.append(request(texts(1, n), { stream: OTHER, account: 'a2' }));
    await buffer.erase(`e${n}`, [{ stream: STREAM, to: n + 1 }]);
  }
  const { writtenBytes } = buffer.stats();
  await tend(shard, buffer, 5);
  assert.ok(buffer.stats().writtenBytes - writtenBytes < 5_000, 'only its waybills');
  assert.equal(await holdsOnDisk(shard, MARK), true);
  await tend(shard, buffer, 120);
  assert.equal(await holdsOnDisk(shard, MARK), false);
  assert.deepEqual(await readAll(buffer, OTHER), texts(10));
});

test('I10: a crash at any time brings no erased line back and takes no other along', async () => {
  for (let seed = 1; seed <= runs(40); seed += 1) {
    const shard = new TestShard(small({ holdbackMs: 1e9 }), 'disk');
    shard.seed = seed;
    const random = seededRandom(seed);
    const below = (bound: number): number => Math.floor(random.fraction() * bound);
    let buffer = await shard.open();
    let [mine, others, erased] = [0, 0, 0];
    for (let step = 0; step < 40; step += 1) {
      const dice = below(10);
      if (dice < 3) {
        const answer = await buffer.append(request(marked(mine)));
        if (answer.kind === 'stored') mine = answer.range.to;
      } else if (dice < 6) {
        const append = request(texts(1, others), { stream: OTHER, account: 'a2' });
        const answer = await buffer.append(append);
        if (answer.kind === 'stored') others = answer.range.to;
      } else if (dice === 6 && mine > 0) {
        const to = below(mine + 1);
        const answer = await buffer.erase(`e${step}`, [{ stream: STREAM, to }]);
        if (answer.kind === 'durable') erased = Math.max(erased, to);
      } else if (dice < 9) await tend(shard, buffer, 1 + below(3));
      else {
        shard.disk.crash();
        buffer = await shard.open();
      }
      const seen = await readAll(buffer);
      const lines = seen.filter((line) => !line.startsWith('gap:'));
      const expected = Array.from({ length: mine - erased }, (_, n) => marked(erased + n)[0]);
      assert.deepEqual(lines, expected, `seed ${seed} step ${step}`);
      assert.deepEqual(await readAll(buffer, OTHER), texts(others), `seed ${seed} step ${step}`);
    }
    await tend(shard, buffer, 30);
    for (let n = 0; n < erased; n += 1) {
      const text = marked(n)[0]!;
      assert.equal(await holdsOnDisk(shard, text), false, `seed ${seed}: ${text}`);
    }
    assert.equal(buffer.stats().corruptLines, 0);
  }
});
