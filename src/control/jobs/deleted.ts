/**
 * Deleting a job and bringing it back: nothing narrows at once. What was deleted stays in the store with its secret for as
 * long as the data plane holds its cursor and lines, and the replays of it end with it. Pure.
 */
import { limits } from '../../model/limits.ts';
import type { Scope } from '../../model/scope.ts';
import { datasetOf } from '../datasets/catalog.ts';
import type { Edited } from '../desk.ts';
import { refuse } from '../refusal.ts';
import type { DeletedJobRecord, JobRecord, ReplayRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import type { Edit } from '../store/store.ts';

/** Who deletes, and when. */
export interface Deletion {
  readonly by: string;
  readonly atMs: number;
}

/** Where a restored job goes on. */
export type RestoreFrom =
  /** Where it stopped. */
  | { readonly kind: 'stopped'; readonly isHeld: boolean }
  /** From the stream's end of now; what was not settled is not wanted. Null: the stream never had a line. */
  | {
      readonly kind: 'now';
      readonly place: { readonly epoch: string; readonly offset: number } | null;
    };

export function deleteJob(
  state: StateView,
  before: JobRecord,
  { by, atMs }: Deletion,
  kept: number = limits.control.deletedJobsPerScope,
): Edited<JobRecord> {
  const deleted: DeletedJobRecord = { id: before.id, job: before, deletedMs: atMs, by };
  const crowded = deletedOf(state, before)
    .toSorted((a, b) => b.deletedMs - a.deletedMs)
    .slice(Math.max(0, kept - 1));
  const replays = [...state.replays.values()].filter(
    (replay) => replay.job === before.id && replay.state === 'running',
  );
  return {
    kind: 'draft',
    edits: [
      { kind: 'job', id: String(before.id), before, after: null },
      { kind: 'deleted_job', id: String(before.id), before: null, after: deleted },
      ...crowded.map(forget),
      ...replays.map((replay) => ended(replay, 'cancelled', atMs)),
    ],
    dropSecrets: [
      ...crowded.map(({ job }) => job.secret.id),
      ...replays.flatMap(({ secret }) => (secret ? [secret.id] : [])),
    ],
    value: before,
  };
}

/** Brings a deleted job back under its id, as it was. */
export function restoreJob(
  state: StateView,
  version: number,
  deleted: DeletedJobRecord,
  from: RestoreFrom,
  mayAdd: boolean,
): Edited<JobRecord> {
  const { job } = deleted;
  if (state.accountOf(job.scope) === undefined) return refuse('scope_unknown');
  if (!datasetOf(state.datasets, job.scope.kind, job.dataset)) return refuse('dataset_unknown');
  if (!mayAdd) return refuse('limit_reached', 'exceeded max jobs allowed');
  if (from.kind === 'stopped' && job.enabled && !from.isHeld) return refuse('holdback_over');
  const skipTo = from.kind === 'now' ? from.place : null;
  const after: JobRecord = { ...job, ...(skipTo ? { skipTo } : {}), version };
  return {
    kind: 'draft',
    edits: [
      { kind: 'job', id: String(job.id), before: null, after },
      { kind: 'deleted_job', id: String(job.id), before: deleted, after: null },
    ],
    value: after,
  };
}

/** Forgets deleted jobs that cannot be restored any more, with their secrets. */
export function forgetDeleted(gone: readonly DeletedJobRecord[]): Edited<null> {
  if (gone.length === 0) return { kind: 'unchanged', value: null };
  return {
    kind: 'draft',
    edits: gone.map(forget),
    dropSecrets: gone.map(({ job }) => job.secret.id),
    value: null,
  };
}

/**
 * What is left of a scope that goes: whoever gets its id later must neither see nor restore it. Erasures that are not in force
 * yet stay until they are.
 */
export function leftoversOf(
  state: StateView,
  { id, kind }: Scope,
): { readonly edits: readonly Edit[]; readonly dropSecrets: readonly string[] } {
  const isOf = (scope: Scope): boolean => scope.kind === kind && scope.id === id;
  const deleted = [...state.deletedJobs.values()].filter(({ job }) => isOf(job.scope));
  const replays = [...state.replays.values()].filter(({ scope }) => isOf(scope));
  const erasures = [...state.erasures.values()].filter(
    (one) => isOf(one.scope) && one.state !== 'ordered',
  );
  return {
    edits: [
      ...deleted.map(forget),
      ...replays.map((before): Edit => ({
        kind: 'replay',
        id: String(before.id),
        before,
        after: null,
      })),
      ...erasures.map((before): Edit => ({ kind: 'erasure', id: before.id, before, after: null })),
    ],
    dropSecrets: [
      ...deleted.map(({ job }) => job.secret.id),
      ...replays.flatMap(({ secret }) => (secret ? [secret.id] : [])),
    ],
  };
}

/** The edit that ends a replay. */
export function ended(
  before: ReplayRecord,
  how: 'done' | 'cancelled',
  atMs: number,
  result: ReplayRecord['result'] = null,
): Edit {
  const after: ReplayRecord = { ...before, state: how, endedMs: atMs, secret: null, result };
  return { kind: 'replay', id: String(before.id), before, after };
}

function forget(deleted: DeletedJobRecord): Edit {
  return { kind: 'deleted_job', id: String(deleted.id), before: deleted, after: null };
}

function deletedOf(state: StateView, { scope }: JobRecord): readonly DeletedJobRecord[] {
  return [...state.deletedJobs.values()].filter(
    ({ job }) => job.scope.kind === scope.kind && job.scope.id === scope.id,
  );
}
