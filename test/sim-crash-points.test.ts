/** The real process, killed at durability steps of its own. All steps are in `long/sim-crash-points.test.ts`. */
import { test } from 'node:test';

import { crashTrial } from './kill/crash-points.ts';

test('I1: killed between a sync and its answers under load, in recovery, and in a checkpoint, nothing is lost', () =>
  crashTrial([
    { step: 'group-synced', nth: 7, when: 'work' },
    { step: 'log-replayed', when: 'start' },
    { step: 'checkpoint-synced', when: 'work' },
  ]));
