/**
 * The hour's window: the streams whose delivery operators (and their documents) have ended within the last hour and nobody
 * has started again. A set, so that ending and starting the same stream over and over fills it once, and restoring empties it.
 */
import type { Clock } from '../../lib/clock.ts';
import type { StreamOf } from './tally.ts';

interface Entry {
  readonly account: string;
  /** On the monotonic clock: a jump of the wall clock opens no new hour. */
  readonly atMs: number;
}

export class Hour {
  readonly #clock: Clock;
  readonly #lengthMs: number;
  /** Oldest first. */
  readonly #ended = new Map<string, Entry>();
  readonly #accounts = new Map<string, number>();

  constructor(clock: Clock, lengthMs: number) {
    this.#clock = clock;
    this.#lengthMs = lengthMs;
  }

  get streams(): number {
    this.#forget();
    return this.#ended.size;
  }

  /** How many accounts they belong to, with those of `more`. */
  accountsWith(more: readonly StreamOf[]): number {
    this.#forget();
    const others = new Set(more.map(({ account }) => account));
    for (const account of others) if (this.#accounts.has(account)) others.delete(account);
    return this.#accounts.size + others.size;
  }

  /** Accounts of the streams that have ended. */
  accounts(): Iterable<string> {
    this.#forget();
    return this.#accounts.keys();
  }

  /** An operator has ended these, `agoMs` ago. Called in order of time. */
  end(streams: readonly StreamOf[], agoMs = 0): void {
    const atMs = this.#clock.monotonicMs() - agoMs;
    for (const { stream, account } of streams) {
      this.#remove(stream);
      this.#ended.set(stream, { account, atMs });
      this.#accounts.set(account, (this.#accounts.get(account) ?? 0) + 1);
    }
  }

  /** Somebody has started these again. */
  start(streams: readonly StreamOf[]): void {
    for (const { stream } of streams) this.#remove(stream);
  }

  #forget(): void {
    const until = this.#clock.monotonicMs() - this.#lengthMs;
    for (const [stream, { atMs }] of this.#ended) {
      if (atMs > until) return;
      this.#remove(stream);
    }
  }

  #remove(stream: string): void {
    const entry = this.#ended.get(stream);
    if (!entry) return;
    this.#ended.delete(stream);
    const left = (this.#accounts.get(entry.account) ?? 0) - 1;
    if (left > 0) this.#accounts.set(entry.account, left);
    else this.#accounts.delete(entry.account);
  }
}
