/**
 * One checksum of a set of objects that a change updates in the size of the change: the sum, modulo 2^64, of a hash per object.
 * It tells damage that nobody else sees, and one configuration from another. It is no proof against who forges on purpose.
 */
import { hash as digestOf } from 'node:crypto';

const BITS = 64;

/** What one object adds to the sum. `key` tells objects apart, `content` is exactly what is kept of it. */
export function objectHash(key: string, content: string | Uint8Array): bigint {
  const whole = typeof content === 'string' ? `${key}\0${content}` : joined(key, content);
  // In one call: half of what an object of Node's for each hash costs, and a start makes hundreds of thousands.
  return BigInt(`0x${digestOf('sha256', whole, 'hex').slice(0, 16)}`);
}

/** Where a key and bytes are put one after the other. Node's pool would do, but whatever is kept of it keeps such waste too. */
const scratch = Buffer.allocUnsafeSlow(4_096);

/** Good until the next call. */
function joined(key: string, content: Uint8Array): Uint8Array {
  const keyBytes = Buffer.byteLength(key) + 1;
  const bytes = keyBytes + content.length;
  const room = bytes <= scratch.length ? scratch : Buffer.allocUnsafeSlow(bytes);
  room.write(`${key}\0`, 0, 'utf8');
  room.set(content, keyBytes);
  return room.subarray(0, bytes);
}

export function addHash(sum: bigint, hash: bigint): bigint {
  return BigInt.asUintN(BITS, sum + hash);
}

export function removeHash(sum: bigint, hash: bigint): bigint {
  return BigInt.asUintN(BITS, sum - hash);
}

/** As it is written down: 16 hex digits. */
export function checksumText(sum: bigint): string {
  return sum.toString(16).padStart(16, '0');
}
