/** The way of a line through the buffer: in, read back, planned, settled, and all of it again after a restart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { key, planOf, readAll, request, STREAM, texts, TestShard, waybill } from './testing.ts';

test('I1: lines are read back as they came, small requests sharing blocks, large ones cut', async () => {
  const buffer = await new TestShard().open();
  const results = await Promise.all([
    buffer.append(request(texts(3))),
    buffer.append(request(texts(4, 3))),
    buffer.append(request(texts(100, 7, 40))),
  ]);
  const ranges = results.map((result) => (result.kind === 'stored' ? result.range : result.kind));
  assert.deepEqual(ranges, [
    { from: 0, to: 3 },
    { from: 3, to: 7 },
    { from: 7, to: 107 },
  ]);
  assert.deepEqual(await readAll(buffer), [...texts(7), ...texts(100, 7, 40)]);
  assert.equal(buffer.stats().commits, 1, 'they shared a commit');
});

for (const kind of ['memory', 'disk'] as const) {
  test(`after a restart everything is as it was (${kind})`, async () => {
    const shard = new TestShard(undefined, kind);
    const first = await shard.open();
    assert.deepEqual(await first.openJob(1, STREAM, 'a1', 'oldest'), { kind: 'durable' });
    for (let round = 0; round < 30; round += 1) {
      await first.append(request(texts(7, round * 7, 20), { identity: key(`k${round}`) }));
      if (round % 10 === 3) await first.tend();
    }
    const at = shard.clock.wall;
    const job = first.job(1)!;
    const plans = [planOf(job, { from: 0, to: 21 }, at), planOf(job, { from: 21, to: 70 }, at)];
    assert.deepEqual(await first.plan(1, plans), { kind: 'durable' });
    const settled = await first.settle(
      waybill(job, { from: 21, to: 70 }, at, { plan: plans[1]!.id }),
    );
    assert.deepEqual(settled, { kind: 'durable' });
    const before = first.job(1);
    await first.append(request(['last']));

    shard.disk.crash();
    const second = await shard.open();
    assert.deepEqual(second.job(1), before);
    assert.deepEqual(second.stream(STREAM), first.stream(STREAM));
    assert.deepEqual(await readAll(second), [...texts(210, 0, 20), 'last']);
    assert.deepEqual(second.waiting(1)?.lines, 211 - 49);
    const repeat = await second.append(request(texts(7, 14, 20), { identity: key('k2') }));
    assert.ok(repeat.kind === 'stored');
    assert.deepEqual([repeat.range, repeat.repeat], [{ from: 14, to: 21 }, true]);
    const conflict = await second.append(request(texts(7, 15, 20), { identity: key('k2') }));
    assert.equal(conflict.kind, 'key_conflict');
    await second.close();
  });
}
