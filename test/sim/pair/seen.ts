/** What histories of two shards have met. */
export class PairSeen {
  steps = 0;
  accepted = 0;
  refused = 0;
  unwanted = 0;
  unanswered = 0;
  repeats = 0;
  /** Repeats that were known. */
  known = 0;
  /** Parts that went to the other shard. */
  handed = 0;
  crashes = 0;
  hangs = 0;
  /** Looks of the control thread that found a shard hanging. */
  hung = 0;
  drains = 0;
  cuts = 0;
  looks = 0;
  readonly refusals = new Set<string>();

  add(other: PairSeen): void {
    for (const [name, count] of Object.entries(other)) {
      if (typeof count === 'number') this[name as PairCount] += count;
    }
    for (const code of other.refusals) this.refusals.add(code);
  }
}

type PairCount = Exclude<keyof PairSeen, 'add' | 'refusals'>;
