import { openDatabase } from '../lib/sqlite/open.ts';
import type { Attempt } from '../model/delivery.ts';

/** The last attempts of each job, for its owner to look at. Losing some in a crash loses no line and no count. */
export interface AttemptStore {
  /** Adds all or none of them. @throws what SQLite throws when the disk does not take them */
  add(attempts: readonly Attempt[]): void;
  /** Newest first. */
  list(job: number, most: number): readonly Attempt[];
  close(): void;
}

/** @param keep attempts remembered per job */
export function openAttemptStore(path: string, keep: number): AttemptStore {
  const database = openDatabase(
    path,
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS attempts (number INTEGER PRIMARY KEY, job INTEGER NOT NULL, attempt TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS by_job ON attempts (job, number);`,
  );
  const insert = database.prepare('INSERT INTO attempts (job, attempt) VALUES (?, ?)');
  const oldest = database.prepare(
    'SELECT number FROM attempts WHERE job = ? ORDER BY number DESC LIMIT 1 OFFSET ?',
  );
  const remove = database.prepare('DELETE FROM attempts WHERE job = ? AND number <= ?');
  const newest = database.prepare(
    'SELECT attempt FROM attempts WHERE job = ? ORDER BY number DESC LIMIT ?',
  );
  return {
    add(attempts) {
      database.exec('BEGIN');
      try {
        for (const attempt of attempts) insert.run(attempt.job, JSON.stringify(attempt));
        for (const job of new Set(attempts.map((attempt) => attempt.job))) {
          const last = oldest.get(job, keep) as { number: number } | undefined;
          if (last) remove.run(job, last.number);
        }
        database.exec('COMMIT');
      } catch (error) {
        // A full disk has rolled it back already.
        if (database.isTransaction) database.exec('ROLLBACK');
        throw error;
      }
    },
    list: (job, most) =>
      newest.all(job, Math.min(most, keep)).flatMap((row) => readable(String(row['attempt']))),
    close: () => database.close(),
  };
}

/** An attempt whose text decayed is left out: nothing rests on it. */
function readable(text: string): readonly Attempt[] {
  try {
    return [JSON.parse(text) as Attempt];
  } catch {
    return [];
  }
}
