/** What comes out of SQLite, in our own words. */
import { resultCode } from '../../lib/sqlite/lock.ts';
import type { SealedSecret, StoreTrouble } from './store.ts';

export interface SecretRow {
  readonly id: string;
  readonly version: number;
  readonly key_id: string;
  readonly sealed: Uint8Array;
}

/** A sealed secret's bytes, as they lie in the store. */
export function sealedBytes({ sealed }: SealedSecret): Buffer {
  return Buffer.from(sealed, 'base64');
}

export function secretOf(row: SecretRow): SealedSecret {
  const { buffer, byteOffset, byteLength } = row.sealed;
  const sealed = Buffer.from(buffer, byteOffset, byteLength).toString('base64');
  return { id: row.id, version: row.version, keyId: row.key_id, sealed };
}

/** Primary result codes (sqlite.org/rescode.html). */
const SQLITE = { permission: 3, busy: 5, locked: 6, inputOutput: 10, cannotOpen: 14 } as const;

/** What an error of SQLite means for the store. */
export function troubleOf(error: unknown): StoreTrouble {
  switch (resultCode(error)) {
    case SQLITE.busy:
    case SQLITE.locked:
      return 'locked';
    case SQLITE.cannotOpen:
    case SQLITE.inputOutput:
    case SQLITE.permission:
      return 'unusable';
    default:
      return 'damaged';
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
