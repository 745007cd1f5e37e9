/** Puts a store in place that holds given contents; what lay there before is set aside under another name, never deleted. */
import type { FileSystem } from '../../lib/fs/file-system.ts';
import { recordChange } from './change-rows.ts';
import { sealedBytes } from './rows.ts';
import type { RecordedChange } from './change-rows.ts';
import { everyRecord } from './contents.ts';
import { makeStore } from './sqlite.ts';
import type { Contents } from './store.ts';

export interface RestoreStoreOptions {
  readonly path: string;
  readonly files: FileSystem;
  readonly contents: Contents;
  /** Of the contents, as the store writes it down. */
  readonly checksum: string;
  /** The change log, rising. */
  readonly changes: AsyncIterable<RestoredChange>;
  readonly changesKept: number;
  /** Part of the name of what is set aside; unique. */
  readonly mark: string;
}

export interface RestoredChange extends RecordedChange {
  readonly version: number;
  readonly sum: string;
}

/**
 * Writes the store.
 *
 * @returns the path of what lay there before; undefined when nothing did
 * @throws what the disk or SQLite throw; then what lay there still lies there
 */
export async function restoreStore(options: RestoreStoreOptions): Promise<string | undefined> {
  const { path, files, contents, checksum, changes, changesKept, mark } = options;
  let aside: string | undefined;
  const setAside = async (): Promise<void> => {
    // The journal first: beside another file it would be rolled back into that one.
    for (const suffix of ['-journal', '-wal', '-shm', '']) {
      if (!(await files.stat(`${path}${suffix}`))) continue;
      await files.rename(`${path}${suffix}`, `${path}.${mark}${suffix}`);
      if (suffix === '') aside = `${path}.${mark}`;
    }
  };
  await makeStore(
    path,
    files,
    async (database) => {
      database.exec('BEGIN IMMEDIATE');
      const put = database.prepare('INSERT INTO objects (kind, id, body) VALUES (?, ?, ?)');
      for (const { kind, id, record } of everyRecord(contents.records))
        put.run(kind, id, JSON.stringify(record));
      const seal = database.prepare(
        'INSERT INTO secrets (id, version, key_id, sealed) VALUES (?, ?, ?, ?)',
      );
      for (const secret of contents.secrets)
        seal.run(secret.id, secret.version, secret.keyId, sealedBytes(secret));
      for await (const change of changes)
        recordChange(database, change, change.version, change.sum, changesKept);
      database
        .prepare('UPDATE meta SET version = ?, next_job = ?, checksum = ?')
        .run(contents.version, contents.nextJob, checksum);
      database.exec('COMMIT');
    },
    setAside,
  );
  return aside;
}
