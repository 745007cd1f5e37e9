import type { Clock } from '../../lib/clock.ts';

const MINUTE_MS = 60_000;
/** Accounts remembered; one whose bucket is full again is the first to go. */
const ACCOUNTS = 10_000;

/** Bounds how fast each account starts new streams: a bucket that fills steadily up to its burst. */
export class NewStreams {
  readonly #clock: Clock;
  readonly #perMinute: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(clock: Clock, perMinute: number, burst: number) {
    this.#clock = clock;
    this.#perMinute = perMinute;
    this.#burst = burst;
  }

  /** Takes one stream from the account's bucket. Returns how long to wait when it is empty, else 0. */
  take(account: string): number {
    const now = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(account) ?? { tokens: this.#burst, atMs: now };
    const gained = ((now - bucket.atMs) / MINUTE_MS) * this.#perMinute;
    bucket.tokens = Math.min(this.#burst, bucket.tokens + gained);
    bucket.atMs = now;
    this.#buckets.delete(account);
    this.#buckets.set(account, bucket);
    if (this.#buckets.size > ACCOUNTS) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) / this.#perMinute) * MINUTE_MS);
    bucket.tokens -= 1;
    return 0;
  }
}
