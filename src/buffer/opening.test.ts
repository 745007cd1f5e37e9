/** Jobs that begin in the past need hours that were forgotten behind every cursor (I2). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HOUR_MS, request, smallLimits, STREAM, texts, TestShard, waybill } from './testing.ts';

test('a job whose beginning cannot be read is not opened, and the next time it knows all hours', async () => {
  const shard = new TestShard(smallLimits({}, { segmentBytes: 900 }), 'disk');
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'head');
  for (let hour = 0; hour < 3; hour += 1) {
    for (let part = 0; part < 4; part += 1) await buffer.append(request(texts(20)));
    await buffer.settle(
      waybill(buffer.job(1)!, { from: hour * 80, to: hour * 80 + 80 }, shard.clock.wall),
    );
    shard.clock.pass(HOUR_MS);
  }
  shard.disk.plan({
    operation: 'read',
    nth: 1,
    forever: true,
    effect: { kind: 'fail', code: 'EIO' },
  });
  assert.equal((await buffer.openJob(2, STREAM, 'a1', 'oldest')).kind, 'failed');
  assert.equal(buffer.job(2), undefined, 'what is answered as failed left nothing behind');
  shard.disk.heal();
  // The hours are kept for both, although one of them came first.
  const opened = await Promise.all([
    buffer.openJob(2, STREAM, 'a1', { offset: 100 }),
    buffer.openJob(3, STREAM, 'a1', 'oldest'),
  ]);
  assert.deepEqual(opened, [{ kind: 'durable' }, { kind: 'durable' }]);
  assert.deepEqual([...buffer.waiting(2)!.byHour.values()], [60, 80]);
  assert.deepEqual([...buffer.waiting(3)!.byHour.values()], [80, 80, 80]);
  await buffer.close();
});
