/** Times, counted in steps of some 2 %: bounded memory, however many there are. */

const STEPS_PER_OCTAVE = 32;
const LEAST_MS = 0.01;
const BUCKETS = 32 * STEPS_PER_OCTAVE;

export interface Summary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mostMs: number;
}

export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #mostMs = 0;

  /** @param times how many things took that long */
  add(ms: number, times = 1): void {
    const step = Math.floor(Math.log2(Math.max(ms, LEAST_MS) / LEAST_MS) * STEPS_PER_OCTAVE);
    const bucket = Math.min(step, BUCKETS - 1);
    this.#counts[bucket] = this.#counts[bucket]! + times;
    this.#count += times;
    this.#mostMs = Math.max(this.#mostMs, ms);
  }

  get count(): number {
    return this.#count;
  }

  /** The time that a share of all did not exceed, within 2 %; 0 when there are none. */
  quantileMs(share: number): number {
    let left = Math.ceil(this.#count * share);
    if (left === 0) return 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      left -= this.#counts[bucket]!;
      if (left <= 0)
        return Math.min(this.#mostMs, LEAST_MS * 2 ** ((bucket + 1) / STEPS_PER_OCTAVE));
    }
    return this.#mostMs;
  }

  summary(): Summary {
    return {
      count: this.#count,
      p50Ms: rounded(this.quantileMs(0.5)),
      p99Ms: rounded(this.quantileMs(0.99)),
      mostMs: rounded(this.#mostMs),
    };
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
