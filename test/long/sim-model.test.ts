import { test } from 'node:test';

import { assertMet, runMany } from '../sim/run.ts';

test('I1, I2, I3, I10: a shard and its model agree over 20,000 steps', async () => {
  const seen = await runMany({
    firstSeed: 10_000,
    actions: 150,
    steps: 20_000,
    mostMs: 5 * 60_000,
  });
  // Five starts in a million steps are refused: the night's run has to meet one.
  assertMet(seen, ['refusedStarts']);
});
