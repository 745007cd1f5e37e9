/**
 * Whether bytes of a file may be read at once, on the calling thread: where the machine still has them in memory that costs 2 us, and
 * a trip to the thread pool 20 to 40. That is most of what a batch of small blocks costs.
 *
 * Nothing tells beforehand whether they are there, but a read that took long while the system counted one of the disk's had to wait
 * for it. Then all go by way of the pool for a hundred times as long as that took: so the thread waits for the disk for a hundredth of
 * its time at most, whatever the disk, and a backlog of which some pages are gone is still read at once for the most part.
 */

/** Nothing that came from a disk took less: below it the system's count need not be looked at, which costs a microsecond. */
const DISK_MS = 0.02;
const OFF_TIMES = 100;
/** A disk that hung once is tried again all the same. */
const OFF_MS_MOST = 10_000;

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
    let nowMs = monotonicMs();
    if (nowMs < this.#offUntilMs) return 0;
    const before = diskReads();
    for (let index = 0; index < count; index += 1) {
      const beganMs = nowMs;
      read(index);
      nowMs = monotonicMs();
      const tookMs = nowMs - beganMs;
      // What others read meanwhile counts too: that is told apart by nobody, and happens in few of the long ones.
      if (tookMs < DISK_MS || diskReads() === before) continue;
      this.#offUntilMs = nowMs + Math.min(OFF_MS_MOST, tookMs * OFF_TIMES);
      return index + 1;
    }
    return count;
  }
}
