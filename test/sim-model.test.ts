/**
 * A whole shard (log over files, buffer, archive) on the simulated disk beside a small model, over appends, settling in any
 * order, checkpoints, trimming, compaction, faults, a full disk, flipped bits, power cuts in work and in recovery. After each
 * restart: each answered line is there with its own bytes or settled, nothing is invented, keys are known, books balance.
 *
 * The seeds are the same each time, so that a change is judged and not a dice; new ones are tried by the long and the
 * night's run. `docs/decisions/simulation.md` says how a failure is repeated.
 */
import { test } from 'node:test';

import { FAILED, assertMet, mustHold, runMany } from './sim/run.ts';

for (const { seed, actions, found } of FAILED) {
  test(`history ${seed}/${actions}, which once failed (${found}), holds`, async () => {
    await mustHold({ seed, actions });
  });
}

test('I1, I2, I3, I10: whatever a shard answered holds, whatever comes between', async () => {
  const seen = await runMany({ firstSeed: 0, actions: 100, steps: 2_500, mostMs: 60_000 });
  // Few bits hit a line: in this history three do, and cost lines that are told.
  seen.add(await mustHold({ seed: 5_579, actions: 150 }));
  // Few deaths fall where lines are on the disk and their answer is not out: in one history of ten.
  for (let seed = 2_555; seen.resurrected === 0 && seed < 2_755; seed += 1) {
    seen.add(await mustHold({ seed, actions: 100 }));
  }
  // Rare: the long and the night's run meet them.
  assertMet(seen, ['refusedStarts']);
});
