/** A short look at the store's file from outside the connection that is at work: is it still there, and what does it hold? */
import { DatabaseSync } from 'node:sqlite';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import { contentSum } from './content-sum.ts';
import { troubleOf } from './rows.ts';
import { FORMAT_VERSION } from './schema.ts';
import type { StoreTrouble } from './store.ts';

export type StoreLook =
  | { readonly kind: 'holds'; readonly version: number; readonly checksum: string }
  | { readonly kind: 'trouble'; readonly trouble: StoreTrouble; readonly detail: string };

/** How long the look waits for whoever is writing. */
const WAIT_MS = 250;

/**
 * Looks at what lies at `path` now, whatever connections are open on a file that lay there before.
 *
 * @param whole reads every object and holds it to the checksum; otherwise what the store says of itself is believed
 * @param pause gives way to others, now and then; nothing may be committed meanwhile
 */
export async function lookAtStore(
  path: string,
  files: FileSystem,
  whole: boolean,
  pause: () => Promise<void>,
): Promise<StoreLook> {
  let database: DatabaseSync | undefined;
  try {
    const found = await files.stat(path);
    if (!found) return { kind: 'trouble', trouble: 'missing', detail: 'is missing' };
    if (found.bytes === 0)
      return { kind: 'trouble', trouble: 'empty', detail: 'is empty (0 bytes)' };
    database = new DatabaseSync(path, { readOnly: true, timeout: WAIT_MS });
    database.exec('BEGIN');
    const { user_version: format } = database.prepare('PRAGMA user_version').get() as {
      user_version: number;
    };
    if (format > FORMAT_VERSION)
      return { kind: 'trouble', trouble: 'newer', detail: `has the newer format ${format}` };
    const meta = database.prepare('SELECT version, checksum FROM meta').get() as
      | { version: number; checksum: string }
      | undefined;
    if (!meta) return { kind: 'trouble', trouble: 'damaged', detail: 'says nothing of itself' };
    if (whole && (await contentSum(database, pause)) !== meta.checksum)
      return {
        kind: 'trouble',
        trouble: 'damaged',
        detail: 'is damaged: its content does not have the checksum of its last change',
      };
    return { kind: 'holds', version: meta.version, checksum: meta.checksum };
  } catch (error) {
    const detail = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return { kind: 'trouble', trouble: troubleOf(error), detail };
  } finally {
    database?.close();
  }
}
