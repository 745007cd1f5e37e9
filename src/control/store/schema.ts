/** The tables of the control store, and how an older file becomes a newer one. */
import type { DatabaseSync } from 'node:sqlite';

/** Each entry brings a store from format `index` to `index + 1`. Entries are never changed, only added. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     version INTEGER NOT NULL,
     next_job INTEGER NOT NULL,
     checksum TEXT NOT NULL
   ) STRICT;
   INSERT INTO meta VALUES (1, 0, 1, '0000000000000000');
   CREATE TABLE objects (
     kind TEXT NOT NULL,
     id TEXT NOT NULL,
     body TEXT NOT NULL,
     PRIMARY KEY (kind, id)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE secrets (
     id TEXT PRIMARY KEY,
     version INTEGER NOT NULL,
     key_id TEXT NOT NULL,
     sealed BLOB NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE changes (
     version INTEGER PRIMARY KEY,
     at_ms INTEGER NOT NULL,
     who TEXT NOT NULL,
     address TEXT,
     what TEXT NOT NULL,
     edits TEXT NOT NULL,
     checksum TEXT NOT NULL
   ) STRICT;`,
  // Which entries of the change log the owner of a scope may see.
  `CREATE TABLE change_scopes (
     scope TEXT NOT NULL,
     version INTEGER NOT NULL,
     PRIMARY KEY (scope, version)
   ) STRICT, WITHOUT ROWID;`,
  // As whom a change was made, and why.
  `ALTER TABLE changes ADD COLUMN voice TEXT;
   ALTER TABLE changes ADD COLUMN reason TEXT;`,
];

/** The newest format, kept in SQLite's `user_version`. */
export const FORMAT_VERSION = MIGRATIONS.length;

/** Brings a store of format `from` to the newest, each step in one transaction. */
export function migrate(database: DatabaseSync, from: number): void {
  for (let format = from; format < FORMAT_VERSION; format++) {
    database.exec(
      `BEGIN IMMEDIATE; ${MIGRATIONS[format]} PRAGMA user_version = ${format + 1}; COMMIT`,
    );
  }
}
