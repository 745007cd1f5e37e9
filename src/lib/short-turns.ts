/**
 * Long work of several takers on one thread, cut into pieces: in each turn of the event loop as many pieces as fit into a few
 * milliseconds, whoever they belong to, in the order in which they were asked for.
 *
 * Takers that each end their own turn after each piece are not enough: all of them go on in the same next turn, and six of them
 * make it six times as long.
 */
import type { Clock } from './clock.ts';

/** Well below the 10 ms that no turn on a shard's thread may last: the last piece comes on top, and what others do. */
const TURN_MS = 2;

export class ShortTurns {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #nextTurn: () => Promise<void>;
  readonly #waiting: (() => void)[] = [];
  /** Spent on pieces since the event loop last came round. */
  #spentMs = 0;
  #isTurning = false;

  /** @param nextTurn resolves when everybody else who waits has been let in */
  constructor(clock: Pick<Clock, 'monotonicMs'>, nextTurn: () => Promise<void>) {
    this.#clock = clock;
    this.#nextTurn = nextTurn;
  }

  /**
   * Does a piece of work, of a millisecond or so: at once when this turn has time for it and nobody waits, else in one of the
   * next. Resolves with what it returns, rejects with what it throws.
   */
  run<T>(piece: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const work = (): void => {
        const beganMs = this.#clock.monotonicMs();
        try {
          resolve(piece());
        } catch (error) {
          reject(error as Error);
        }
        this.#spentMs += this.#clock.monotonicMs() - beganMs;
      };
      if (!this.#isTurning) void this.#turn();
      if (this.#waiting.length === 0 && this.#spentMs < TURN_MS) work();
      else this.#waiting.push(work);
    });
  }

  async #turn(): Promise<void> {
    this.#isTurning = true;
    do {
      await this.#nextTurn();
      this.#spentMs = 0;
      while (this.#spentMs < TURN_MS) {
        const next = this.#waiting.shift();
        if (next === undefined) break;
        next();
      }
    } while (this.#waiting.length > 0);
    this.#isTurning = false;
  }
}
