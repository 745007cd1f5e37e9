/**
 * Where changes are made: one after the other, each from the newest state, each one transaction of the store and one new
 * version, each published to the data plane before it is answered (or at the latest after a bound).
 */
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import { concernsOf } from './concerns.ts';
import { editsBetween, isBlank } from './guard/differences.ts';
import type { Guard } from './guard/guard.ts';
import type { BlastRadius } from './guard/rules.ts';
import { guardRefusal } from './guard/refusal.ts';
import { DOCUMENT, OPERATOR } from './guard/voice.ts';
import type { Voice } from './guard/voice.ts';
import type { Refusal } from './refusal.ts';
import { refuse } from './refusal.ts';
import { State } from './store/state.ts';
import type { StateView } from './store/state.ts';
import type { Change, Contents, Edit, SealedSecret, Store } from './store/store.ts';

/** Who makes a change, and from where. */
export interface Actor {
  /** A token's id, or `server`. */
  readonly who: string;
  readonly address: string | null;
  /** As whom; an operator when nothing is said. */
  readonly voice?: Voice;
  /** Why, for the change log. */
  readonly reason?: string;
  /** The token of a refusal of the guard, from somebody who insists; it takes a reason. */
  readonly insist?: string;
}

/** What a change consists of, as its maker works it out from the state that he is shown. */
interface Draft<T> {
  readonly kind: 'draft';
  readonly edits: readonly Edit[];
  readonly seal?: readonly SealedSecret[];
  readonly dropSecrets?: readonly string[];
  /** What the maker wants to answer with, once it is committed. */
  readonly value: T;
}

/** A change, a refusal, or nothing to do (the state is already so). */
export type Edited<T> = Draft<T> | Refusal | { readonly kind: 'unchanged'; readonly value: T };

/** Works a change out from a state. What takes long is done in turns; no other change is made meanwhile. */
export type Maker<T> = (state: StateView, version: number) => Edited<T> | Promise<Edited<T>>;

export type Changed<T> = { readonly kind: 'changed'; readonly value: T } | Refusal;

export interface DeskOptions {
  readonly store: Store;
  /** The newest state of the store; from here on the desk changes it. */
  readonly state: State;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  /** Judges every change before it is committed. Looks at that very state. */
  readonly guard: Guard;
  /** Puts the state in force. Called after each change; resolves when it is. */
  readonly publish: (state: StateView) => Promise<void>;
  readonly publishWaitMs: number;
}

const ATTEMPTS = 3;

export class Desk {
  readonly #options: DeskOptions;
  #state: State;
  #queue: Promise<unknown> = Promise.resolve();
  #publishing: Promise<void> | undefined;
  #publishAgain: Promise<void> | undefined;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  /** The newest state. Read it in one turn: after an await it may be another. */
  get state(): StateView {
    return this.#state;
  }

  /**
   * Makes one change.
   *
   * @param what its name in the change log, such as `job.create`
   * @param edit works the change out from the state; called again when somebody else was quicker
   */
  change<T>(actor: Actor, what: string, edit: Maker<T>): Promise<Changed<T>> {
    const turn = this.#queue.then(() => this.#change(actor, what, edit));
    this.#queue = turn.catch(() => {});
    return turn.then(async (changed) => {
      if (changed.kind === 'changed' && changed.published) await this.#within(changed.published);
      return changed.kind === 'changed' ? { kind: 'changed', value: changed.value } : changed;
    });
  }

  /** Works a change out and asks the guard about it, without making it. */
  async preview<T>(
    actor: Actor,
    what: string,
    edit: Maker<T>,
  ): Promise<{
    /** The version that it was worked out from. */
    readonly base: number;
    readonly edited: Edited<T>;
    readonly refusal: Refusal | undefined;
  }> {
    const base = this.#state.version;
    const edited = await edit(this.#state, base + 1);
    if (edited.kind !== 'draft') return { base, edited, refusal: undefined };
    const voice = actor.voice ?? OPERATOR;
    // A token to insist with is for the change itself: looking uses nothing up.
    const { who, address } = actor;
    return {
      base,
      edited,
      refusal: await this.#judge({ who, address }, voice, what, base, edited.edits),
    };
  }

  /** What edits would do to what is delivered, without a verdict. */
  foresee(edits: readonly Edit[]): Promise<BlastRadius> {
    return this.#options.guard.foresee(edits);
  }

  /** Lines of a stream's busiest hour, as far as known. */
  busyLines(stream: string): number | undefined {
    return this.#options.guard.traffic.of(stream)?.lines;
  }

  /** Resolves when every change made so far has been answered by the store. */
  async settled(): Promise<void> {
    await this.#queue;
  }

  async #change<T>(
    actor: Actor,
    what: string,
    edit: Maker<T>,
  ): Promise<{ kind: 'changed'; value: T; published?: Promise<void> } | Refusal> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const closed = this.#options.store.readOnly?.();
      if (closed !== undefined) return refuse('control_read_only', closed);
      const base = this.#state.version;
      const edited = await edit(this.#state, base + 1);
      if (edited.kind === 'refused') return edited;
      if (edited.kind === 'unchanged') return { kind: 'changed', value: edited.value };
      const voice = actor.voice ?? OPERATOR;
      const refused = await this.#judge(actor, voice, what, base, edited.edits);
      if (refused) return refused;
      const change: Change = {
        base,
        atMs: Math.floor(this.#options.clock.wallMs()),
        who: actor.who,
        address: actor.address,
        what,
        voice: voice.kind,
        reason: actor.reason ?? null,
        edits: edited.edits,
        concerns: edited.edits.map((one) => concernsOf(this.#state, one)),
        seal: edited.seal ?? [],
        dropSecrets: edited.dropSecrets ?? [],
      };
      const result = await this.#options.store.commit(change);
      switch (result.kind) {
        case 'committed':
          this.#options.guard.committed(voice, change.edits);
          this.#state.apply(change, result.version);
          this.#options.diagnostics.info('configuration changed', {
            version: result.version,
            what,
            who: actor.who,
          });
          return { kind: 'changed', value: edited.value, published: this.#publish() };
        case 'failed':
          this.#options.diagnostics.alarm('the control store does not take changes', {
            detail: result.detail,
          });
          return this.#unavailable();
        case 'stale':
          if (!(await this.#reload())) return refuse('store_unavailable');
      }
    }
    return refuse('conflict');
  }

  #unavailable(): Refusal {
    const closed = this.#options.store.readOnly?.();
    return closed === undefined ? refuse('store_unavailable') : refuse('control_read_only', closed);
  }

  /** Asks the guard. Undefined: the change may be made. */
  async #judge(
    actor: Actor,
    voice: Voice,
    what: string,
    base: number,
    edits: readonly Edit[],
  ): Promise<Refusal | undefined> {
    const { guard, store, diagnostics } = this.#options;
    const { who, insist } = actor;
    if (insist !== undefined && !actor.reason)
      return refuse('body_invalid', 'Whoever insists has to give a reason.', 'reason');
    try {
      await guard.restore(store);
    } catch (error) {
      // Without the change log nobody knows what was changed within the hour.
      const detail = error instanceof Error ? error.message : String(error);
      diagnostics.alarm('the change log cannot be read', { detail });
      return refuse('store_unavailable');
    }
    const judgement = await guard.judge({ voice, base, edits, insist });
    switch (judgement.kind) {
      case 'passes':
        return undefined;
      case 'too_fast':
        return refuse('too_many_requests');
      case 'insisted':
        diagnostics.warn('an operator insists on a change that the guard refused', {
          what,
          who,
          reason: judgement.reason,
          streamsEnded: judgement.radius.streamsEnded,
          streamsStarted: judgement.radius.streamsStarted,
        });
        return undefined;
      case 'refused':
        diagnostics.alarm('the guard refused a change of the configuration', {
          what,
          who,
          reason: judgement.reason,
          streams: judgement.radius.streams,
          streamsEnded: judgement.radius.streamsEnded,
          streamsStarted: judgement.radius.streamsStarted,
          accounts: judgement.radius.accounts,
        });
        return guardRefusal(judgement, base);
    }
  }

  async #reload(): Promise<boolean> {
    const loaded = await this.#options.store.load();
    if (loaded.kind === 'unreadable') {
      // What runs goes on with what it has (I4).
      this.#options.diagnostics.alarm('the control store cannot be read', {
        detail: loaded.detail,
      });
      return false;
    }
    return await this.#takeOver(loaded.contents);
  }

  /** What the store holds now is a document like any other: it passes the guard, or what runs goes on with what it has (I4). */
  async #takeOver(contents: Contents): Promise<boolean> {
    const { guard, diagnostics } = this.#options;
    const edits = editsBetween(this.#state, contents.records);
    const standing = this.#state.version;
    const lost =
      contents.version < standing
        ? `it is older (version ${contents.version}) than what is in force (${standing})`
        : isBlank(contents.records) && edits.length > 0
          ? 'it is empty'
          : await this.#lossOf(edits);
    if (lost !== undefined) {
      diagnostics.alarm('the control store holds another configuration, which is not taken over', {
        why: lost,
      });
      return false;
    }
    guard.committed(DOCUMENT, edits);
    this.#state = new State(contents);
    guard.reset(this.#state);
    return true;
  }

  async #lossOf(edits: readonly Edit[]): Promise<string | undefined> {
    const base = this.#state.version;
    const judgement = await this.#options.guard.judge({ voice: DOCUMENT, base, edits });
    return judgement.kind === 'refused' ? guardRefusal(judgement, base).message : undefined;
  }

  /** One publication at a time, and at most one waiting that covers every change up to its start. */
  #publish(): Promise<void> {
    if (!this.#publishing) return (this.#publishing = this.#publishNow());
    return (this.#publishAgain ??= this.#publishing.then(() => {
      this.#publishAgain = undefined;
      return (this.#publishing = this.#publishNow());
    }));
  }

  async #publishNow(): Promise<void> {
    try {
      await this.#options.publish(this.#state);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      this.#options.diagnostics.alarm('a configuration could not be put in force', {
        version: this.#state.version,
        detail,
      });
    } finally {
      if (!this.#publishAgain) this.#publishing = undefined;
    }
  }

  async #within(published: Promise<void>): Promise<void> {
    const { clock, publishWaitMs } = this.#options;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(publishWaitMs, () => {
        this.#options.diagnostics.warn('a configuration is not in force yet', {
          version: this.#state.version,
        });
        resolve();
      });
      void published.then(() => {
        cancel();
        resolve();
      });
    });
  }
}
