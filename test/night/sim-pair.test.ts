import { randomInt } from 'node:crypto';
import { test } from 'node:test';

import { assertMet, runMany } from '../sim/pair/history.ts';

test('I1, I3: two shards and their model agree over 300,000 steps of new histories', async () => {
  const seen = await runMany({
    // New ones each night; a failure names its seed.
    firstSeed: randomInt(1_000_000, 2 ** 31),
    actions: 150,
    steps: 300_000,
    mostMs: 2 * 3_600_000,
  });
  assertMet(seen, ['shard_down', 'overloaded', 'line_json', 'disk_full', 'starting', 'draining']);
});
