/** How often destinations may be tried: each trial speaks to a stranger in our name, and holds a connection (I5). */
import type { Clock } from '../../lib/clock.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';

const MINUTE_MS = 60_000;

export interface TrialsOptions {
  readonly clock: Clock;
  readonly bounds: {
    readonly trialsPerMinute: number;
    readonly trialsPerAccount: number;
    readonly trials: number;
  };
}

export class Trials {
  readonly #options: TrialsOptions;
  /** Begun in the minute that runs, by account; emptied when it is over. */
  #begun = new Map<string, number>();
  #minuteEndsMs = 0;
  readonly #underWay = new Map<string, number>();
  #allUnderWay = 0;

  constructor(options: TrialsOptions) {
    this.#options = options;
  }

  /** Runs a trial of an account, or refuses it. */
  async run<T>(account: string, trial: () => Promise<T>): Promise<T | Refusal> {
    const { clock, bounds } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs >= this.#minuteEndsMs) {
      this.#begun = new Map();
      this.#minuteEndsMs = nowMs + MINUTE_MS;
    }
    const begun = this.#begun.get(account) ?? 0;
    const underWay = this.#underWay.get(account) ?? 0;
    if (
      begun >= bounds.trialsPerMinute ||
      underWay >= bounds.trialsPerAccount ||
      this.#allUnderWay >= bounds.trials
    ) {
      return refuse('too_many_requests', 'Destinations are tried more often than allowed.');
    }
    this.#begun.set(account, begun + 1);
    this.#count(account, 1);
    try {
      return await trial();
    } finally {
      this.#count(account, -1);
    }
  }

  #count(account: string, by: 1 | -1): void {
    this.#allUnderWay += by;
    const left = (this.#underWay.get(account) ?? 0) + by;
    if (left > 0) this.#underWay.set(account, left);
    else this.#underWay.delete(account);
  }
}
