import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killLoop, verdictOf } from './kill/loop.ts';

test('6 kills under load: every promised line arrives, none is invented or damaged, the books balance (I1, I2, I7)', async () => {
  const report = await killLoop({
    kills: 6,
    mostMs: 110_000,
    producers: 4,
    heapMiB: 160,
    stalledUploads: 20,
  });
  assert.ok(verdictOf(report), JSON.stringify(report, null, 2));
  assert.equal(report.kills, 6);
  assert.ok(report.earlyKills >= 1, 'one struck during recovery');
  // That a kill between a sync and its answer was met is chance with so few: the 30 of the long suite must have met one.
});
