/**
 * Alerts on disk, so that a restart neither forgets one nor tells it anew. What is written is a copy of what memory holds: a
 * disk that takes nothing costs the copy, never the alert; what was not written is tried again with the next change.
 */
import type { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../lib/sqlite/open.ts';
import type { Alert } from './contract.ts';

export interface AlertStore {
  /** Every alert that is kept. */
  alerts(): readonly Alert[];
  /** Writes alerts as they are now and removes others, all or nothing. @throws what SQLite throws */
  write(changed: readonly Alert[], removed: readonly number[]): void;
  /** A note by name, such as what rules remember over a restart; undefined when there is none. */
  note(name: string): string | undefined;
  /** @throws what SQLite throws */
  setNote(name: string, text: string): void;
  readonly database: DatabaseSync;
  close(): void;
}

/**
 * Opens the file, making it when there is none.
 *
 * @throws what SQLite throws when it cannot be opened at all
 */
export function openAlertStore(path: string): AlertStore {
  const database = openDatabase(
    path,
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS alerts (id INTEGER PRIMARY KEY, alert TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, note TEXT NOT NULL) WITHOUT ROWID;`,
  );
  const put = database.prepare('INSERT OR REPLACE INTO alerts (id, alert) VALUES (?, ?)');
  const remove = database.prepare('DELETE FROM alerts WHERE id = ?');
  const setNote = database.prepare('INSERT OR REPLACE INTO notes (name, note) VALUES (?, ?)');
  const note = database.prepare('SELECT note FROM notes WHERE name = ?');
  return {
    database,
    alerts: () =>
      database
        .prepare('SELECT alert FROM alerts ORDER BY id')
        .all()
        .flatMap((row) => readable(String(row['alert']))),
    write(changed, removed) {
      database.exec('BEGIN');
      try {
        for (const alert of changed) put.run(alert.id, JSON.stringify(alert));
        for (const id of removed) remove.run(id);
        database.exec('COMMIT');
      } catch (error) {
        // A full disk has rolled it back already.
        if (database.isTransaction) database.exec('ROLLBACK');
        throw error;
      }
    },
    note: (name) => note.get(name)?.['note'] as string | undefined,
    setNote: (name, text) => void setNote.run(name, text),
    close: () => database.close(),
  };
}

/** An alert whose text decayed is left out: what still holds is raised anew. */
function readable(text: string): readonly Alert[] {
  try {
    return [JSON.parse(text) as Alert];
  } catch {
    return [];
  }
}
