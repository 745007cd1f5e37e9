/** The suite bites: each of these bugs, planted in a seam, makes the model's histories fail that hold without it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BUGS } from './sim/bugs.ts';
import { runHistory } from './sim/history.ts';
import type { History } from './sim/history.ts';
import { BITES } from './sim/run.ts';

/** The history that is known to find it, then others: code moves on, and a history with it. */
function* histories(bug: string): Generator<History> {
  const known = BITES[bug];
  if (known !== undefined) yield known;
  for (let seed = 0; seed < 60; seed += 1) yield { seed, actions: 100 };
}

for (const [bug, seams] of Object.entries(BUGS)) {
  test(`a shard with this bug is found out: ${bug}`, async () => {
    for (const history of histories(bug)) {
      const verdict = await runHistory(history, () => seams);
      if (verdict.kind === 'held') continue;
      const without = await runHistory(history);
      assert.equal(without.kind, 'held', 'it is the bug that is found');
      return;
    }
    assert.fail('nothing noticed it');
  });
}
