import { randomInt } from 'node:crypto';
import { test } from 'node:test';

import { assertMet, runMany } from '../sim/run.ts';

test('I1, I2, I3, I10: a shard and its model agree over a million steps of new histories', async () => {
  // New ones each night; a failure names its seed.
  const firstSeed = randomInt(1_000_000, 2 ** 31);
  const seen = await runMany({
    firstSeed,
    actions: 200,
    steps: 1_000_000,
    mostMs: 4 * 3_600_000,
  });
  assertMet(seen);
});
