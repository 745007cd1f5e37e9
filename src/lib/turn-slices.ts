/**
 * Long work in short turns: asked between two steps whether the turn has lasted long enough, so that sockets, timers and other
 * accounts' work come between.
 *
 *     if (slices.isDue()) await slices.next();
 */
import type { Clock } from './clock.ts';

/** Well below the 10 ms that no turn on a shard's thread may last. */
const TURN_MS = 4;

const nextImmediate = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export class TurnSlices {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #nextTurn: () => Promise<void>;
  #fromMs: number;

  /** @param nextTurn resolves when everybody else who waits has been let in */
  constructor(clock: Pick<Clock, 'monotonicMs'>, nextTurn = nextImmediate) {
    this.#clock = clock;
    this.#nextTurn = nextTurn;
    this.#fromMs = clock.monotonicMs();
  }

  /** Whether the turn is to end here. Asking is cheap, waiting is not. */
  isDue(): boolean {
    return this.#clock.monotonicMs() - this.#fromMs >= TURN_MS;
  }

  async next(): Promise<void> {
    await this.#nextTurn();
    this.#fromMs = this.#clock.monotonicMs();
  }
}
