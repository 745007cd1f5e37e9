/**
 * Whether bytes that were written lately may be read at once, on the calling thread: where the machine still has them in memory that
 * costs 2 us, and a trip to the thread pool 20 and more. That is most of what a batch of a few small blocks costs.
 *
 * Nothing tells beforehand whether they are there, but the system counts what had to come from the disk. As soon as one of these
 * reads had to, all go by way of the pool again for a while: the thread waits for the disk once in that time at most.
 */

/** Long enough that one wait for a slow disk in it is nothing, short enough that a reading of old lines does not end it for good. */
const OFF_MS = 10_000;

export interface ReadsNowTools {
  /** Reads of the disk by this process so far. */
  readonly diskReads: () => number;
  readonly monotonicMs: () => number;
}

export class ReadsNow {
  readonly #tools: ReadsNowTools;
  #offUntilMs = Number.NEGATIVE_INFINITY;

  constructor(tools: ReadsNowTools) {
    this.#tools = tools;
  }

  /**
   * Does the first of so many reads, as many as may be done at once.
   *
   * @returns how many were done
   */
  run(count: number, read: (index: number) => void): number {
    const { diskReads, monotonicMs } = this.#tools;
    if (monotonicMs() < this.#offUntilMs) return 0;
    const before = diskReads();
    for (let index = 0; index < count; index += 1) {
      read(index);
      // What others read meanwhile counts too: that is told apart by nobody, and happens in few of these microseconds.
      if (diskReads() === before) continue;
      this.#offUntilMs = monotonicMs() + OFF_MS;
      return index + 1;
    }
    return count;
  }
}
