/** Writes an entry of the change log into the store, and lets old ones go. */
import type { DatabaseSync } from 'node:sqlite';
import { scopePath } from '../../model/scope.ts';
import { forAudit } from './change-log.ts';
import type { ChangeRow } from './change-log.ts';
import type { ChangeEntry, VoiceKind } from './store.ts';

/** What is recorded of a change, whether it is made just now or comes from the snapshots. */
export interface RecordedChange {
  readonly atMs: number;
  readonly who: string;
  readonly address: string | null;
  readonly what: string;
  readonly voice: VoiceKind | null;
  readonly reason: string | null;
  readonly edits: readonly {
    readonly kind: string;
    readonly id: string;
    readonly before?: unknown;
    readonly after?: unknown;
  }[];
  readonly concerns: readonly (readonly string[])[];
}

/** Within the transaction that makes the change. */
export function recordChange(
  database: DatabaseSync,
  change: RecordedChange,
  version: number,
  checksum: string,
  changesKept: number,
): void {
  const edits = change.edits.map(({ kind, id, before, after }, index) => ({
    kind,
    id,
    before: forAudit(before),
    after: forAudit(after),
    concerns: change.concerns[index] ?? [],
  }));
  const { atMs, who, address, what, voice, reason } = change;
  database
    .prepare(
      'INSERT INTO changes (version, at_ms, who, address, what, voice, reason, edits, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    )
    .run(version, atMs, who, address, what, voice, reason, JSON.stringify(edits), checksum);
  const concern = database.prepare(
    'INSERT OR IGNORE INTO change_scopes (scope, version) VALUES (?, ?)',
  );
  for (const scope of new Set(change.concerns.flat())) concern.run(scope, version);
  forget(database, change, version - changesKept);
}

/** The oldest entries make room; and whoever gets a deleted scope's id later does not see what was before him. */
function forget(database: DatabaseSync, change: RecordedChange, upTo: number): void {
  const gone = database
    .prepare('DELETE FROM changes WHERE version <= ? RETURNING version, edits')
    .all(upTo) as unknown as readonly ChangeRow[];
  const unlist = database.prepare('DELETE FROM change_scopes WHERE scope = ? AND version = ?');
  for (const { version, edits } of gone) {
    const scopes = (JSON.parse(edits) as ChangeEntry['edits']).flatMap(
      (edit) => edit.concerns ?? [],
    );
    for (const scope of new Set(scopes)) unlist.run(scope, version);
  }
  for (const { kind, id, after } of change.edits) {
    if (after !== null || (kind !== 'account' && kind !== 'zone')) continue;
    database.prepare('DELETE FROM change_scopes WHERE scope = ?').run(scopePath({ kind, id }));
  }
}
