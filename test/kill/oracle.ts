import { identify } from './lines.ts';

/** What a destination holds, judged against what producers were promised. */
export interface Verdict {
  readonly promised: number;
  readonly delivered: number;
  /** Promised and never delivered. */
  readonly missing: number;
  /** Delivered and never sent. */
  readonly spurious: number;
  /** Delivered with a byte changed. */
  readonly damaged: number;
  /** Deliveries beyond the first. */
  readonly repeated: number;
  /** The first few of what is wrong. */
  readonly examples: readonly string[];
}

/** Keeps the books of the outside: which lines were sent, which were promised, with the offsets that were promised for them. */
export class Oracle {
  readonly #sent = new Set<string>();
  readonly #promised = new Map<string, number>();
  readonly #offsets: { readonly epoch: string; readonly from: number; readonly to: number }[] = [];
  /** Bodies that were answered as a repeat of an earlier request: replays that were really seen. */
  repeats = 0;

  sent(ids: readonly string[]): void {
    for (const id of ids) this.#sent.add(id);
  }

  /** A 2xx: from now on these lines are owed. */
  promised(
    ids: readonly string[],
    answer: {
      readonly epoch: string;
      readonly from: number;
      readonly to: number;
      readonly repeat: boolean;
    },
  ): void {
    if (answer.to - answer.from !== ids.length)
      throw new Error(
        `${ids.length} lines were answered with offsets ${answer.from} to ${answer.to}`,
      );
    ids.forEach((id, index) => {
      if (this.#promised.has(id)) throw new Error(`line ${id} was promised twice`);
      this.#promised.set(id, answer.from + index);
    });
    this.#offsets.push(answer);
    if (answer.repeat) this.repeats++;
  }

  get promisedLines(): number {
    return this.#promised.size;
  }

  /** Each promised line has an offset of its own, and none of them is skipped but by lines that were sent and never answered. */
  /** @param streams how many streams the bodies went to */
  offsetProblems(streams = 1): string[] {
    const problems: string[] = [];
    const byEpoch = Map.groupBy(this.#offsets, ({ epoch }) => epoch);
    if (byEpoch.size > streams)
      problems.push(`a stream changed its epoch: ${[...byEpoch.keys()].join(', ')}`);
    for (const ranges of byEpoch.values()) {
      const ordered = ranges.toSorted((a, b) => a.from - b.from);
      for (let n = 1; n < ordered.length; n++) {
        if (ordered[n]!.from < ordered[n - 1]!.to)
          problems.push(`offsets ${ordered[n]!.from} to ${ordered[n - 1]!.to} were promised twice`);
      }
    }
    return problems;
  }

  judge(lines: Iterable<string>): Verdict {
    const seen = new Map<string, number>();
    const examples: string[] = [];
    let [delivered, spurious, damaged] = [0, 0, 0];
    const tell = (what: string) => {
      if (examples.length < 10) examples.push(what);
    };
    for (const line of lines) {
      delivered++;
      const known = identify(line);
      const id = known && `${known.producer}-${known.number}`;
      if (id === undefined) {
        damaged++;
        tell(`damaged: ${line.slice(0, 80)}`);
      } else if (!this.#sent.has(id)) {
        spurious++;
        tell(`spurious: ${id}`);
      } else seen.set(id, (seen.get(id) ?? 0) + 1);
    }
    let missing = 0;
    for (const [id, offset] of this.#promised) {
      if (seen.has(id)) continue;
      missing++;
      tell(`missing: ${id} at offset ${offset}`);
    }
    const repeated = [...seen.values()].reduce((sum, count) => sum + count - 1, 0);
    for (const [id, count] of seen) if (count > 1) tell(`repeated: ${id} ${count} times`);
    return {
      promised: this.#promised.size,
      delivered,
      missing,
      spurious,
      damaged,
      repeated,
      examples,
    };
  }
}
