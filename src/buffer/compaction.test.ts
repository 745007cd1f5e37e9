import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readAll, request, smallLimits, STREAM, texts, TestShard, waybill } from './testing.ts';

const SLOW = 'zones/slow/http_requests';

test('a slow job does not pin what others have settled: its lines are copied forward and nothing else is lost', async () => {
  const shard = new TestShard(
    smallLimits(
      { checkpointBytes: 500, spanBlocks: 20, holdbackShare: 0, tailCacheBytes: 0 },
      { segmentBytes: 1_000 },
    ),
    'disk',
  );
  const buffer = await shard.open();
  shard.disk.resize(1 << 20);
  await buffer.openJob(1, STREAM, 'a1', 'head');
  await buffer.openJob(2, SLOW, 'a2', 'head');
  for (let round = 0; round < 60; round += 1) {
    await buffer.append(request(texts(10, round * 10, 30)));
    if (round % 10 === 0)
      await buffer.append(request(texts(5, round, 30), { stream: SLOW, account: 'a2' }));
    const range = { from: round * 10, to: round * 10 + 10 };
    await buffer.settle(waybill(buffer.job(1)!, range, shard.clock.wall));
    shard.clock.pass(2_000);
    await buffer.tend();
  }
  const slow = Array.from({ length: 6 }, (_, index) => texts(5, index * 10, 30)).flat();
  assert.ok(buffer.stream(STREAM)!.oldest > 300, 'the fast stream was trimmed behind the slow one');
  assert.equal(buffer.stream(SLOW)!.oldest, 0);
  assert.deepEqual(await readAll(buffer, SLOW), slow);
  assert.ok((await shard.disk.files().list('/data/log')).length < 10, 'few segments are left');

  shard.disk.crash();
  const again = await shard.open();
  assert.deepEqual(await readAll(again, SLOW), slow);
  assert.equal(again.waiting(2)!.lines, 30);
  assert.equal(again.stats().corruptLines, 0);
});
