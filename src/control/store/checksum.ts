/**
 * One checksum of everything in the store that a change updates in the size of the change: the sum, modulo 2^64, of a hash
 * per object. It tells damage that SQLite does not see, and one configuration from another.
 */
import { createHash } from 'node:crypto';
import type { SealedSecret } from './store.ts';

const MODULUS = 1n << 64n;

/** What one object adds to the sum. `key` tells objects apart, `content` is exactly what is stored. */
export function objectHash(key: string, content: string | Uint8Array): bigint {
  return createHash('sha256').update(key).update('\0').update(content).digest().readBigUInt64BE(0);
}

/** What a sealed secret adds to the sum. */
export function secretHash(secret: SealedSecret): bigint {
  return objectHash(`secret/${secret.id}/${secret.version}/${secret.keyId}`, secret.sealed);
}

export function addHash(sum: bigint, hash: bigint): bigint {
  return (sum + hash) % MODULUS;
}

export function removeHash(sum: bigint, hash: bigint): bigint {
  return (sum - hash + MODULUS) % MODULUS;
}

/** As it is written down: 16 hex digits. */
export function checksumText(sum: bigint): string {
  return sum.toString(16).padStart(16, '0');
}
