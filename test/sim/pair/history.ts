/** Runs a history of two shards from its seed, and what a test says of one that breaks. */
import assert from 'node:assert/strict';

import { seededRandom } from '../../../src/lib/random.ts';
import type { History } from '../history.ts';
import seeds from '../seeds.json' with { type: 'json' };
import { shrink, told, withoutHanging } from '../shrink.ts';
import { drawPairActions } from './actions.ts';
import type { PairAction, PairTroubles } from './actions.ts';
import type { PairSeams } from './inside.ts';
import { poisonPools } from './poison.ts';
import { PairSeen } from './seen.ts';
import { PairWorld } from './world.ts';

poisonPools();

export type PairVerdict =
  | { readonly kind: 'held'; readonly seen: PairSeen }
  | { readonly kind: 'broken'; readonly error: Error; readonly seen: PairSeen };

/** Histories that failed once, with what they found. They run first. */
export const FAILED: readonly (History & { readonly found: string })[] = seeds.pair.failed;

/** Per planted bug the history that is known to find it: the search begins there. */
export const BITES: Readonly<Record<string, History>> = seeds.pair.bites;

/** Which troubles a seed's history has; half of those with large bodies have a disk that is well. */
function troublesOf(seed: number): PairTroubles {
  return { faults: seed % 2 === 0, large: seed % 3 === 0 };
}

function actionsOf({ seed, actions }: History): PairAction[] {
  return drawPairActions(seededRandom(seed), actions, troublesOf(seed));
}

async function runActions(
  seed: number,
  actions: readonly PairAction[],
  seams?: () => PairSeams,
): Promise<PairVerdict> {
  const world = new PairWorld(seed, seams?.(), troublesOf(seed).large);
  try {
    await withoutHanging(world.start(), 'start');
    for (const action of actions) await withoutHanging(world.run(action), action);
    await withoutHanging(world.end(), 'end');
    return { kind: 'held', seen: world.seen };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { kind: 'broken', error, seen: world.seen };
  }
}

export function runPairHistory(history: History, seams?: () => PairSeams): Promise<PairVerdict> {
  return runActions(history.seed, actionsOf(history), seams);
}

/** Runs a history; when it breaks the error says how to repeat it, as short as can be. */
export async function mustHold(history: History): Promise<PairSeen> {
  const verdict = await runPairHistory(history);
  if (verdict.kind === 'held') return verdict.seen;
  const run = (actions: readonly PairAction[]) => runActions(history.seed, actions);
  const left = await shrink(run, actionsOf(history), verdict.error);
  return assert.fail(told(history, left, verdict.error));
}

/** Runs histories one after the other until so many steps were made, or time is up. */
export async function runMany(bounds: {
  readonly firstSeed: number;
  readonly actions: number;
  readonly steps: number;
  readonly mostMs: number;
}): Promise<PairSeen> {
  const { actions, firstSeed, mostMs, steps } = bounds;
  const seen = new PairSeen();
  const until = performance.now() + mostMs;
  for (let seed = firstSeed; seen.steps < steps && performance.now() < until; seed += 1) {
    seen.add(await mustHold({ seed, actions }));
  }
  return seen;
}

/** A run that met nothing proves nothing. */
export function assertMet(seen: PairSeen, refusals: readonly string[]): void {
  for (const [what, count] of Object.entries(seen)) {
    if (typeof count === 'number') assert.ok(count > 0, `${what} was met: ${JSON.stringify(seen)}`);
  }
  for (const code of refusals) assert.ok(seen.refusals.has(code), `${code} was met`);
}
