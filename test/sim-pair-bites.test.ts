/** The simulation of two shards bites: each of these bugs of the hand-over makes histories fail that hold without it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { History } from './sim/history.ts';
import { PAIR_BUGS } from './sim/pair/bugs.ts';
import { BITES, runPairHistory } from './sim/pair/history.ts';

/** The history that is known to find it, then others: code moves on, and a history with it. */
function* histories(bug: string): Generator<History> {
  const known = BITES[bug];
  if (known !== undefined) yield known;
  for (let seed = 0; seed < 60; seed += 1) yield { seed, actions: 100 };
}

for (const [bug, seams] of Object.entries(PAIR_BUGS)) {
  test(`two shards with this bug are found out: ${bug}`, async () => {
    for (const history of histories(bug)) {
      const verdict = await runPairHistory(history, () => seams);
      if (verdict.kind === 'held') continue;
      const without = await runPairHistory(history);
      assert.equal(without.kind, 'held', 'it is the bug that is found');
      return;
    }
    assert.fail('nothing noticed it');
  });
}
