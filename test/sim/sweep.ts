/**
 * The n-th call fails: a scenario that does everything a shard does, run again for every kind of call and every n until it
 * passes untouched. The model beside it says what must hold while the fault strikes, after it, and after a power cut.
 */
import assert from 'node:assert/strict';

import { OPERATIONS } from '../../src/lib/fs/sim.ts';
import type { Operation } from '../../src/lib/fs/sim.ts';
import type { Action, FaultKind, Request } from './actions.ts';
import type { Seams } from './shard.ts';
import { World } from './world.ts';

export { OPERATIONS };
export type { Operation };

interface Strike {
  readonly operation: Operation;
  readonly nth: number;
  readonly forever: boolean;
  readonly effect: FaultKind;
  /** Counted from the start of a process, or from when it has started. */
  readonly phase: 'start' | 'work';
  /** Whether the power goes while the fault is still there, or the fault ends first. */
  readonly cut: boolean;
}

const request = (
  stream: number,
  lines: number,
  identity: Request['identity'] = 'none',
): Request => ({ stream, lines, pad: 40, identity });
const append = (...requests: readonly Request[]): Action => ({
  kind: 'append',
  requests,
  watch: false,
});
const work = (job: number, count: number): Action => ({ kind: 'work', job, count });
const tend: Action = { kind: 'tend', wait: true };
const pass: Action = { kind: 'pass', ms: 1_500 };
const read = (stream: number): Action => ({ kind: 'read', stream, share: 0, bytes: 900 });

/** Something to recover: jobs, two checkpoints, a tail, and work half done. */
const BEFORE: readonly Action[] = [
  { kind: 'open', job: 0, stream: 0, oldest: true },
  { kind: 'open', job: 1, stream: 0, oldest: true },
  { kind: 'open', job: 2, stream: 1, oldest: true },
  append(request(0, 12, 'key'), request(1, 5, 'producer')),
  work(0, 40),
  tend,
  append(request(0, 25), request(2, 3)),
  work(2, 3),
  pass,
  tend,
  append(request(1, 8, 'key')),
  { kind: 'plan', job: 1, skip: 0, count: 6 },
];

const KILL: Action = { kind: 'crash', deaths: [{ power: false, calls: 0 }] };

/** Commits alone and together, plans and waybills, a roll, a checkpoint, trimming, compaction, reading. */
const SCENARIO: readonly Action[] = [
  append(request(0, 4, 'key')),
  append(request(0, 2), request(1, 30, 'key'), request(2, 1)),
  work(1, 60),
  { kind: 'settle', job: 0, pick: 0, count: 9 },
  pass,
  tend,
  read(0),
  append(request(1, 9), request(1, 9), request(0, 9)),
  work(2, 50),
  { kind: 'close', job: 0 },
  { kind: 'open', job: 3, stream: 2, oldest: true },
  pass,
  tend,
  read(1),
  read(2),
  { kind: 'repeat', pick: 1 },
  append(request(2, 3, 'producer')),
];

interface Struck {
  /** Whether the fault met a call at all. */
  readonly struck: boolean;
  /** Requests and records that were refused. */
  readonly refused: number;
}

async function strike(
  { cut, phase, ...fault }: Strike,
  seams: Seams = {},
  seed = fault.nth,
): Promise<Struck> {
  const world = new World(seed, seams);
  await world.start();
  for (const action of BEFORE) await world.run(action);
  if (phase === 'work') await world.run(KILL);
  await world.run({ kind: 'fault', ...fault });
  if (phase === 'start') await world.run(KILL);
  for (const action of SCENARIO) await world.run(action);
  const struck = world.disk.struck > 0;
  const refused = world.seen.refused + world.seen.recordsFailed;
  if (!cut) {
    // Intake resumes by itself: the model demands it.
    await world.run({ kind: 'heal' });
    for (const action of SCENARIO) await world.run(action);
  }
  await world.run({ kind: 'crash', deaths: [{ power: true, calls: 0 }] });
  await world.run(append(request(0, 2, 'key')));
  assert.equal(world.seen.linesLost, 0);
  return { struck, refused };
}

/** Strikes each n, `stride` apart, until the scenario passes untouched. Returns how often it struck. */
export async function sweep(
  fault: Omit<Strike, 'nth' | 'cut'>,
  stride: number,
  cuts: readonly boolean[],
): Promise<number> {
  let struck = 0;
  for (let nth = 1; ; nth += stride) {
    let met = false;
    for (const cut of cuts) {
      const wanted = { ...fault, nth, cut };
      try {
        met = (await strike(wanted)).struck || met;
      } catch (error) {
        throw new Error(`with ${JSON.stringify(wanted)}`, { cause: error });
      }
    }
    if (!met) return struck;
    struck += 1;
  }
}

/** What can befall a call of this kind. */
export function faultsOf(
  operation: Operation,
): { readonly effect: FaultKind; readonly forever: boolean }[] {
  const kinds: FaultKind[] = ['EIO', 'ENOSPC', 'EROFS', 'stall'];
  if (operation === 'open') kinds.push('EMFILE');
  if (operation === 'write') kinds.push('ENOSPC-partial', 'short');
  if (operation === 'read') kinds.push('short');
  const once = kinds.map((effect) => ({ effect, forever: false }));
  const lasting = kinds.filter((effect) => effect !== 'stall');
  return [...once, ...lasting.map((effect) => ({ effect, forever: true }))];
}
