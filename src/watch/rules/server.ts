import type { AlertStore } from '../alert-store.ts';
import type { Beat, Verdicts, WatchLimits } from '../contract.ts';
import { count, span } from '../words.ts';

/** Of the first shard as in the days when it was the only one. */
const corruptNote = (shard: number) => (shard === 0 ? 'corrupt lines' : `corrupt lines ${shard}`);

/** What is about the server as a whole: the configuration in force, and lines that cannot be read back. */
export class ServerRules {
  readonly #verdicts: Verdicts;
  readonly #limits: WatchLimits;
  readonly #store: Pick<AlertStore, 'note' | 'setNote'>;
  #published: { readonly version: number; readonly sinceMs: number } | undefined;
  /** The version in force on each shard that has been heard of. */
  readonly #versions = new Map<number, number>();
  /** Each shard's count as last told of; a restart does not forget it. */
  readonly #corruptLines = new Map<number, number>();
  readonly #corruptAtMs = new Map<string, number>();

  constructor(
    verdicts: Verdicts,
    limits: WatchLimits,
    store: Pick<AlertStore, 'note' | 'setNote'>,
  ) {
    this.#verdicts = verdicts;
    this.#limits = limits;
    this.#store = store;
  }

  /** What is in force everywhere; 0 before any shard was heard of. */
  get #inForce(): number {
    return this.#versions.size === 0 ? 0 : Math.min(...this.#versions.values());
  }

  /** @param nowMs monotonic */
  published(version: number, nowMs: number): void {
    // The clock runs from the first one that did not come into force: a busy API must not put it off for ever.
    const behind = this.#published !== undefined && this.#published.version > this.#inForce;
    this.#published = { version, sinceMs: behind ? this.#published!.sinceMs : nowMs };
  }

  /** @param nowMs monotonic */
  beat({ version, corruptLines, shard }: Beat, nowMs: number): void {
    this.#versions.set(shard, version);
    this.#configuration(nowMs);
    const subject = `shard ${shard}`;
    const known =
      this.#corruptLines.get(shard) ?? Number(this.#store.note(corruptNote(shard)) ?? 0);
    this.#corruptLines.set(shard, corruptLines);
    if (corruptLines <= known) return;
    const more = corruptLines - known;
    this.#corruptAtMs.set(subject, nowMs);
    try {
      this.#store.setNote(corruptNote(shard), String(corruptLines));
    } catch {
      // Told once more after a restart; that does no harm.
    }
    this.#verdicts.fire({
      kind: 'corrupt_lines',
      subject,
      stream: null,
      job: null,
      text: `${count(more)} cannot be read back any more; ${count(corruptLines)} in all.`,
      facts: { corruptLines, more },
    });
  }

  /** @param nowMs monotonic */
  tick(nowMs: number): void {
    this.#configuration(nowMs);
    for (const { subject } of this.#verdicts.firing('corrupt_lines')) {
      if (!subject.startsWith('shard ')) continue;
      const sinceMs = this.#corruptAtMs.get(subject) ?? nowMs;
      this.#corruptAtMs.set(subject, sinceMs);
      if (nowMs - sinceMs >= this.#limits.quietMs) this.#verdicts.clear('corrupt_lines', subject);
    }
  }

  #configuration(nowMs: number): void {
    if (!this.#published || this.#inForce === 0) return;
    const { version, sinceMs } = this.#published;
    if (this.#inForce >= version) return this.#verdicts.clear('configuration_behind', 'server');
    if (nowMs - sinceMs < this.#limits.behindMs) return;
    this.#verdicts.fire({
      kind: 'configuration_behind',
      subject: 'server',
      stream: null,
      job: null,
      text: `Version ${version} was published ${span(nowMs - sinceMs)} ago; version ${this.#inForce} is in force.`,
      facts: { published: version, inForce: this.#inForce },
    });
  }
}
