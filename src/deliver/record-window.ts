/**
 * Lets plans and waybills of many jobs share commits.
 *
 * A commit is a write and a sync, some 0.7 ms of CPU, however little is in it. Where thousands of customers have a few lines each,
 * and little else comes in to share a commit with, every batch would be two of them: more than all the rest of it costs, and
 * hundreds of syncs a second. So with many records a second each waits for the end of a short window, and all of them
 * are one commit. Nobody waits for a plan or a waybill but the batch itself, which has waited for seconds by then.
 */
import type { Clock } from '../lib/clock.ts';

export interface RecordWindowLimits {
  /** Records in a second from which on they wait for each other. */
  readonly recordsPerSecond: number;
  /** How long, milliseconds. */
  readonly recordsGatherMs: number;
}

const SECOND_MS = 1_000;

export class RecordWindow {
  readonly #clock: Pick<Clock, 'monotonicMs' | 'after'>;
  readonly #limits: RecordWindowLimits;
  /** When the second that is counted began, how many there were in it, and in the one before. */
  #sinceMs = Number.NEGATIVE_INFINITY;
  #count = 0;
  #countBefore = 0;
  #window: Promise<void> | undefined;

  constructor(clock: Pick<Clock, 'monotonicMs' | 'after'>, limits: RecordWindowLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** To be awaited before a record is made; what it is made of is to be looked at afterwards. Nothing: there are few. */
  pass(): Promise<void> | undefined {
    this.#countOne();
    if (Math.max(this.#count, this.#countBefore) <= this.#limits.recordsPerSecond) return undefined;
    this.#window ??= new Promise((resolve) => {
      this.#clock.after(this.#limits.recordsGatherMs, () => {
        this.#window = undefined;
        resolve();
      });
    });
    return this.#window;
  }

  #countOne(): void {
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = nowMs - this.#sinceMs;
    if (sinceMs >= SECOND_MS) {
      this.#countBefore = sinceMs < 2 * SECOND_MS ? this.#count : 0;
      this.#count = 0;
      this.#sinceMs = nowMs;
    }
    this.#count += 1;
  }
}
