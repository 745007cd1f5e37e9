/**
 * Long work on a thread that others wait for: it is done in turns of some milliseconds, and between two of them whoever waits
 * comes in.
 */
import type { Clock } from './clock.ts';

/** Long enough that turns cost nothing, short enough that nobody notices one. */
const TURN_MS = 8;

export class Pace {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #beganMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
    this.#beganMs = clock.monotonicMs();
  }

  /** Whether the turn has been long enough: `if (pace.isOver) await pace.rest()`. Asking is cheap, waiting is not. */
  get isOver(): boolean {
    return this.#clock.monotonicMs() - this.#beganMs >= TURN_MS;
  }

  /** Lets everybody else in who waits, and begins the next turn. */
  async rest(): Promise<void> {
    await new Promise<void>((resolve) => void setImmediate(resolve));
    this.#beganMs = this.#clock.monotonicMs();
  }
}
