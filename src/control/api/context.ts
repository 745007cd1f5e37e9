/** What the handlers share. */
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Random } from '../../lib/random.ts';
import { scopePath } from '../../model/scope.ts';
import type { Scope } from '../../model/scope.ts';
import type { DataPlane, JobStatusView, ScopeReach } from '../data-plane.ts';
import type { Desk } from '../desk.ts';
import type { Erasures } from '../held/erasures.ts';
import type { Trials } from '../jobs/trials.ts';
import type { JobRules } from '../jobs/change.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { StateView } from '../store/state.ts';
import type { Rotation } from '../secrets/rotation.ts';
import type { CopiedStore } from '../snapshots/copied-store.ts';
import type { WantedDesk } from '../wanted/index.ts';

export interface Context {
  readonly desk: Desk;
  readonly store: CopiedStore;
  readonly rotation: Rotation;
  readonly rules: JobRules;
  readonly dataPlane: DataPlane;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly version: string;
  readonly trials: Trials;
  readonly wanted: WantedDesk;
  readonly erasures: Erasures;
  readonly bounds: {
    readonly dataPlaneMs: number;
    readonly trialMs: number;
    readonly challengeMs: number;
    readonly jobsPerScope: number;
    readonly accounts: number;
    readonly zones: number;
    readonly datasets: number;
    readonly tokens: number;
    /** Objects that a difference lists. */
    readonly diffObjects: number;
    readonly erasureMs: number;
    readonly holdbackMs: number;
  };
}

export type Asked<T> = { readonly kind: 'answer'; readonly value: T } | Refusal;

/** Asks the data plane, and waits no longer than the bound: the API answers whatever the shards do (I9). */
export async function ask<T>(
  context: Context,
  what: string,
  question: () => Promise<T>,
  waitMs: number = context.bounds.dataPlaneMs,
): Promise<Asked<T>> {
  const { clock, diagnostics } = context;
  return await new Promise<Asked<T>>((resolve) => {
    const silent = (reason: string): void => {
      diagnostics.warn('the data plane did not answer', { what, reason });
      resolve(refuse('data_plane_silent'));
    };
    const cancel = clock.after(waitMs, () => silent(`nothing within ${waitMs} ms`));
    Promise.resolve()
      .then(question)
      .then(
        (value) => resolve({ kind: 'answer', value }),
        (error: unknown) => silent(error instanceof Error ? error.message : String(error)),
      )
      .finally(cancel);
  });
}

/** What jobs are doing, by id; nothing for those of which the data plane knows nothing or does not say it in time. */
export async function statuses(
  context: Context,
  jobs: readonly number[],
): Promise<ReadonlyMap<number, JobStatusView>> {
  if (jobs.length === 0) return new Map();
  const asked = await ask(context, 'jobStatuses', () => context.dataPlane.jobStatuses(jobs));
  return new Map(asked.kind === 'answer' ? asked.value.map((status) => [status.job, status]) : []);
}

/** A scope with its zones and all their jobs. */
export function reachOf(state: StateView, scope: Scope): ScopeReach {
  const zones = scope.kind === 'account' ? state.zonesOf(scope.id) : [];
  const scopes = [scope, ...zones.map(({ id }): Scope => ({ kind: 'zone', id }))];
  const among = new Set(scopes.map(scopePath));
  return {
    scope,
    scopes,
    jobs: scopes.flatMap((one) => state.jobsOf(one).map(({ id }) => id)),
    replays: [...state.replays.values()]
      .filter((replay) => among.has(scopePath(replay.scope)))
      .map(({ id }) => id),
  };
}
