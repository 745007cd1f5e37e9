/** Replaces the key that seals secrets, while everything goes on: one change seals all anew, then the history follows. */
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Actor, Changed, Desk } from '../desk.ts';
import { refuse } from '../refusal.ts';
import type { CopiedStore } from '../snapshots/copied-store.ts';
import type { KeyKeeper } from './key-keeper.ts';

export interface Rotated {
  readonly key: string;
  readonly resealed: number;
  /** Secrets that no known key opens: their jobs have no way out, before and after. */
  readonly unopened: number;
}

interface RotationDeps {
  readonly keeper: KeyKeeper;
  readonly store: CopiedStore;
  readonly desk: Desk;
  readonly diagnostics: Diagnostics;
}

export class Rotation {
  readonly #deps: RotationDeps;
  #history: Promise<void> = Promise.resolve();
  #isUnderWay = false;

  constructor(deps: RotationDeps) {
    this.#deps = deps;
  }

  async rotate(actor: Actor): Promise<Changed<Rotated>> {
    const closed = this.#deps.store.readOnly();
    if (closed !== undefined) return refuse('control_read_only', closed);
    if (this.#isUnderWay) return refuse('conflict', 'The key is being replaced just now.');
    this.#isUnderWay = true;
    try {
      return await this.#rotate(actor);
    } finally {
      this.#isUnderWay = false;
    }
  }

  async #rotate(actor: Actor): Promise<Changed<Rotated>> {
    const { keeper, store, desk, diagnostics } = this.#deps;
    await this.#history;
    const next = await keeper.begin();
    if (next.kind === 'none') return refuse('no_new_key', next.detail);
    if (next.kind === 'failed') return refuse('store_unavailable', next.detail);
    const { ring } = keeper;
    const changed = await desk.change<Rotated>(actor, 'secrets.rotate', () => {
      const others = [...store.journal.holdings.secrets()].filter(
        ({ keyId }) => keyId !== ring.keyId,
      );
      const seal = others
        .map((sealed) => ring.reseal(sealed))
        .filter(({ keyId }) => keyId === ring.keyId);
      const unopened = others.length - seal.length;
      const value = { key: ring.keyId, resealed: seal.length, unopened };
      return { kind: 'draft', edits: [], seal, value };
    });
    if (changed.kind === 'refused') return changed;
    try {
      await keeper.promote();
    } catch (error) {
      // The next start finds the new key beside the old one, and what it sealed.
      diagnostics.alarm('the new key could not take the place of the old one', {
        detail: error instanceof Error ? error.message : String(error),
      });
      return changed;
    }
    diagnostics.info('secrets are sealed with a new key', { key: ring.keyId });
    this.#history = this.#resealHistory();
    return changed;
  }

  /** Older keys go only when nothing is sealed with them any more that they could open. */
  async #resealHistory(): Promise<void> {
    const { keeper, store, diagnostics } = this.#deps;
    if (!(await store.resealHistory((sealed) => keeper.ring.reseal(sealed)))) return;
    try {
      await keeper.forget();
      diagnostics.info(
        'the history is sealed with the new key; the old one is not needed any more',
      );
    } catch (error) {
      diagnostics.warn('the old key could not be removed', {
        detail: error instanceof Error ? error.message : String(error),
      });
    }
  }

  /** What a crash cut off at the last rotation goes on. */
  resume(): void {
    const { keeper, store } = this.#deps;
    const isSealed = [...store.journal.holdings.secrets()].every(
      ({ keyId }) => keyId === keeper.ring.keyId,
    );
    if (!isSealed || store.readOnly() !== undefined) return;
    this.#history = keeper.hasLeftover().then(
      (has) => (has ? this.#resealHistory() : undefined),
      () => {},
    );
  }

  async settled(): Promise<void> {
    await this.#history;
  }
}
