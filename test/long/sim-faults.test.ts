import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OPERATIONS, faultsOf, sweep } from '../sim/sweep.ts';

for (const phase of ['start', 'work'] as const) {
  for (const operation of OPERATIONS) {
    test(`I1, I2: every n-th ${operation} at ${phase} fails in every way, once and for ever`, async () => {
      let struck = 0;
      for (const { effect, forever } of faultsOf(operation)) {
        // The power goes under the fault, or the fault ends first.
        struck += await sweep({ operation, phase, effect, forever }, 1, [true, false]);
      }
      if (operation === 'sync' || operation === 'write' || operation === 'open') {
        assert.ok(struck > 10, `${struck} strikes`);
      }
    });
  }
}
