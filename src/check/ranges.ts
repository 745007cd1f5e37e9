/** A half-open run of offsets. */
export interface Run {
  readonly from: number;
  readonly to: number;
}

/** A set of offsets, kept as few ordered runs. */
export class Ranges {
  #runs: Run[] = [];

  /** Puts a run in. Returns how many of its offsets were in already. */
  add(from: number, to: number): number {
    if (to <= from) return 0;
    let first = this.#firstEndingAtOrBehind(from);
    const start = first;
    let known = 0;
    let low = from;
    let high = to;
    for (; first < this.#runs.length && this.#runs[first]!.from <= to; first += 1) {
      const run = this.#runs[first]!;
      known += Math.max(0, Math.min(run.to, to) - Math.max(run.from, from));
      low = Math.min(low, run.from);
      high = Math.max(high, run.to);
    }
    this.#runs.splice(start, first - start, { from: low, to: high });
    return known;
  }

  get runs(): readonly Run[] {
    return this.#runs;
  }

  /** Behind the last offset; 0 when there is none. */
  get end(): number {
    return this.#runs.at(-1)?.to ?? 0;
  }

  /** Behind the last offset from `from` (included) to `to` (not) that is in; `from` when there is none. */
  endWithin(from: number, to: number): number {
    const last = this.#runs.findLast((run) => run.from < to);
    return last === undefined ? from : Math.max(from, Math.min(last.to, to));
  }

  /** How many of the offsets from `from` (included) to `to` (not) are in. */
  within(from: number, to: number): number {
    let sum = 0;
    for (const run of this.#runs) {
      sum += Math.max(0, Math.min(run.to, to) - Math.max(run.from, from));
    }
    return sum;
  }

  /** The runs between the first and the last offset that are not in. */
  holes(): Run[] {
    return this.#runs.slice(1).map((run, index) => ({ from: this.#runs[index]!.to, to: run.from }));
  }

  #firstEndingAtOrBehind(offset: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#runs[middle]!.to >= offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
