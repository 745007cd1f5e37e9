/**
 * A prefix code of a deflate block (RFC 1951 §3.2.2), for stepping over symbols: what a symbol stands for is only known as far
 * as it says how many bits follow it and how many bytes it makes.
 *
 * Codes up to {@link DIRECT_BITS} bits, which are nearly all that occur, are looked up; longer ones are counted down bit by bit.
 */
const CODE_BITS_MAX = 15;
/** Measured with log lines: 10 to 11 join fewer symbols (a quarter slower), 13 is a larger table to fill for each block (a tenth). */
const DIRECT_BITS = 12;
const DIRECT_MASK = (1 << DIRECT_BITS) - 1;
const SYMBOLS_MAX = 288;
/** Bits of what {@link PrefixCode.at} answers that tell the code's length. */
export const LENGTH_MASK = 0xf;

export class PrefixCode {
  /** By the next bits, the first of them lowest. 0: a longer code, or none. */
  readonly #direct = new Uint32Array(1 << DIRECT_BITS);
  readonly #counts = new Uint16Array(CODE_BITS_MAX + 1);
  /** In the order of their codes. */
  readonly #symbols = new Uint16Array(SYMBOLS_MAX);
  readonly #next = new Uint16Array(CODE_BITS_MAX + 1);
  readonly #meanings: Uint32Array;

  /** @param meanings for each symbol what is to be known of it, the lowest four bits 0 */
  constructor(meanings: Uint32Array) {
    this.#meanings = meanings;
  }

  /**
   * Makes this the code in which symbol `i` has `lengths[from + i]` bits; 0: it does not occur.
   *
   * What is no prefix code makes one that leads astray, but nowhere out of bounds: whoever trusts it must check where it came to.
   */
  define(lengths: Uint8Array, from: number, symbols: number): void {
    const counts = this.#counts.fill(0);
    for (let symbol = 0; symbol < symbols; symbol += 1) counts[lengths[from + symbol]!]! += 1;
    counts[0] = 0;
    this.#order(lengths, from, symbols);
    this.#direct.fill(0);
    const next = this.#next;
    let code = 0;
    for (let bits = 1; bits <= CODE_BITS_MAX; bits += 1) {
      code = (code + counts[bits - 1]!) << 1;
      next[bits] = code;
    }
    for (let symbol = 0; symbol < symbols; symbol += 1) {
      const bits = lengths[from + symbol]!;
      if (bits === 0) continue;
      const own = next[bits]!;
      next[bits] = own + 1;
      if (bits <= DIRECT_BITS) this.#lay(own, bits, this.#meanings[symbol]! | bits);
    }
  }

  #order(lengths: Uint8Array, from: number, symbols: number): void {
    const next = this.#next;
    let at = 0;
    for (let bits = 1; bits <= CODE_BITS_MAX; bits += 1) {
      next[bits] = at;
      at += this.#counts[bits]!;
    }
    for (let symbol = 0; symbol < symbols; symbol += 1) {
      const bits = lengths[from + symbol]!;
      if (bits > 0) this.#symbols[next[bits]!++] = symbol;
    }
  }

  #lay(code: number, bits: number, entry: number): void {
    let reversed = 0;
    for (let bit = 0; bit < bits; bit += 1) reversed |= ((code >>> bit) & 1) << (bits - 1 - bit);
    for (let at = reversed; at <= DIRECT_MASK; at += 1 << bits) this.#direct[at] = entry;
  }

  /**
   * Makes one entry of symbols that come in a row, as far as they are looked up at once: some that are nothing but `single`, and
   * what comes behind them. Less is looked up, and whether a literal or a match comes next is no longer guessed for each of them.
   *
   * @param single a meaning to which what comes next can be added
   */
  join(single: number): void {
    const direct = this.#direct;
    // From the highest on: an entry is joined with those of fewer bits, which stand before it.
    for (let at = DIRECT_MASK; at >= 0; at -= 1) {
      let entry = direct[at]!;
      let bits = entry & LENGTH_MASK;
      if (entry !== single + bits) continue;
      for (;;) {
        const next = direct[at >>> bits]!;
        const nextBits = next & LENGTH_MASK;
        if (next === 0 || bits + nextBits > DIRECT_BITS) break;
        entry += next;
        bits += nextBits;
        if (next !== single + nextBits) break;
      }
      direct[at] = entry;
    }
  }

  /**
   * @param bits the next 15 bits or more, the first of them lowest
   * @returns what is known of the symbol, its code's length in the lowest four bits; 0: no symbol has this code
   */
  at(bits: number): number {
    return this.#direct[bits & DIRECT_MASK]! || this.#long(bits);
  }

  /** Codes of one length are consecutive numbers (§3.2.2), read from their highest bit on. */
  #long(bits: number): number {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= CODE_BITS_MAX; length += 1) {
      code |= (bits >>> (length - 1)) & 1;
      const count = this.#counts[length]!;
      if (code - count < first)
        return this.#meanings[this.#symbols[index + code - first]!]! | length;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    return 0;
  }
}
