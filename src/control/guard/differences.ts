/** What lies between two configurations, as edits: for a configuration that comes as a whole and has to pass the guard. */
import { everyRecord } from '../store/contents.ts';
import type { StateView } from '../store/state.ts';
import type { Contents, Edit } from '../store/store.ts';

/** The edits that make `after` of what stands. */
export function editsBetween(before: StateView, after: Contents['records']): readonly Edit[] {
  const standing = new Map(
    everyRecord(recordsOf(before)).map((one) => [`${one.kind}/${one.id}`, one]),
  );
  const edits: Edit[] = [];
  for (const { kind, id, record } of everyRecord(after)) {
    const stands = standing.get(`${kind}/${id}`)?.record ?? null;
    standing.delete(`${kind}/${id}`);
    if (JSON.stringify(stands) !== JSON.stringify(record))
      edits.push({ kind, id, before: stands, after: record } as Edit);
  }
  for (const { kind, id, record } of standing.values())
    edits.push({ kind, id, before: record, after: null } as Edit);
  return edits;
}

/** Whether a configuration holds nothing at all. */
export function isBlank(records: Contents['records']): boolean {
  return Object.values(records).every((list) => list.length === 0);
}

/** All records of a state, by kind. */
export function recordsOf(state: StateView): Contents['records'] {
  return {
    account: [...state.accounts.values()],
    zone: [...state.zones.values()],
    dataset: [...state.datasets.values()],
    job: [...state.jobs.values()],
    token: [...state.tokens.values()],
    deleted_job: [...state.deletedJobs.values()],
    replay: [...state.replays.values()],
    erasure: [...state.erasures.values()],
    stage: state.stage ? [state.stage] : [],
  };
}
