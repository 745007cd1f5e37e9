/**
 * Whether a shard's thread gives signs of life. Counted in checks, not in time: a machine that was asleep, or a control
 * thread that was itself held up, has missed its checks too, and blames nobody.
 */
export interface HeartbeatLimits {
  readonly hungBeats: number;
  readonly restartBeats: number;
}

export class Heartbeat {
  readonly #limits: HeartbeatLimits;
  #missed = 0;
  #running = false;

  constructor(limits: HeartbeatLimits) {
    this.#limits = limits;
  }

  /** The shard runs from now on; or it is known to be down, and nothing is expected of it. */
  expect(running: boolean): void {
    this.#running = running;
    this.#missed = 0;
  }

  beat(): void {
    this.#missed = 0;
  }

  /** Called at the pace of the beats. `restart` is said once for each time that it hangs. */
  check(): 'fine' | 'hung' | 'restart' {
    if (!this.#running) return 'fine';
    this.#missed += 1;
    if (this.#missed === this.#limits.restartBeats) return 'restart';
    return this.#missed >= this.#limits.hungBeats ? 'hung' : 'fine';
  }
}
