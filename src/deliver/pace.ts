/**
 * How long a batch waits for more lines when very many jobs have some.
 *
 * A batch costs a plan, a waybill and a request, however small it is. A shard that has ten thousand customers with a few lines
 * each would spend its core on those alone. So beyond so many unfilled batches a second the interval of whoever has most of them
 * grows, up to a bound: fewer and larger batches. Each account has an equal part of the number, and who stays within it waits no
 * longer than ever (I6). Batches that fill up close at once, as always.
 */

export interface PaceLimits {
  /** How long a batch waits while there are few. */
  readonly intervalMs: number;
  readonly intervalMsMost: number;
  /** Unfilled batches a second from which on the interval grows. */
  readonly batchesPerSecond: number;
}

/** Spread over half of it, twice as many at once as on the average are left; over all of it, each job would make half a batch more. */
export function firstShare(fraction: number): number {
  return (1 + fraction) / 2;
}

export class Pace {
  readonly #limits: PaceLimits;
  /** Jobs with lines that are in no batch yet, by account. */
  readonly #jobs = new Map<string, number>();
  #all = 0;

  constructor(limits: PaceLimits) {
    this.#limits = limits;
  }

  /** A job of the account has lines for a batch now. */
  begin(account: string): void {
    this.#jobs.set(account, (this.#jobs.get(account) ?? 0) + 1);
    this.#all += 1;
  }

  /** It has none any more, or may make no batch. */
  end(account: string): void {
    const left = (this.#jobs.get(account) ?? 0) - 1;
    if (left > 0) this.#jobs.set(account, left);
    else this.#jobs.delete(account);
    this.#all -= 1;
  }

  /**
   * How long a batch of the account's jobs waits after its first line.
   *
   * @param share of what it waits longer than usual, for a job's first batch: jobs that begin together (after a start, with the first
   *   lines of the morning) would else make all their batches together, and all later ones too
   */
  intervalMs(account: string, share = 1): number {
    const { intervalMs } = this.#limits;
    return intervalMs + share * (this.#wholeMs(account) - intervalMs);
  }

  #wholeMs(account: string): number {
    const { intervalMs, intervalMsMost, batchesPerSecond } = this.#limits;
    if (this.#areFew()) return intervalMs;
    const part = batchesPerSecond / Math.max(1, this.#jobs.size);
    const wantedMs = ((this.#jobs.get(account) ?? 0) / part) * 1_000;
    return Math.max(intervalMs, Math.min(wantedMs, intervalMsMost));
  }

  /** Whether the account's batches are so many that they wait longer, and that each is to cost little. */
  isStretched(account: string): boolean {
    return this.intervalMs(account) > this.#limits.intervalMs;
  }

  #areFew(): boolean {
    const { intervalMs, batchesPerSecond } = this.#limits;
    return this.#all <= (batchesPerSecond * intervalMs) / 1_000;
  }
}
