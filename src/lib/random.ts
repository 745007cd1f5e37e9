import { randomBytes } from 'node:crypto';

/** Randomness as handed in, so that a run can be repeated from a seed. */
export interface Random {
  /** `count` random bytes. */
  bytes(count: number): Buffer;
  /** A number in [0, 1). */
  fraction(): number;
}

/** The machine's randomness. Fit for tokens and epochs. */
export const systemRandom: Random = {
  bytes: (count) => randomBytes(count),
  fraction: () => randomBytes(4).readUInt32LE() / 2 ** 32,
};

/** A repeatable sequence (mulberry32) for tests and simulations; not fit for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    fraction: next,
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => Math.floor(next() * 256))),
  };
}
