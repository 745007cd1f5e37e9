import type { Random } from '../../src/lib/random.ts';

/** What histories are drawn with. */
export class Dice {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  below(bound: number): number {
    return Math.floor(this.#random.fraction() * bound);
  }

  chance(share: number): boolean {
    return this.#random.fraction() < share;
  }

  of<T>(all: readonly T[]): T {
    return all[this.below(all.length)]!;
  }
}
