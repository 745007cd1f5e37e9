/** What the short, the long and the night's run of the model share. */
import assert from 'node:assert/strict';

import { explain, runHistory } from './history.ts';
import type { History } from './history.ts';
import seeds from './seeds.json' with { type: 'json' };
import { Seen } from './seen.ts';

/** Histories that failed once, with what they found. They run first. */
export const FAILED: readonly (History & { readonly found: string })[] = seeds.failed;

/** Per planted bug the history that is known to find it: the search begins there. */
export const BITES: Readonly<Record<string, History>> = seeds.bites;

/** Runs a history; when it breaks the error says how to repeat it, as short as can be. */
export async function mustHold(history: History): Promise<Seen> {
  const verdict = await runHistory(history);
  if (verdict.kind === 'broken') assert.fail(await explain(history, verdict.error));
  return verdict.seen;
}

export interface Bounds {
  readonly firstSeed: number;
  readonly actions: number;
  readonly steps: number;
  readonly mostMs: number;
}

/** Runs histories one after the other until so many steps were made, or time is up. */
export async function runMany({ firstSeed, actions, steps, mostMs }: Bounds): Promise<Seen> {
  const seen = new Seen();
  const until = performance.now() + mostMs;
  for (let seed = firstSeed; seen.steps < steps && performance.now() < until; seed += 1) {
    seen.add(await mustHold({ seed, actions }));
  }
  return seen;
}

/** A run that met nothing proves nothing. */
export function assertMet(seen: Seen, besides: readonly (keyof Seen)[] = []): void {
  for (const [what, count] of Object.entries(seen)) {
    if (typeof count === 'number' && !besides.includes(what as keyof Seen)) {
      assert.ok(count > 0, `${what} was met: ${JSON.stringify(seen)}`);
    }
  }
}
