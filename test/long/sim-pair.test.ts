import { test } from 'node:test';

import { assertMet, runMany } from '../sim/pair/history.ts';

test('I1, I3: two shards and their model agree over 60,000 steps', async () => {
  const seen = await runMany({
    firstSeed: 10_000,
    actions: 150,
    steps: 60_000,
    mostMs: 5 * 60_000,
  });
  assertMet(seen, ['shard_down', 'overloaded', 'line_json', 'disk_full', 'starting', 'draining']);
});
