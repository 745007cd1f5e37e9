import type { Clock } from '../lib/clock.ts';

const MINUTE_MS = 60_000;

/** Counts requests by whom they come from, minute by minute. */
export class Rate {
  readonly #clock: Clock;
  readonly #counts = new Map<string, number>();
  #beganMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one request under each name, unless one of the names has had its share of this minute. */
  take(shares: readonly (readonly [name: string, most: number])[]): boolean {
    const now = this.#clock.monotonicMs();
    if (now - this.#beganMs >= MINUTE_MS) {
      // All at once, so that no name is remembered for longer than a minute.
      this.#counts.clear();
      this.#beganMs = now;
    }
    if (shares.some(([name, most]) => (this.#counts.get(name) ?? 0) >= most)) return false;
    for (const [name] of shares) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    return true;
  }
}
