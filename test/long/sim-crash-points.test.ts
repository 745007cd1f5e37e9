/**
 * Every durability step of log, buffer and archive: the real process dies there, once and again. Trials are chains of deaths in
 * one folder, each of which finds what the one before it left; what was promised is judged at the end of each chain.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CRASH_POINTS } from '../../src/app/crash-point.ts';
import type { AnyStep } from '../../src/app/crash-point.ts';
import { crashTrial } from '../kill/crash-points.ts';
import type { Death } from '../kill/crash-points.ts';

/** Done in each start, so that dying there twice in a row is dying in recovery itself. */
const IN_RECOVERY: readonly AnyStep[] = [
  'locked',
  'scanned',
  'segment-created',
  'header-synced',
  'segment-named',
  'directory-synced',
  'tail-cut',
  'opened',
  'checkpoint-loaded',
  'log-replayed',
];

type AtWork = readonly [step: AnyStep, nth: number];

/** Under load, and which time: the first time of a segment's steps is in recovery. */
const AT_WORK: Readonly<Record<string, readonly AtWork[]>> = {
  'a new segment': [
    ['segment-created', 2],
    ['header-synced', 2],
    ['segment-named', 2],
    ['directory-synced', 2],
  ],
  'a group': [
    ['group-synced', 1],
    ['group-synced', 40],
    ['sealed', 1],
  ],
  'a checkpoint': [
    ['checkpoint-written', 1],
    ['ledger-synced', 1],
    ['checkpoint-synced', 1],
    ['checkpoint-renamed', 1],
    ['checkpoint-named', 1],
    ['checkpoint-unlinked', 1],
  ],
  'space that is freed, and the archive': [
    ['copies-written', 1],
    ['span-let-go', 1],
    ['trimmed-unlink', 1],
    ['trimmed-synced', 1],
    ['archive-begun', 1],
    ['archive-written', 2],
    ['archive-synced', 1],
  ],
};

const AT_CLOSE: readonly AnyStep[] = ['closing', 'checkpoint-renamed'];

test('the table names every step that there is', () => {
  const atWork = Object.values(AT_WORK).flatMap((steps) => steps.map(([step]) => step));
  const named = new Set([...IN_RECOVERY, ...atWork, ...AT_CLOSE]);
  assert.deepEqual(
    CRASH_POINTS.filter((step) => !named.has(step)),
    [],
  );
});

/** Which step of recovery comes next: each one twice over the table. */
let turns = 0;

/** Dies at a step under load, then twice in a row in the recovery from it, then at the same step again. */
function around([step, nth]: AtWork): Death[] {
  const death: Death = { step, nth, when: 'work' };
  const inRecovery: Death = { step: IN_RECOVERY[turns++ % IN_RECOVERY.length]!, when: 'start' };
  return [death, inRecovery, inRecovery, death];
}

/** Recovery has a checkpoint to load from the first death on. */
const WITH_CHECKPOINT: Death = { step: 'checkpoint-named', when: 'work' };

for (const [what, steps] of Object.entries(AT_WORK)) {
  const deaths = [WITH_CHECKPOINT, ...steps.flatMap(around)];
  const told = steps.map(([step, nth]) => `${step}:${nth}`).join(', ');
  test(`I1: dying at each step of ${what} (${told}) and in the recoveries from it loses nothing`, () =>
    crashTrial(deaths));
}

test('I1: dying while it is told to end, at each step of that, loses nothing', () =>
  crashTrial(
    AT_CLOSE.flatMap((step): Death[] => [
      { step, when: 'close' },
      { step, when: 'close' },
    ]),
  ));

test('each step of recovery has its turn at least twice', () => {
  assert.ok(turns >= 2 * IN_RECOVERY.length, `${turns} turns`);
});
