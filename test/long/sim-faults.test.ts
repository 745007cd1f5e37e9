import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OPERATIONS, faultsOf, sweep } from '../sim/sweep.ts';

/**
 * The power goes under the fault, or the fault ends first and intake must go on by itself. A fault at the start is over when
 * the shard is open: there both are the same.
 */
const CUTS = { start: [true], work: [true, false] };

for (const phase of ['start', 'work'] as const) {
  for (const operation of OPERATIONS) {
    test(`I1, I2: every n-th ${operation} at ${phase} fails in every way, once and for ever`, async () => {
      let struck = 0;
      for (const { effect, forever } of faultsOf(operation)) {
        struck += await sweep({ operation, phase, effect, forever }, 1, CUTS[phase]);
      }
      const many = operation === 'sync' || operation === 'write' || operation === 'open';
      // A start has few writes and syncs: each is struck in every way.
      if (many) assert.ok(struck >= (phase === 'start' ? 7 : 50), `${struck} strikes`);
    });
  }
}
