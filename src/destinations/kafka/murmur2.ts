/**
 * The hash by which Kafka's own clients choose a key's partition (`Utils.murmur2` of the Java client), so that lines and what
 * other producers write under the same key meet in one partition.
 */

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/** @returns an unsigned 31-bit number: what the Java client takes modulo the number of partitions */
export function murmur2(key: Buffer): number {
  let hash = SEED ^ key.length;
  let at = 0;
  for (; at + 4 <= key.length; at += 4) {
    let mixed = Math.imul(key.readInt32LE(at), M);
    mixed ^= mixed >>> R;
    hash = Math.imul(hash, M) ^ Math.imul(mixed, M);
  }
  const rest = key.length - at;
  if (rest >= 3) hash ^= key[at + 2]! << 16;
  if (rest >= 2) hash ^= key[at + 1]! << 8;
  if (rest >= 1) hash = Math.imul(hash ^ key[at]!, M);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  hash ^= hash >>> 15;
  return hash & 0x7fffffff;
}
