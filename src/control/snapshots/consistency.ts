/** What would not fit together any more after a set of edits: an object without the one that it belongs to. Pure. */
import { datasetOf } from '../datasets/catalog.ts';
import type { DatasetRecord, JobRecord, Kind, RecordOf, ZoneRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import type { Edit } from '../store/store.ts';

/** Says of each what is missing; empty when all fits. In O(size of the state), for changes of many objects. */
export function inconsistencies(state: StateView, edits: readonly Edit[]): readonly string[] {
  const accounts = overlaid(state.accounts, edits, 'account');
  const zones = overlaid<string, ZoneRecord>(state.zones, edits, 'zone');
  const datasets = overlaid<string, DatasetRecord>(state.datasets, edits, 'dataset');
  const jobs = overlaid<number, JobRecord>(state.jobs, edits, 'job', Number);
  const wrong: string[] = [];
  const names = new Map<string, string>();
  for (const zone of zones.values()) {
    if (!accounts.has(zone.account))
      wrong.push(`zone ${zone.id} belongs to account ${zone.account}, which is not there`);
    const other = names.get(zone.name);
    if (other !== undefined) wrong.push(`zones ${other} and ${zone.id} would have one name`);
    names.set(zone.name, zone.id);
    const stood = state.zones.get(zone.id);
    if (stood && stood.account !== zone.account)
      wrong.push(`zone ${zone.id} would go from account ${stood.account} to ${zone.account}`);
  }
  for (const job of jobs.values()) {
    const { scope } = job;
    if (!(scope.kind === 'zone' ? zones : accounts).has(scope.id))
      wrong.push(`job ${job.id} belongs to ${scope.kind} ${scope.id}, which is not there`);
    else if (!datasetOf(datasets, scope.kind, job.dataset))
      wrong.push(`job ${job.id} delivers dataset ${job.dataset}, which is not there`);
  }
  for (const edit of edits) {
    if (edit.kind !== 'token' || edit.after === null || edit.after.scopes === 'all') continue;
    for (const { kind, id } of edit.after.scopes) {
      if (!(kind === 'zone' ? zones : accounts).has(id))
        wrong.push(`token ${edit.id} is for ${kind} ${id}, which is not there`);
    }
  }
  return wrong;
}

function overlaid<Key extends string | number, Record extends RecordOf<Kind>>(
  standing: ReadonlyMap<Key, Record>,
  edits: readonly Edit[],
  kind: Kind,
  keyOf: (id: string) => Key = (id) => id as Key,
): ReadonlyMap<Key, Record> {
  const touched = edits.filter((edit) => edit.kind === kind);
  if (touched.length === 0) return standing;
  const overlay = new Map(standing);
  for (const { id, after } of touched) {
    if (after) overlay.set(keyOf(id), after as Record);
    else overlay.delete(keyOf(id));
  }
  return overlay;
}
