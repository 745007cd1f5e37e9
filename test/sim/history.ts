/** Runs a history from its seed; makes one that fails as short as it still fails. */
import { seededRandom } from '../../src/lib/random.ts';
import { drawActions } from './actions.ts';
import type { Action, Troubles } from './actions.ts';
import type { Seams } from './shard.ts';
import { Seen } from './seen.ts';
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

/** Far longer than any action takes: what is not done by then waits for something that never comes. */
const HANGING_MS = 20_000;

async function withoutHanging(work: Promise<void>, action: Action): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const hanging = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`hangs: ${JSON.stringify(action)}`)), HANGING_MS);
  });
  await Promise.race([work, hanging]).finally(() => clearTimeout(timer));
}

export function runHistory(history: History, seams?: () => Seams): Promise<Verdict> {
  return runActions(history.seed, actionsOf(history), seams);
}

/** Numbers and names apart, what a failure says: shrinking must not run into another one. */
function claim(error: Error): string {
  return error.message.replaceAll(/[0-9a-f-]*\d[0-9a-f-]*/g, '#').slice(0, 60);
}

/** Leaves out all that is not needed for the failure. Gives up after `tries` runs. */
async function shrink(
  { seed }: History,
  actions: readonly Action[],
  broken: Error,
  tries = 400,
): Promise<readonly Action[]> {
  let best = actions;
  let left = tries;
  for (let size = Math.ceil(best.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < best.length && left > 0;) {
      const without = [...best.slice(0, from), ...best.slice(from + size)];
      left -= 1;
      const verdict = await runActions(seed, without);
      const same = verdict.kind === 'broken' && claim(verdict.error) === claim(broken);
      if (same) best = without;
      else from += size;
    }
  }
  return best;
}

/** What a test says of a history that broke. */
export async function explain(history: History, broken: Error): Promise<string> {
  const actions = await shrink(history, actionsOf(history), broken);
  const steps = actions.map((action) => JSON.stringify(action)).join('\n');
  return `seed ${history.seed}, ${history.actions} actions: ${broken.message}\nshrunk to:\n${steps}\n${broken.stack}`;
}
