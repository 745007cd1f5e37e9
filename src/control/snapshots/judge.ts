/**
 * At the start: the control store and the data plane's own copy, side by side. Which of them is in force, and what must be
 * told. Pure; its table is a test.
 *
 * The copy is never behind the store by itself, because a change is on it before the store commits. So when the copy is whole
 * it wins over every store that differs from it, be that one older, newer, blank or broken (I4).
 */
import type { StoreTrouble } from '../store/store.ts';
import type { Head } from './line.codec.ts';

/** Why the store is not what is in force. */
export type Trouble = StoreTrouble | 'older' | 'newer_version' | 'differs';

/** The copy, as far as the judgement needs it. */
export type CopyFacts =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'whole';
      readonly version: number;
      readonly sum: string;
      /** The newest change is on it, but was perhaps never answered; what was before it. */
      readonly unconfirmed?: { readonly version: number; readonly sum: string };
    }
  | {
      readonly kind: 'damaged';
      readonly version: number;
      readonly sum: string;
      readonly head: Head | undefined;
      readonly detail: string;
    }
  | { readonly kind: 'unreadable'; readonly head: Head | undefined; readonly detail: string };

export type StoreFacts =
  | {
      readonly kind: 'whole';
      readonly version: number;
      readonly sum: string;
      /** What its change log says of a version before. */
      readonly sumAt: (version: number) => string | undefined;
    }
  | { readonly kind: 'trouble'; readonly trouble: StoreTrouble; readonly detail: string };

export type Verdict =
  /** Both hold the same. */
  | { readonly kind: 'agree' }
  /** The store does not have the copy's last change, and nobody was answered for it: the copy takes it back. */
  | { readonly kind: 'undo' }
  /** The copy is missing or damaged, and the store is what was in force as far as anybody can tell. */
  | { readonly kind: 'take_store'; readonly told: string | undefined }
  /** The copy is in force, and nothing may be changed until the store has been rebuilt. */
  | { readonly kind: 'take_copy'; readonly trouble: Trouble; readonly detail: string }
  /** Neither can be used; nothing is guessed. */
  | { readonly kind: 'refuse'; readonly detail: string };

/** @param store where it is made at a first start, it is whole and of version 0 */
export function judgeStart(copy: CopyFacts, store: StoreFacts): Verdict {
  switch (copy.kind) {
    case 'absent':
      return store.kind === 'whole'
        ? { kind: 'take_store', told: undefined }
        : { kind: 'refuse', detail: store.detail };
    case 'whole':
      return besideWhole(copy, store);
    case 'damaged':
      return besideDamaged(copy, store);
    case 'unreadable':
      if (store.kind === 'trouble')
        return {
          kind: 'refuse',
          detail: `${store.detail} And the copy of the configuration that would stand in for it cannot be read: ${copy.detail}.`,
        };
      if (store.sum === NOTHING)
        return {
          kind: 'refuse',
          detail: `The control store holds nothing, and the copy of the configuration that says what was in force cannot be read: ${copy.detail}. Restore either of them from a backup.`,
        };
      // Whatever `head` says, there is nothing else to go on with.
      return {
        kind: 'take_store',
        told: `${copy.detail}; the control store (version ${store.version}) is taken${
          copy.head && !isHead(store, copy.head)
            ? `, which is not the version ${copy.head.version} that was in force`
            : ''
        }`,
      };
  }
}

type Whole = Extract<CopyFacts, { readonly kind: 'whole' }>;
type Damaged = Extract<CopyFacts, { readonly kind: 'damaged' }>;

function besideWhole(copy: Whole, store: StoreFacts): Verdict {
  if (store.kind === 'trouble')
    return { kind: 'take_copy', trouble: store.trouble, detail: store.detail };
  if (store.version === copy.version && store.sum === copy.sum) return { kind: 'agree' };
  const { unconfirmed } = copy;
  if (unconfirmed && store.version === unconfirmed.version && store.sum === unconfirmed.sum)
    return { kind: 'undo' };
  return { kind: 'take_copy', ...difference(copy, store) };
}

function besideDamaged(copy: Damaged, store: StoreFacts): Verdict {
  // Nothing at all is no good rest: it would be read as "nobody" (I4).
  if (copy.sum === NOTHING)
    return judgeStart({ kind: 'unreadable', head: copy.head, detail: copy.detail }, store);
  if (store.kind === 'trouble')
    return {
      kind: 'take_copy',
      trouble: store.trouble,
      detail: `${store.detail} The copy of the configuration is damaged as well (${copy.detail}); what is good of it is in force.`,
    };
  const isWhatWas = copy.head !== undefined && isHead(store, copy.head);
  if (isWhatWas || (follows(store, copy) && (!copy.head || fitsHead(store, copy.head)))) {
    return {
      kind: 'take_store',
      told: `${copy.detail}; the control store holds version ${store.version}, which follows from what is good of it`,
    };
  }
  const { trouble, detail } = difference(copy, store);
  return {
    kind: 'take_copy',
    trouble,
    detail: `${detail} The copy of the configuration is damaged as well (${copy.detail}); what is good of it is in force.`,
  };
}

/** The checksum of nothing. */
const NOTHING = '0000000000000000';

type WholeStore = Extract<StoreFacts, { readonly kind: 'whole' }>;

/** Whether the store's own change log leads from the one to the other. */
function follows(
  store: WholeStore,
  from: { readonly version: number; readonly sum: string },
): boolean {
  if (store.version === from.version) return store.sum === from.sum;
  // Everything began with nothing.
  if (from.version === 0 && from.sum === NOTHING) return true;
  return store.version > from.version && store.sumAt(from.version) === from.sum;
}

/** Nothing that is known to have been answered speaks against the store. */
function fitsHead(store: WholeStore, head: Head): boolean {
  return store.version < head.version || follows(store, head);
}

function isHead(store: WholeStore, head: Head): boolean {
  return store.version === head.version && store.sum === head.sum;
}

/** How a store that is whole differs from what is in force. */
export function difference(
  inForce: { readonly version: number; readonly sum: string },
  store: { readonly version: number; readonly sum: string },
): { readonly trouble: Trouble; readonly detail: string } {
  const is = `version ${inForce.version} is in force`;
  if (store.version < inForce.version) {
    return {
      trouble: 'older',
      detail: `The control store holds version ${store.version}, but ${is}: it is older.`,
    };
  }
  if (store.version > inForce.version) {
    return {
      trouble: 'newer_version',
      detail: `The control store holds version ${store.version}, but ${is}: nobody here made that change.`,
    };
  }
  return {
    trouble: 'differs',
    detail: `The control store holds another content than version ${inForce.version}, which is in force.`,
  };
}
