/**
 * Publishes the wanted set of the snapshot in force. Forwarders wait here for news: each is woken only when what it may see
 * has changed, and the waiting is bounded.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Scope } from '../../model/scope.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { wantedTag, writeWanted, writeWantedBody } from '../../model/wanted-set.ts';
import type { WantedSet } from '../../model/wanted-set.ts';
import type { Store } from '../store/store.ts';
import { EndedStreams } from './ended.ts';
import { wantedView } from './view.ts';
import type { WantedView } from './view.ts';

export interface WantedDeskOptions {
  readonly store: Pick<Store, 'changes'>;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  readonly bounds: {
    readonly wantedWaiters: number;
    readonly wantedWaitersPerToken: number;
    readonly wantedWaitMs: number;
    readonly wantedEnded: number;
    readonly wantedEntries: number;
  };
}

/** Who asks, and what he knows. */
export interface WantedQuestion {
  /** The token's id, its hash (which seals the answer), and what it reaches. */
  readonly token: {
    readonly id: string;
    readonly hash: string;
    readonly scopes: 'all' | readonly Scope[];
  };
  readonly tag: string | undefined;
  readonly waitMs: number;
  /** Calls back when the asker has gone; returns the way to stop listening. */
  readonly onGone: (fire: () => void) => () => void;
}

export type WantedReply =
  | { readonly kind: 'document'; readonly tag: string; readonly text: string }
  /** What he knows still holds. */
  | { readonly kind: 'unchanged'; readonly tag: string }
  /** Nothing has been published yet. */
  | { readonly kind: 'not_yet' };

/** A view for some scopes, made once for all who see the same. */
interface Made {
  readonly set: WantedSet;
  readonly tag: string;
  readonly body: string;
}

/** Different sets of scopes whose view is kept; more are made anew for each question. */
const VIEWS_KEPT = 1_000;

export class WantedDesk {
  readonly #options: WantedDeskOptions;
  readonly #ended: EndedStreams;
  #snapshot: Snapshot | undefined;
  #view: WantedView | undefined;
  readonly #made = new Map<string, Made>();
  readonly #waiting = new Map<() => void, string>();
  #publishing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: WantedDeskOptions) {
    const { wantedEnded, wantedEntries } = options.bounds;
    this.#options = options;
    this.#ended = new EndedStreams(wantedEnded, wantedEntries);
  }

  /** A snapshot has come into force. Resolves when it is published. */
  inForce(snapshot: Snapshot): Promise<void> {
    this.#publishing = this.#publishing.then(async () => {
      try {
        await this.#ended.catchUp(this.#options.store, snapshot.version);
      } catch (error) {
        // Forwarders will doubt what is missing without it, and go on with what they have.
        this.#options.diagnostics.alarm(
          'the wanted set is published without what was ended on purpose',
          {
            error: error instanceof Error ? error.name : 'unknown',
          },
        );
      }
      if (snapshot.version < (this.#snapshot?.version ?? 0)) return;
      this.#snapshot = snapshot;
      this.#view = undefined;
      this.#made.clear();
      for (const wake of this.#waiting.keys()) wake();
    });
    return this.#publishing;
  }

  async answer(question: WantedQuestion): Promise<WantedReply> {
    const { clock, bounds } = this.#options;
    const untilMs = clock.monotonicMs() + Math.min(question.waitMs, bounds.wantedWaitMs);
    for (;;) {
      const made = this.#of(question.token.scopes);
      if (made !== undefined && made.tag !== question.tag) {
        const { tag, body, set } = made;
        return {
          kind: 'document',
          tag,
          text: writeWanted(set, question.token.hash, { tag, body }),
        };
      }
      const leftMs = untilMs - clock.monotonicMs();
      const woken = leftMs > 0 && !this.#closed && (await this.#wait(question, leftMs));
      if (!woken)
        return made === undefined ? { kind: 'not_yet' } : { kind: 'unchanged', tag: made.tag };
    }
  }

  /** Answers all who wait; from now on nobody waits. */
  close(): void {
    this.#closed = true;
    for (const wake of this.#waiting.keys()) wake();
  }

  #of(scopes: 'all' | readonly Scope[]): Made | undefined {
    if (this.#snapshot === undefined) return undefined;
    this.#view ??= wantedView(this.#snapshot, this.#ended.at);
    const name = scopes === 'all' ? 'all' : scopes.map(({ kind, id }) => `${kind} ${id}`).join(',');
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const set: WantedSet = { version: this.#view.version, ...this.#view.of(scopes) };
    const made = { set, tag: wantedTag(set), body: writeWantedBody(set) };
    if (this.#made.size < VIEWS_KEPT) this.#made.set(name, made);
    return made;
  }

  /** @returns whether there may be news */
  #wait({ token, onGone }: WantedQuestion, mostMs: number): Promise<boolean> {
    const { clock, bounds } = this.#options;
    let own = 0;
    for (const id of this.#waiting.values()) if (id === token.id) own += 1;
    if (this.#waiting.size >= bounds.wantedWaiters || own >= bounds.wantedWaitersPerToken)
      return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (news: boolean): void => {
        this.#waiting.delete(wake);
        cancel();
        stopListening();
        resolve(news);
      };
      const wake = (): void => end(true);
      const cancel = clock.after(mostMs, () => end(false));
      const stopListening = onGone(() => end(false));
      this.#waiting.set(wake, token.id);
    });
  }
}
