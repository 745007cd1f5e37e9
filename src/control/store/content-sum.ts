/** The checksum of all that a store holds, from its rows as they were written: nothing is read into records, nothing is kept. */
import type { DatabaseSync } from 'node:sqlite';
import { addHash, checksumText, objectHash, secretHash } from './checksum.ts';
import { secretOf } from './rows.ts';
import type { SecretRow } from './rows.ts';

/** Rows that are looked at in one turn: some 3 ms. */
const TURN = 200;

/** @param pause gives way to others, now and then; nothing may be committed meanwhile */
export async function contentSum(
  database: DatabaseSync,
  pause: () => Promise<void>,
): Promise<string> {
  let sum = 0n;
  let rows = 0;
  for (const row of database.prepare('SELECT kind, id, body FROM objects').iterate()) {
    const { kind, id, body } = row as { kind: string; id: string; body: string };
    sum = addHash(sum, objectHash(`${kind}/${id}`, body));
    if (++rows % TURN === 0) await pause();
  }
  for (const row of database.prepare('SELECT id, version, key_id, sealed FROM secrets').iterate()) {
    sum = addHash(sum, secretHash(secretOf(row as unknown as SecretRow)));
    if (++rows % TURN === 0) await pause();
  }
  return checksumText(sum);
}
