/**
 * Which lines of an endless row are kept when only one in so many may be: exactly one out of each bucket of `stride` lines,
 * at a place that the buckets' hashes choose, so that a pattern in the row (every second line an error) does not bend the
 * sample. A coarser level keeps a part of what the finer one keeps: one of each two neighbouring buckets. So a level can be
 * raised while lines come in, by dropping some of those that were kept, and every line's chance stays 1 in `stride`.
 */
const TWO_32 = 2 ** 32;

export class Sieve {
  readonly #base: number;
  readonly #salt: number;

  /**
   * @param base lines to a bucket at level 0; at level n there are `base * 2^n`
   * @param salt any number below 2^32: another one keeps other lines
   */
  constructor(base: number, salt: number) {
    this.#base = base;
    this.#salt = salt;
  }

  /** Of how many lines one is kept. */
  stride(level: number): number {
    return this.#base * 2 ** level;
  }

  /** The one line that a bucket keeps: its number in the row. Bucket b holds the lines from `b * stride` on. */
  keptOf(bucket: number, level: number): number {
    let inner = bucket;
    for (let coarser = level; coarser > 0; coarser--) {
      inner = inner * 2 + (this.#hash(inner, coarser) & 1);
    }
    return inner * this.#base + (this.#hash(inner, 0) % this.#base);
  }

  /** The first line at or behind `from` that is kept. */
  nextKept(from: number, level: number): number {
    const bucket = Math.floor(from / this.stride(level));
    const kept = this.keptOf(bucket, level);
    return kept >= from ? kept : this.keptOf(bucket + 1, level);
  }

  #hash(bucket: number, level: number): number {
    const high = Math.floor(bucket / TWO_32);
    return mix(mix((bucket | 0) ^ this.#salt) ^ high ^ Math.imul(level, 0x9e3779b1)) >>> 0;
  }
}

/** MurmurHash3's fmix32 (A. Appleby, public domain): every bit of the result depends on every bit of the input. */
function mix(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
