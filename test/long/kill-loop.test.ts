import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killLoop, verdictOf } from '../kill/loop.ts';

test('30 kills under load lose nothing (I1, I2, I7)', async () => {
  const report = await killLoop({
    kills: 30,
    mostMs: 600_000,
    producers: 8,
    heapMiB: 160,
    stalledUploads: 100,
  });
  assert.ok(verdictOf(report), JSON.stringify(report, null, 2));
  assert.equal(report.kills, 30);
  assert.ok(report.earlyKills >= 5, 'some struck during recovery');
  assert.ok(report.repeats > 0, 'a replay was really seen');
});
