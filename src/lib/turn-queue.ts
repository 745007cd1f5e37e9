/**
 * Many small pieces of work that come at once (a commit wakes a thousand jobs, their timers fire in the same millisecond): so
 * many of them a turn, in the order in which they came, so that sockets and others' work come between.
 *
 * They are counted, and no time is taken: what a piece sets off runs behind it in the same turn and would not be seen.
 */
export class TurnQueue {
  readonly #most: number;
  readonly #nextTurn: () => Promise<void>;
  #waiting: (() => void)[] = [];
  #done = 0;
  #isTurning = false;
  #isClosed = false;

  /**
   * @param most pieces a turn
   * @param nextTurn resolves when everybody else who waits has been let in
   */
  constructor(most: number, nextTurn: () => Promise<void>) {
    this.#most = most;
    this.#nextTurn = nextTurn;
  }

  /** Does it at once when there is room in this turn, else in one of the next. It must not throw. */
  do(work: () => void): void {
    if (this.#isClosed) return;
    if (!this.#isTurning) {
      this.#isTurning = true;
      void this.#turn();
    }
    if (this.#waiting.length > 0 || this.#done >= this.#most) {
      this.#waiting.push(work);
      return;
    }
    this.#done += 1;
    work();
  }

  /** Drops what waits; nothing is done from now on. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
  }

  async #turn(): Promise<void> {
    for (;;) {
      await this.#nextTurn();
      const now = this.#waiting.splice(0, this.#most);
      this.#done = now.length;
      if (now.length === 0) break;
      for (const work of now) work();
    }
    this.#isTurning = false;
  }
}
