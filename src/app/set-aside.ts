/** Opening SQLite files whose content helps and is not needed to go on: what is damaged must not keep a server from starting. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import type { Diagnostics } from '../lib/diagnostics.ts';
import { resultCode } from '../lib/sqlite/lock.ts';

/** SQLite's primary result codes (sqlite.org/rescode.html) of a file that is damaged, or none of SQLite's. */
const DAMAGED: readonly (number | undefined)[] = [11, 26];
/** What SQLite says, without a number of its own, of tables that lack a column: their names decayed. */
const SCHEMA = 1;

/**
 * Opens a file. One that cannot be used is kept under another name, with an alarm, and begun anew: never reset in silence.
 *
 * @param open throws what SQLite throws, and has closed the file then
 * @throws what SQLite throws when the disk is full or does not answer
 */
export function openOrSetAside<T>(
  path: string,
  open: (path: string) => T,
  diagnostics: Diagnostics,
): T {
  try {
    return open(path);
  } catch (error) {
    const code = resultCode(error);
    if (!DAMAGED.includes(code) && code !== SCHEMA) throw error;
    const aside = freeName(path);
    renameSync(path, aside);
    for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
    diagnostics.alarm('ledger.file_set_aside', { path, aside, error: String(error) });
    return open(path);
  }
}

function freeName(path: string): string {
  for (let number = 1; ; number += 1) {
    const name = `${path}.damaged-${number}`;
    if (!existsSync(name)) return name;
  }
}
