/** The change log as it lies in the store: what is written of an edit, and what is read back. */
import { VOICES } from './store.ts';
import type { ChangeEntry } from './store.ts';

export interface ChangeRow {
  readonly version: number;
  readonly at_ms: number;
  readonly who: string;
  readonly address: string | null;
  readonly what: string;
  readonly voice: string | null;
  readonly reason: string | null;
  readonly edits: string;
}

/** Entries of the first format do not say whom they concern. */
export function changeEntry(row: ChangeRow): ChangeEntry {
  const edits = JSON.parse(row.edits) as readonly (Omit<
    ChangeEntry['edits'][number],
    'concerns'
  > & {
    readonly concerns?: readonly string[];
  })[];
  return {
    version: row.version,
    atMs: row.at_ms,
    who: row.who,
    address: row.address,
    what: row.what,
    voice: VOICES.find((voice) => voice === row.voice) ?? null,
    reason: row.reason,
    edits: edits.map((edit) => ({ ...edit, concerns: edit.concerns ?? [] })),
  };
}

/** What the change log shows of a record: all but hashes of secrets, and what earlier entries show. */
export function forAudit(record: unknown): unknown {
  if (typeof record !== 'object' || record === null) return null;
  const shown: Record<string, unknown> = { ...record };
  delete shown['hash'];
  delete shown['created'];
  delete shown['olderContents'];
  return shown;
}
