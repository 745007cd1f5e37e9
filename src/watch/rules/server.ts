import type { AlertStore } from '../alert-store.ts';
import type { Beat, Verdicts, WatchLimits } from '../contract.ts';
import { count, span } from '../words.ts';

const CORRUPT_NOTE = 'corrupt lines';

/** What is about the server as a whole: the configuration in force, and lines that cannot be read back. */
export class ServerRules {
  readonly #verdicts: Verdicts;
  readonly #limits: WatchLimits;
  readonly #store: Pick<AlertStore, 'note' | 'setNote'>;
  #published: { readonly version: number; readonly sinceMs: number } | undefined;
  #inForce = 0;
  /** The shard's count as last told of; a restart does not forget it. */
  #corruptLines: number;
  #corruptAtMs: number | undefined;

  constructor(
    verdicts: Verdicts,
    limits: WatchLimits,
    store: Pick<AlertStore, 'note' | 'setNote'>,
  ) {
    this.#verdicts = verdicts;
    this.#limits = limits;
    this.#store = store;
    this.#corruptLines = Number(store.note(CORRUPT_NOTE) ?? 0);
  }

  /** @param nowMs monotonic */
  published(version: number, nowMs: number): void {
    // The clock runs from the first one that did not come into force: a busy API must not put it off for ever.
    const behind = this.#published !== undefined && this.#published.version > this.#inForce;
    this.#published = { version, sinceMs: behind ? this.#published!.sinceMs : nowMs };
  }

  /** @param nowMs monotonic */
  beat({ version, corruptLines, shard }: Beat, nowMs: number): void {
    this.#inForce = version;
    this.#configuration(nowMs);
    const subject = `shard ${shard}`;
    if (corruptLines < this.#corruptLines) this.#corruptLines = corruptLines;
    if (corruptLines === this.#corruptLines) return;
    const more = corruptLines - this.#corruptLines;
    this.#corruptLines = corruptLines;
    this.#corruptAtMs = nowMs;
    try {
      this.#store.setNote(CORRUPT_NOTE, String(corruptLines));
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
      this.#corruptAtMs ??= nowMs;
      if (nowMs - this.#corruptAtMs >= this.#limits.quietMs)
        this.#verdicts.clear('corrupt_lines', subject);
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
