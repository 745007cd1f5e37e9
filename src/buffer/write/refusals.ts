import type { Cancel, Clock } from '../../lib/clock.ts';
import type { RecordResult, RefusalCount } from '../contract.ts';
import { encodeRefusals } from '../format/records.codec.ts';
import type { RefusalsRecord } from '../format/records.codec.ts';
import type { ShardState } from '../state/state.ts';
import type { Committer } from './committer.ts';

/** How long a count may stay in memory. */
const FLUSH_MS = 5_000;
/** Entries in one record: some 150 bytes each. */
const ENTRIES = 2_000;
/** Different entries held; what is beyond is counted under no stream, so that a flood of names costs no memory. */
const HELD = 10_000;

/** Counts lines that were not taken, and puts the counts into the log with a later commit. */
export class Refusals {
  readonly #state: ShardState;
  readonly #committer: Committer;
  readonly #clock: Clock;
  #held = new Map<string, RefusalCount>();
  #timer: Cancel | undefined;
  #flushing: Promise<void> | undefined;

  constructor(state: ShardState, committer: Committer, clock: Clock) {
    this.#state = state;
    this.#committer = committer;
    this.#clock = clock;
  }

  count(entry: RefusalCount): void {
    const crowded = this.#held.size >= HELD && !this.#held.has(nameOf(entry));
    const counted = crowded ? { ...entry, stream: '' } : entry;
    const known = this.#held.get(nameOf(counted));
    this.#held.set(nameOf(counted), {
      ...counted,
      requests: counted.requests + (known?.requests ?? 0),
      lines: counted.lines + (known?.lines ?? 0),
    });
    this.#timer ??= this.#clock.after(FLUSH_MS, () => void this.flush());
  }

  /** Records what is held. Counts that the disk did not take are held on. */
  async flush(): Promise<void> {
    this.#timer?.();
    this.#timer = undefined;
    while (this.#flushing !== undefined) await this.#flushing;
    if (this.#held.size === 0) return;
    this.#flushing = this.#write();
    await this.#flushing;
    this.#flushing = undefined;
  }

  async #write(): Promise<void> {
    const all = [...this.#held.values()];
    this.#held = new Map();
    for (let at = 0; at < all.length; at += ENTRIES) {
      const entries = all.slice(at, at + ENTRIES);
      const result = await this.#record(entries);
      if (result.kind === 'failed') for (const entry of entries) this.count(entry);
    }
  }

  #record(entries: readonly RefusalCount[]): Promise<RecordResult> {
    return this.#committer.record((group) => {
      const body: RefusalsRecord = { sequence: this.#state.refusalSequence + 1, entries };
      const { serviceMs } = group;
      group.add({ kind: 'refusals', serviceMs, body }, [encodeRefusals(serviceMs, body)]);
      return undefined;
    });
  }
}

function nameOf(entry: RefusalCount): string {
  return `${entry.hour} ${entry.reason} ${entry.stream}`;
}
