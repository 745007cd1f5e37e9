/**
 * Two shards of one process beside a small model: lines that one receives for the other, bodies whose parts belong to both, a shard
 * that crashes, hangs or is started again meanwhile, disks that fail, power cuts, deliveries. What holds: what was answered as
 * accepted is there with its own bytes and is delivered, at the place that was told; nothing is stored twice for one identity, none of
 * what was refused or not wanted is stored; each stream keeps its order.
 *
 * The seeds are the same each time. `docs/decisions/simulation.md` says how a failure is repeated.
 */
import { test } from 'node:test';

import { assertMet, FAILED, mustHold, runMany } from './sim/pair/history.ts';

for (const { seed, actions, found } of FAILED) {
  test(`history ${seed}/${actions} of two shards, which once failed (${found}), holds`, async () => {
    await mustHold({ seed, actions });
  });
}

test('I1, I3: whatever either of two shards answered holds, whatever comes between', async () => {
  const seen = await runMany({ firstSeed: 0, actions: 100, steps: 3_000, mostMs: 60_000 });
  assertMet(seen, ['shard_down', 'overloaded', 'line_json', 'disk_full']);
});
