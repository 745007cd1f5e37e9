import { DatabaseSync } from 'node:sqlite';
import { resultCode } from '../lib/sqlite/lock.ts';

/**
 * The tables of the books. All of it is a cache of the archives: a file of another version, or one that SQLite calls
 * damaged, is put aside and summed anew.
 */
export const BOOKS_VERSION = 3;

const TABLES = `
  CREATE TABLE progress (shard INTEGER PRIMARY KEY, file INTEGER NOT NULL, bytes INTEGER NOT NULL);
  CREATE TABLE seen_streams (stream TEXT NOT NULL, epoch TEXT NOT NULL, upto INTEGER NOT NULL, PRIMARY KEY (stream, epoch)) WITHOUT ROWID;
  CREATE TABLE accepted (stream TEXT NOT NULL, hour INTEGER NOT NULL, epoch TEXT NOT NULL, first INTEGER NOT NULL,
    lines INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (stream, epoch, hour)) WITHOUT ROWID;
  CREATE TABLE not_taken (stream TEXT NOT NULL, hour INTEGER NOT NULL, reason TEXT NOT NULL, requests INTEGER NOT NULL,
    lines INTEGER NOT NULL, PRIMARY KEY (stream, hour, reason)) WITHOUT ROWID;
  CREATE TABLE seen_refusals (shard INTEGER PRIMARY KEY, sequence INTEGER NOT NULL);
  CREATE TABLE jobs (job INTEGER PRIMARY KEY, stream TEXT NOT NULL, epoch TEXT NOT NULL, start INTEGER NOT NULL, sequence INTEGER NOT NULL);
  CREATE TABLE settled (job INTEGER NOT NULL, life INTEGER NOT NULL, hour INTEGER NOT NULL, outcome TEXT NOT NULL,
    lines INTEGER NOT NULL, PRIMARY KEY (job, life, hour, outcome)) WITHOUT ROWID;
  CREATE TABLE sent (job INTEGER NOT NULL, hour INTEGER NOT NULL, batches INTEGER NOT NULL, plain_bytes INTEGER NOT NULL,
    sent_bytes INTEGER NOT NULL, PRIMARY KEY (job, hour)) WITHOUT ROWID;
`;

/** SQLite's primary result codes (sqlite.org/rescode.html) of a file that is damaged, or none of SQLite's. */
const CORRUPT = 11;
const NOT_A_DATABASE = 26;
/** SQLite's general error: a statement does not fit the tables, because the name of a column has decayed. */
const NO_SUCH_COLUMN = 1;

/**
 * Opens the sums, making them when there are none; undefined when what is there cannot be used.
 *
 * @throws what SQLite throws when the disk is full or does not answer: that says nothing against what is there
 */
export function openTables(path: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    const version = database.prepare('PRAGMA user_version').get()?.['user_version'];
    if (version === 0)
      database.exec(`BEGIN; ${TABLES} PRAGMA user_version = ${BOOKS_VERSION}; COMMIT;`);
    else if (version !== BOOKS_VERSION) {
      database.close();
      return undefined;
    }
    database.prepare('SELECT count(*) FROM progress').get();
    return database;
  } catch (error) {
    database?.close();
    if (isDamaged(error)) return undefined;
    throw error;
  }
}

/** Whether SQLite says that what it reads is no sound file of ours; a full disk or a failed read says nothing of the kind. */
export function isDamaged(error: unknown): boolean {
  const code = resultCode(error);
  return code === CORRUPT || code === NOT_A_DATABASE || code === NO_SUCH_COLUMN;
}
