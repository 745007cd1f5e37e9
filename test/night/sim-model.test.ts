import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';

import { runPieces } from '../sim/many.ts';
import { assertMet } from '../sim/run.ts';

test('I1, I2, I3, I10: a shard and its model agree over a million steps of new histories', async (t) => {
  const { failures, seen, unfinished, cpuSeconds } = await runPieces({
    steps: 1_000_000,
    // New ones each night; a failure names its seed.
    firstSeed: randomInt(1_000_000, 2 ** 31),
    pieceSteps: 50_000,
    processes: 2,
    mostMs: 4 * 3_600_000,
    say: (text) => t.diagnostic(text),
  });
  assert.deepEqual(
    failures.map(({ told }) => told),
    [],
  );
  assert.equal(unfinished, 0, 'every piece was run to its end');
  assert.ok(seen.steps >= 1_000_000, `${seen.steps} steps in ${cpuSeconds} CPU seconds`);
  assertMet(seen);
});
