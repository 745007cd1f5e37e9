/**
 * Which streams were ended on purpose: by their owner, by an operator's single change that passed the guard, or by a document
 * with a reason (whoever insists against the guard has to give one). Read from the change log, so that a restart forgets
 * nothing. A stream that vanished in any other way is not in it, and forwarders doubt a set that lacks it (I4).
 */
import { streamKey } from '../../model/scope.ts';
import type { Scope, StreamKey } from '../../model/scope.ts';
import type { ChangeEntry, Store } from '../store/store.ts';

const PAGE = 500;

export class EndedStreams {
  readonly #most: number;
  readonly #entriesMost: number;
  readonly #at = new Map<StreamKey, number>();
  #version = -1;

  /**
   * @param most streams remembered; those ended longest ago go first
   * @param entriesMost entries of the change log that are read back at the start
   */
  constructor(most: number, entriesMost: number) {
    this.#most = most;
    this.#entriesMost = entriesMost;
  }

  /** By stream the version that last ended it. */
  get at(): ReadonlyMap<StreamKey, number> {
    return this.#at;
  }

  /**
   * Reads what is new in the change log. Rejects when it cannot be read.
   *
   * @param upTo the version in force: what is not newer need not be looked through again
   */
  async catchUp(store: Pick<Store, 'changes'>, upTo: number): Promise<void> {
    const entries: ChangeEntry[] = [];
    for (let before: number | undefined; entries.length < this.#entriesMost;) {
      const page = await store.changes({
        limit: PAGE,
        after: this.#version,
        withBefore: true,
        ...(before === undefined ? {} : { before }),
      });
      const fresh = page.filter(({ version }) => version > this.#version);
      entries.push(...fresh);
      before = page.at(-1)?.version;
      if (fresh.length < PAGE) break;
    }
    for (const entry of entries.toReversed()) {
      if (isOnPurpose(entry))
        for (const stream of endedBy(entry)) this.#note(stream, entry.version);
      this.#version = Math.max(this.#version, entry.version);
    }
    this.#version = Math.max(this.#version, upTo);
  }

  #note(stream: StreamKey, version: number): void {
    this.#at.delete(stream);
    this.#at.set(stream, version);
    if (this.#at.size <= this.#most) return;
    const [oldest] = this.#at.keys();
    if (oldest !== undefined) this.#at.delete(oldest);
  }
}

function isOnPurpose({ voice, reason }: ChangeEntry): boolean {
  return voice === 'customer' || voice === 'operator' || (voice === 'document' && !!reason);
}

/** Streams of jobs that an entry switched off or deleted, and of zones that it stopped to keep for Logpull. */
function endedBy({ edits }: ChangeEntry): StreamKey[] {
  return edits.flatMap(({ kind, before, after }) => {
    const was = (before ?? {}) as Record<string, unknown>;
    const is = (after ?? {}) as Record<string, unknown>;
    if (kind === 'job' && was['enabled'] === true && is['enabled'] !== true)
      return [streamKey(was['scope'] as Scope, String(was['dataset']))];
    if (kind === 'zone' && was['retention'] === true && is['retention'] !== true)
      return [streamKey({ kind: 'zone', id: String(was['id']) }, 'http_requests')];
    return [];
  });
}
