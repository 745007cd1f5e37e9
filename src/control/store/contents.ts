/** What holds for every kind of record alike: the empty set, the store's id of each, and the order of ids given out. */
import { RECORDS, datasetKey } from './records.ts';
import type { DatasetRecord, Kind, RecordOf } from './records.ts';
import type { Edit } from './store.ts';

export type RecordsByKind = { [K in Kind]: RecordOf<K>[] };

/** No records of any kind. */
export function noRecords(): RecordsByKind {
  const kinds = Object.keys(RECORDS) as Kind[];
  return Object.fromEntries(kinds.map((kind) => [kind, []])) as unknown as RecordsByKind;
}

/** The id that a record has in the store, which for a dataset names its kind of scope as well. */
function storeId(kind: Kind, record: RecordOf<Kind>): string {
  return kind === 'dataset'
    ? datasetKey((record as DatasetRecord).scope, (record as DatasetRecord).id)
    : String(record.id);
}

/** Every record with its kind and store id, kind by kind. */
export function everyRecord(
  records: Readonly<Record<Kind, readonly RecordOf<Kind>[]>>,
): readonly { readonly kind: Kind; readonly id: string; readonly record: RecordOf<Kind> }[] {
  return (Object.keys(records) as Kind[]).flatMap((kind) =>
    records[kind].map((record) => ({ kind, id: storeId(kind, record), record })),
  );
}

/** The id that the next job gets once these edits are made. Replays and jobs are numbered together. */
export function nextJobAfter(nextJob: number, edits: readonly Edit[]): number {
  return edits.reduce(
    (next, edit) =>
      (edit.kind === 'job' || edit.kind === 'replay') && edit.after
        ? Math.max(next, edit.after.id + 1)
        : next,
    nextJob,
  );
}
