/**
 * Which lines a sampled job takes. Decided by a line's address alone, so that a retry, a replay and a reader of the docs come
 * to the same answer: `mix(mix(low32(offset) ^ low32(epoch)) ^ high32(epoch) ^ high32(offset))` is below `rate * 2^32`,
 * where `mix` is the finalizer of MurmurHash3 (32 bits). Part of the format: it never changes.
 */
const TWO_32 = 2 ** 32;

export class Sampler {
  readonly #low: number;
  readonly #high: number;
  readonly #threshold: number;

  /**
   * @param epoch the stream's epoch, 16 hex digits
   * @param rate above 0, at most 1: the share of lines to take. A lower rate takes a part of what a higher one takes
   */
  constructor(epoch: string, rate: number) {
    this.#high = Number.parseInt(epoch.slice(0, 8), 16) | 0;
    this.#low = Number.parseInt(epoch.slice(8, 16), 16) | 0;
    this.#threshold = Math.ceil(rate * TWO_32);
  }

  takes(offset: number): boolean {
    const high = Math.floor(offset / TWO_32);
    const mixed = mix(mix((offset | 0) ^ this.#low) ^ this.#high ^ high);
    return mixed >>> 0 < this.#threshold;
  }
}

/** MurmurHash3's fmix32 (A. Appleby, public domain): every bit of the result depends on every bit of the input. */
function mix(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
