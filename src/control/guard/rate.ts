/** How fast one account may change what is its own: each change costs a commit and a new snapshot for everybody. */
import type { Clock } from '../../lib/clock.ts';

const MINUTE_MS = 60_000;

export class Rate {
  readonly #clock: Clock;
  readonly #perMinute: number;
  /** Changes in the minute that runs, by account; emptied when it is over. */
  #made = new Map<string, number>();
  #minuteEndsMs = 0;

  constructor(clock: Clock, perMinute: number) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  /** Counts a change; false when it is one too many. */
  take(account: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#minuteEndsMs) {
      this.#made = new Map();
      this.#minuteEndsMs = nowMs + MINUTE_MS;
    }
    const made = this.#made.get(account) ?? 0;
    if (made >= this.#perMinute) return false;
    this.#made.set(account, made + 1);
    return true;
  }
}
