import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killLoop, verdictOf } from '../kill/loop.ts';

test('a thousand kills in a night lose nothing (I1, I2, I7)', async () => {
  const report = await killLoop({
    kills: 1_000,
    mostMs: 6 * 3_600_000,
    producers: 8,
    heapMiB: 160,
    stalledUploads: 200,
  });
  assert.ok(verdictOf(report), JSON.stringify(report, null, 2));
  assert.equal(report.kills, 1_000);
});
