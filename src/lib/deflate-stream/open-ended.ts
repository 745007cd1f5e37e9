/**
 * Makes a fragment of a finished raw deflate stream: its last block no longer says that it is the last, and a sync flush follows it
 * (RFC 1951 §3.2.3 and §3.2.4), so that further fragments can stand behind it in one gzip member.
 *
 * Both need to be known to the bit, and no library says where a block begins. So all symbols are stepped over, without making
 * the bytes that they stand for: a fifth of what deflating these again costs (docs/performance/compressed.md).
 */
import { LENGTH_MASK, PrefixCode } from './prefix-code.ts';

/** Blocks of a stream: zlib makes one of at least 16 Ki symbols, and each here is worth making tables for. */
const BLOCKS_MAX = 128;
/** An empty stored block without its header of three bits: on a byte boundary, its length and the same inverted. */
const FLUSH = [0x00, 0x00, 0xff, 0xff] as const;
const STORED_HEADER_BITS = 3;
/** Bits are looked up four bytes at a time, of which the last may lie behind the stream. */
const SLACK_BYTES = 8;

/* Of a symbol, above its code's length: four bits the number of bits that follow it, nine the bytes that it makes without those. */
const FOLLOWING_SHIFT = 4;
const PLAIN_SHIFT = 8;
const PLAIN_MASK = 0x1ff;
/** A distance comes next. */
const IS_MATCH = 1 << 17;
const IS_END = 1 << 18;
/** One byte, and nothing else. */
const LITERAL = 1 << PLAIN_SHIFT;

const END_OF_BLOCK = 256;
/** §3.2.5: lengths of matches by symbol, from 257 on, and the bits that follow; 286 and 287 mean nothing. */
const MATCH_BYTES = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258,
];
const MATCH_BITS = [
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
const LITERALS_MAX = 286;
const DISTANCES_MAX = 30;
const FIXED_LITERALS = 288;

const literalMeanings = Uint32Array.from({ length: FIXED_LITERALS }, (_, symbol) => {
  if (symbol < END_OF_BLOCK) return LITERAL;
  if (symbol === END_OF_BLOCK) return IS_END;
  const at = symbol - END_OF_BLOCK - 1;
  return (
    IS_MATCH | ((MATCH_BYTES[at] ?? 0) << PLAIN_SHIFT) | ((MATCH_BITS[at] ?? 0) << FOLLOWING_SHIFT)
  );
});
const distanceMeanings = Uint32Array.from(
  { length: DISTANCES_MAX + 2 },
  (_, symbol) => Math.max(0, (symbol >>> 1) - 1) << FOLLOWING_SHIFT,
);

/** §3.2.7: lengths of codes are themselves coded, in this order; 16 to 18 repeat: so many bits follow, and count from there on. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] as const;
const lengthMeanings = Uint32Array.from(
  { length: ORDER.length },
  (_, symbol) => symbol << FOLLOWING_SHIFT,
);
const REPEATS: Readonly<
  Record<number, { bits: number; least: number; ofLast: boolean } | undefined>
> = {
  16: { bits: 2, least: 3, ofLast: true },
  17: { bits: 3, least: 3, ofLast: false },
  18: { bits: 7, least: 11, ofLast: false },
};

const FIXED_LENGTHS = Uint8Array.from(
  { length: FIXED_LITERALS + DISTANCES_MAX + 2 },
  (_, symbol) => {
    if (symbol >= FIXED_LITERALS) return 5;
    return symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
  },
);

/**
 * @param finished a raw deflate stream, from its first byte to its last
 * @param plainBytes what it is said to hold
 * @returns in memory of its own; undefined when it is no such stream, or an unusual one. Its distances and what it holds have not
 *   been looked at: who inflates the fragment sees whether it holds what it should
 */
export function openEnded(finished: Buffer, plainBytes: number): Buffer | undefined {
  const memory = Buffer.allocUnsafeSlow(finished.length + SLACK_BYTES);
  memory.fill(0, finished.copy(memory));
  const walk = new Walk(memory, finished.length * 8, plainBytes);
  const lastBlockAt = walk.toEnd();
  const { at } = walk;
  if (lastBlockAt === undefined || (at + 7) >>> 3 !== finished.length) return undefined;
  memory[lastBlockAt >>> 3]! &= ~(1 << (lastBlockAt & 7));
  // What is left of the last byte may be anything; it becomes the flush's header.
  if ((at & 7) > 0) memory[at >>> 3]! &= (1 << (at & 7)) - 1;
  const flushAt = (at + STORED_HEADER_BITS + 7) >>> 3;
  memory.set(FLUSH, flushAt);
  return memory.subarray(0, flushAt + FLUSH.length);
}

const lengthCode = new PrefixCode(lengthMeanings);
const literalCode = new PrefixCode(literalMeanings);
const distanceCode = new PrefixCode(distanceMeanings);
const lengths = new Uint8Array(LITERALS_MAX + DISTANCES_MAX);

class Walk {
  readonly #view: DataView;
  readonly #endAt: number;
  readonly #plainBytes: number;
  /** Bits stepped over. */
  at = 0;
  #plain = 0;

  /** @param memory may be read a little behind the stream's end */
  constructor(memory: Buffer, endAt: number, plainBytes: number) {
    this.#view = new DataView(memory.buffer, memory.byteOffset, memory.length);
    this.#endAt = endAt;
    this.#plainBytes = plainBytes;
  }

  /** @returns the bit at which the last block begins, when all of the stream has been stepped over */
  toEnd(): number | undefined {
    for (let blocks = 0; blocks < BLOCKS_MAX; blocks += 1) {
      const from = this.at;
      const isLast = this.#take(1) === 1;
      if (!this.#block(this.#take(2))) return undefined;
      if (isLast) return this.#plain === this.#plainBytes ? from : undefined;
    }
    return undefined;
  }

  /** At least 25 bits, the next one lowest. */
  #bits(): number {
    return this.#view.getUint32(this.at >>> 3, true) >>> (this.at & 7);
  }

  #take(count: number): number {
    if (this.at > this.#endAt) return 0;
    const value = this.#bits() & ((1 << count) - 1);
    this.at += count;
    return value;
  }

  #block(type: number): boolean {
    switch (type) {
      case 0:
        return this.#stored();
      case 1:
        literalCode.define(FIXED_LENGTHS, 0, FIXED_LITERALS);
        literalCode.join(LITERAL);
        distanceCode.define(FIXED_LENGTHS, FIXED_LITERALS, DISTANCES_MAX);
        return this.#symbols();
      case 2:
        return this.#codes() && this.#symbols();
      default:
        return false;
    }
  }

  #stored(): boolean {
    this.at = (this.at + 7) & ~7;
    const bytes = this.#take(16);
    this.#take(16);
    this.at += bytes * 8;
    this.#plain += bytes;
    return this.at <= this.#endAt;
  }

  /** Reads the codes of a block that brings its own (§3.2.7). */
  #codes(): boolean {
    const literals = this.#take(5) + 257;
    const distances = this.#take(5) + 1;
    const used = this.#take(4) + 4;
    if (literals > LITERALS_MAX || distances > DISTANCES_MAX) return false;
    lengths.fill(0, 0, ORDER.length);
    for (const symbol of ORDER.slice(0, used)) lengths[symbol] = this.#take(3);
    lengthCode.define(lengths, 0, ORDER.length);
    const all = literals + distances;
    for (let at = 0; at < all;) {
      if (this.at > this.#endAt) return false;
      const entry = lengthCode.at(this.#bits());
      if (entry === 0) return false;
      this.at += entry & LENGTH_MASK;
      const symbol = entry >>> FOLLOWING_SHIFT;
      const repeat = REPEATS[symbol];
      if (!repeat) {
        lengths[at++] = symbol;
        continue;
      }
      const count = this.#take(repeat.bits) + repeat.least;
      if (at + count > all || (repeat.ofLast && at === 0)) return false;
      lengths.fill(repeat.ofLast ? lengths[at - 1]! : 0, at, at + count);
      at += count;
    }
    literalCode.define(lengths, 0, literals);
    literalCode.join(LITERAL);
    distanceCode.define(lengths, literals, distances);
    return true;
  }

  #symbols(): boolean {
    const view = this.#view;
    const endAt = this.#endAt;
    let at = this.at;
    let plain = this.#plain;
    while (at < endAt) {
      const bits = view.getUint32(at >>> 3, true) >>> (at & 7);
      const entry = literalCode.at(bits);
      const codeBits = entry & LENGTH_MASK;
      const following = (entry >>> FOLLOWING_SHIFT) & 0xf;
      at += codeBits + following;
      plain +=
        ((entry >>> PLAIN_SHIFT) & PLAIN_MASK) + ((bits >>> codeBits) & ((1 << following) - 1));
      if ((entry & IS_MATCH) !== 0) {
        const distance = distanceCode.at(view.getUint32(at >>> 3, true) >>> (at & 7));
        if (distance === 0) return false;
        at += (distance & LENGTH_MASK) + (distance >>> FOLLOWING_SHIFT);
      } else if ((entry & IS_END) !== 0 || entry === 0) {
        this.at = at;
        this.#plain = plain;
        return entry !== 0 && at <= endAt;
      }
    }
    return false;
  }
}
