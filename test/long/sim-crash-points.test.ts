/** Every durability step of log, buffer and archive: the real process dies there, once and again and again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CRASH_POINTS } from '../../src/app/crash-point.ts';
import type { AnyStep } from '../../src/app/crash-point.ts';
import { crashTrial } from '../kill/crash-points.ts';
import type { Death } from '../kill/crash-points.ts';

/** Done in each start, so that dying there three times in a row is dying in recovery itself. */
const IN_RECOVERY: readonly AnyStep[] = [
  'locked',
  'scanned',
  'segment-created',
  'header-written',
  'header-synced',
  'segment-named',
  'directory-synced',
  'tail-cut',
  'opened',
  'checkpoint-loaded',
  'log-replayed',
];

/** Under load, and which time: the first time of a segment's steps is in recovery. */
const AT_WORK: readonly (readonly [step: AnyStep, nth: number])[] = [
  ['segment-created', 2],
  ['header-written', 2],
  ['header-synced', 2],
  ['segment-named', 2],
  ['directory-synced', 2],
  ['group-written', 1],
  ['group-written', 40],
  ['group-synced', 1],
  ['group-synced', 40],
  ['sealed', 1],
  ['trimmed-unlink', 1],
  ['trimmed-synced', 1],
  ['checkpoint-written', 1],
  ['ledger-synced', 1],
  ['checkpoint-synced', 1],
  ['checkpoint-renamed', 1],
  ['checkpoint-named', 1],
  ['checkpoint-unlinked', 1],
  ['copies-written', 1],
  ['span-let-go', 1],
  ['archive-begun', 1],
  ['archive-written', 2],
  ['archive-synced', 1],
];

const AT_CLOSE: readonly AnyStep[] = ['closing', 'checkpoint-renamed'];

const again = (death: Death): Death[] => [death, death, death];

test('the table names every step that there is', () => {
  const named = new Set([...IN_RECOVERY, ...AT_WORK.map(([step]) => step), ...AT_CLOSE]);
  assert.deepEqual(
    CRASH_POINTS.filter((step) => !named.has(step)),
    [],
  );
});

for (const step of IN_RECOVERY) {
  test(`I1: dying in recovery at ${step}, three times in a row, loses nothing`, () =>
    // A checkpoint to be loaded, and work under way.
    crashTrial([{ step: 'checkpoint-named', when: 'work' }, ...again({ step, when: 'start' })]));
}

for (const [step, nth] of AT_WORK) {
  test(`I1: dying under load at ${step}:${nth}, once and three times more, loses nothing`, () =>
    crashTrial([
      { step, nth, when: 'work' },
      { step: 'opened', when: 'start' },
      ...again({ step, nth, when: 'work' }),
    ]));
}

for (const step of AT_CLOSE) {
  test(`I1: dying while it is told to end, at ${step}, loses nothing`, () =>
    crashTrial(again({ step, when: 'close' })));
}
