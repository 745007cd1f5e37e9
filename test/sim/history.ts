/** Runs a history from its seed; makes one that fails as short as it still fails. */
import { seededRandom } from '../../src/lib/random.ts';
import { drawActions } from './actions.ts';
import type { Action, Troubles } from './actions.ts';
import type { Seams } from './shard.ts';
import { Seen } from './seen.ts';
import { shrink, told, withoutHanging } from './shrink.ts';
import { World } from './world.ts';

export interface History {
  readonly seed: number;
  readonly actions: number;
}

export type Verdict =
  | { readonly kind: 'held'; readonly seen: Seen }
  | { readonly kind: 'broken'; readonly error: Error; readonly at: number; readonly seen: Seen };

/** Which troubles a seed's history has: decay apart from power cuts' own checks, so that both are strict. */
function troublesOf(seed: number): Troubles {
  return {
    faults: seed % 2 === 0,
    flips: seed % 5 === 4,
    space: seed % 3 === 0,
    clock: seed % 4 === 1,
  };
}

function actionsOf({ seed, actions }: History): Action[] {
  return drawActions(seededRandom(seed), actions, troublesOf(seed));
}

/** Runs actions over a fresh shard, and ends with a power cut and a look. */
async function runActions(
  seed: number,
  actions: readonly Action[],
  seams?: () => Seams,
): Promise<Verdict> {
  const world = new World(seed, seams?.());
  let at = 0;
  try {
    await world.start();
    for (const action of actions) {
      await withoutHanging(world.run(action), action);
      at += 1;
    }
    await world.run({ kind: 'heal' });
    await world.run({ kind: 'crash', deaths: [{ power: true, calls: 0 }] });
    // A fresh write gets through after all of it.
    await world.run({
      kind: 'append',
      watch: false,
      requests: [{ stream: 0, lines: 2, pad: 0, identity: 'key' }],
    });
    return { kind: 'held', seen: world.seen };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { kind: 'broken', error, at, seen: world.seen };
  }
}

export function runHistory(history: History, seams?: () => Seams): Promise<Verdict> {
  return runActions(history.seed, actionsOf(history), seams);
}

/** What a test says of a history that broke. */
export async function explain(history: History, broken: Error): Promise<string> {
  const run = (actions: readonly Action[]) => runActions(history.seed, actions);
  return told(history, await shrink(run, actionsOf(history), broken), broken);
}
