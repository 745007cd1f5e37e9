import type { Clock } from '../lib/clock.ts';

/**
 * Time in service: the sum of all time that this shard was open, carried from run to run in its records. Ages count this
 * time and never the wall clock, so that being switched off or a clock that jumps ages nothing.
 */
export class ServiceClock {
  readonly #clock: Clock;
  readonly #openedMs: number;
  readonly #baseMs: number;

  /** @param baseMs the newest service time on record */
  constructor(clock: Clock, baseMs: number) {
    this.#clock = clock;
    this.#openedMs = clock.monotonicMs();
    this.#baseMs = baseMs;
  }

  nowMs(): number {
    return this.#baseMs + Math.floor(this.#clock.monotonicMs() - this.#openedMs);
  }
}
