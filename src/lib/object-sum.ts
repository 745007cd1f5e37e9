/**
 * One checksum of a set of objects that a change updates in the size of the change: the sum, modulo 2^64, of a hash per object.
 * It tells damage that nobody else sees, and one configuration from another. It is no proof against who forges on purpose.
 */
import { createHash } from 'node:crypto';

const MODULUS = 1n << 64n;

/** What one object adds to the sum. `key` tells objects apart, `content` is exactly what is kept of it. */
export function objectHash(key: string, content: string | Uint8Array): bigint {
  return createHash('sha256').update(key).update('\0').update(content).digest().readBigUInt64BE(0);
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
