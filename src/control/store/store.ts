/**
 * The control store's contract. Asynchronous, so that another engine (PostgreSQL) can stand behind it; its unit is one
 * change: one transaction, one new version, taken only when the caller saw the newest version (compare-and-set).
 */
import type { Kind, RecordOf } from './records.ts';

/** What replaces what. `before` null: it is new; `after` null: it is gone. */
export type Edit = {
  readonly [K in Kind]: {
    readonly kind: K;
    readonly id: string;
    readonly before: RecordOf<K> | null;
    readonly after: RecordOf<K> | null;
  };
}[Kind];

/** A secret as it lies in the store: nobody reads it without the key. */
export interface SealedSecret {
  readonly id: string;
  readonly version: number;
  /** Which key sealed it. */
  readonly keyId: string;
  /** Base64: as a Buffer each of 100,000 would cost as much again with what is kept beside its bytes. */
  readonly sealed: string;
}

/** Who speaks through a change: a customer on what is his own, an operator's single change, or a document. */
export const VOICES = ['customer', 'operator', 'document'] as const;
export type VoiceKind = (typeof VOICES)[number];

export interface Change {
  /** The version that the change was made from; the change's own is one more. */
  readonly base: number;
  readonly atMs: number;
  /** Who: a token's id, or `server`. */
  readonly who: string;
  /** From which address; null for the server's own changes. */
  readonly address: string | null;
  /** What was done, such as `job.create`. */
  readonly what: string;
  /** As whom he spoke: the guard judges by it, also after a restart. */
  readonly voice: VoiceKind;
  /** Why, in the words of who made it; null: not said. Whoever insists against the guard has to say it. */
  readonly reason: string | null;
  readonly edits: readonly Edit[];
  /** For each edit the scopes whose owners may see it, as `zones/<id>` and `accounts/<id>`. */
  readonly concerns: readonly (readonly string[])[];
  readonly seal: readonly SealedSecret[];
  /** Ids of secrets that nothing needs any more. */
  readonly dropSecrets: readonly string[];
}

export type CommitResult =
  | { readonly kind: 'committed'; readonly version: number }
  /** Somebody else changed something since; read again. */
  | { readonly kind: 'stale' }
  /** Nothing was changed. */
  | { readonly kind: 'failed'; readonly detail: string };

/** Checksums of the whole before and after a change, as the snapshots know them. */
export interface ExpectedSums {
  readonly before: string;
  readonly after: string;
}

/** A version and the checksum of all that it holds, over records as they were written. */
export interface Holds {
  readonly version: number;
  readonly checksum: string;
}

/** Why a store cannot be used. */
export type StoreTrouble =
  | 'missing'
  | 'empty'
  /** Another process holds it. */
  | 'locked'
  | 'damaged'
  /** A newer version of Waybill wrote it. */
  | 'newer'
  /** The system does not let us. */
  | 'unusable';

/** Everything that the store holds, of one version. */
export interface Contents {
  readonly version: number;
  /** The id that the next job gets. Ids of deleted jobs never come back: books and plans name them. */
  readonly nextJob: number;
  readonly records: { readonly [K in Kind]: readonly RecordOf<K>[] };
  readonly secrets: readonly SealedSecret[];
}

/** An entry of the change log, as an auditor reads it. */
export interface ChangeEntry {
  readonly version: number;
  readonly atMs: number;
  readonly who: string;
  readonly address: string | null;
  readonly what: string;
  /** Null in entries of older formats. */
  readonly voice: VoiceKind | null;
  readonly reason: string | null;
  readonly edits: readonly {
    readonly kind: string;
    readonly id: string;
    readonly before: unknown;
    readonly after: unknown;
    /** The scopes that it concerns; none: operators' business. */
    readonly concerns: readonly string[];
  }[];
}

export interface ChangeQuery {
  /** Only entries below this version; absent: from the newest. */
  readonly before?: number;
  /** Only entries above this version; absent: down to the oldest. */
  readonly after?: number;
  /** Only entries that concern this scope (`zones/<id>`), without what concerns others in them. */
  readonly scope?: string;
  /** Only entries with an edit of something that was there before: a change that only adds ends nothing. */
  readonly withBefore?: true;
  readonly limit: number;
}

export type LoadResult =
  | {
      readonly kind: 'loaded';
      readonly contents: Contents;
      /** As it stands in the store, over records as they were written. */
      readonly checksum?: string;
      /** The same over records as this version writes them; absent: not known. */
      readonly canonicalSum?: string;
    }
  | {
      readonly kind: 'unreadable';
      readonly detail: string;
      /** What is the matter, and `detail` without its advice. */
      readonly trouble?: StoreTrouble;
      readonly fact?: string;
    };

export interface Store {
  load(): Promise<LoadResult>;
  commit(change: Change): Promise<CommitResult>;
  /** Newest first. */
  changes(query: ChangeQuery): Promise<readonly ChangeEntry[]>;
  close(): Promise<void>;
  /** Why nothing may be changed now, in words for who tries; undefined: it may. */
  readOnly?(): string | undefined;
}

/** The store itself, as the one that keeps the snapshots beside it needs it. */
export interface MainStore extends Store {
  /** `stale` also when the store does not hold, or would not hold, what is expected. */
  commit(change: Change, expected?: ExpectedSums): Promise<CommitResult>;
  /**
   * What it says of itself, once all of it has been read and has that checksum; undefined when anything is not as it should be,
   * which {@link load} names. Costs a fraction of loading it.
   */
  holds(): Promise<Holds | undefined>;
  /** The checksum that its change log says it had after this version; undefined: that is too long ago. */
  sumAt(version: number): string | undefined;
  /** Writes records of older formats as this version writes them. Changes no content. */
  normalise(): void;
}

export type OpenStoreResult =
  | { readonly kind: 'open'; readonly store: MainStore }
  /** Damaged, newer than this version, or not to be had. `fact` names the path, `detail` also what to do. */
  | {
      readonly kind: 'unreadable';
      readonly trouble: StoreTrouble;
      readonly fact: string;
      readonly detail: string;
    };
