/**
 * A lock that dies with its process, held through SQLite.
 *
 * Node has no call for advisory file locks; SQLite's own lock on an exclusively opened database is one: the kernel lets
 * go of it when the process ends, however it ends, and it holds between containers on one kernel. Within a process SQLite
 * keeps count of its own locks, so a second taker is refused there too. Nothing is ever written to the file.
 *
 * The kernel drops such a lock when *any* descriptor of the file is closed by the process: never open the file otherwise.
 */
import { DatabaseSync } from 'node:sqlite';

/** SQLite's primary result codes (sqlite.org/rescode.html) that mean somebody else has the lock. */
const BUSY = 5;
const LOCKED = 6;

/** What is held now. Without a reference the collector would close a forgotten database, and with it the lock. */
const held = new Set<DatabaseSync>();

/**
 * Takes the lock, without waiting.
 *
 * @param path a file of its own, made when it is missing
 * @returns the way to let go of it, or `"held"` when somebody else has it
 * @throws what SQLite throws when the file can be neither made nor locked
 */
export function takeLock(path: string): (() => void) | 'held' {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = OFF; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    const code = resultCode(error);
    if (code === BUSY || code === LOCKED) return 'held';
    throw error;
  }
  held.add(database);
  return () => {
    if (held.delete(database)) database.close();
  };
}

/** SQLite's primary result code, or undefined when the error is not SQLite's. */
export function resultCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}
