/**
 * How long this thread's turns take: the longest of each second, counted in classes, so that operators and measurements see
 * what averages hide. A turn is what runs between two looks at timers and sockets; also a thread that the machine gave no
 * core meanwhile looks like one.
 *
 * Looks cost a timer each few milliseconds, a hundredth of a core. So they are taken only in seconds that follow a busy one.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Upper bounds of the classes, in milliseconds; what is longer than all is in the last class. */
export const TURN_CLASSES_MS = [2, 5, 10, 20, 50, 100, 250, 1_000] as const;

export interface TurnTimes {
  /** Seconds by their longest turn, one more than there are bounds. */
  readonly seconds: readonly number[];
  /** Sum of those longest turns. */
  readonly sumMs: number;
}

/** What of Node's histogram is used. */
export interface DelayHistogram {
  enable(): boolean;
  disable(): boolean;
  reset(): void;
  /** Nanoseconds between two looks at most. */
  readonly max: number;
}

const LOOK_MS = 5;
/** Share of its time for which a thread works, from which on the next second is looked at. */
const BUSY_FROM = 0.02;

export class LongestTurns {
  readonly #busyShare: () => number;
  readonly #looks: DelayHistogram;
  readonly #seconds = Array.from({ length: TURN_CLASSES_MS.length + 1 }, () => 0);
  #sumMs = 0;
  #isLooking = false;

  /** @param busyShare how busy the thread was since the last call, 0 to 1 */
  constructor(
    busyShare: () => number,
    looks: DelayHistogram = monitorEventLoopDelay({ resolution: LOOK_MS }),
  ) {
    this.#busyShare = busyShare;
    this.#looks = looks;
  }

  /** Call it once a second. */
  second(): void {
    if (this.#isLooking) this.#count(Math.max(0, this.#looks.max / 1e6 - LOOK_MS));
    this.#looks.reset();
    const isBusy = this.#busyShare() >= BUSY_FROM;
    if (isBusy !== this.#isLooking) {
      if (isBusy) this.#looks.enable();
      else this.#looks.disable();
    }
    this.#isLooking = isBusy;
  }

  times(): TurnTimes {
    return { seconds: [...this.#seconds], sumMs: this.#sumMs };
  }

  #count(longestMs: number): void {
    const found = TURN_CLASSES_MS.findIndex((bound) => longestMs <= bound);
    this.#seconds[found < 0 ? TURN_CLASSES_MS.length : found]! += 1;
    this.#sumMs += longestMs;
  }
}
