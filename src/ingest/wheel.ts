/**
 * Whose lines the thread works through next. Bodies are gone through in steps of at most a few milliseconds; of all that wait,
 * the accounts take turns, and lines that somebody wants go before those that nobody does. So however many bodies a flood
 * brings at once, the event loop comes round often, and a customer's request waits for a few steps and not for all of them (I6).
 */
import type { Clock } from '../lib/clock.ts';

/** One step. @returns whether there is more to do */
type Step = () => boolean;

interface Waiting {
  readonly payer: string;
  readonly step: Step;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Payers in the order of their next turn, each with what of it waits. */
type Ring = Map<string, Waiting[]>;

/** For how long steps are done before the event loop comes round. */
const ROUND_MS = 4;

export class Wheel {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #wanted: Ring = new Map();
  readonly #unwanted: Ring = new Map();
  /** Spent since the event loop last came round. */
  #spentMs = 0;
  #turning = false;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /**
   * Does all steps; the first at once where nobody else waits. Throws or rejects with what a step throws.
   *
   * @returns undefined when that first step was all that was to do, as with most bodies: those cost no promise
   */
  run(payer: string, isWanted: boolean, step: Step): Promise<void> | undefined {
    const isFree = this.#wanted.size + this.#unwanted.size === 0 && this.#spentMs < ROUND_MS;
    this.#turn();
    if (isFree && !this.#timed(step)) return undefined;
    return new Promise((done, failed) => {
      this.#queue(isWanted ? this.#wanted : this.#unwanted, { payer, step, done, failed });
    });
  }

  #queue(ring: Ring, waiting: Waiting): void {
    const own = ring.get(waiting.payer);
    if (own) own.push(waiting);
    else ring.set(waiting.payer, [waiting]);
  }

  #step(ring: Ring, waiting: Waiting): void {
    try {
      if (this.#timed(waiting.step)) this.#queue(ring, waiting);
      else waiting.done();
    } catch (error) {
      waiting.failed(error);
    }
  }

  #timed(step: Step): boolean {
    const beganMs = this.#clock.monotonicMs();
    try {
      return step();
    } finally {
      this.#spentMs += this.#clock.monotonicMs() - beganMs;
    }
  }

  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(() => {
      this.#turning = false;
      this.#spentMs = 0;
      while (this.#spentMs < ROUND_MS && this.#next(this.#wanted));
      // What nobody wants gets what is left of the time, and one step in any case: it is never starved.
      do if (!this.#next(this.#unwanted)) break;
      while (this.#spentMs < ROUND_MS);
      if (this.#wanted.size + this.#unwanted.size > 0) this.#turn();
    });
  }

  /** One step of the payer whose turn it is. @returns whether there was one */
  #next(ring: Ring): boolean {
    const turn = ring.entries().next();
    if (turn.done) return false;
    const [payer, own] = turn.value;
    ring.delete(payer);
    const waiting = own.shift();
    if (own.length > 0) ring.set(payer, own);
    if (waiting) this.#step(ring, waiting);
    return true;
  }
}
