/**
 * The lower layer: one shard's ordered, durable sequence of opaque records.
 *
 * It knows neither streams nor jobs. Implementations (`files/`, `memory.ts`, later a partition of the Kafka protocol) pass
 * one suite, `conformance.ts`. What holds for each of them:
 *
 * - `append` takes a group: all of its records become durable together or none is ever read.
 * - Nothing past the frontier (`durableEnd()`) is ever read.
 * - Behind the frontier nothing is ever cut; damage there is told as {@link Damage}, and reading goes on after it.
 * - `trimBefore` removes a prefix and nothing else, and may remove less than asked.
 * - Every call answers `fenced` once a newer owner has opened the shard.
 */

declare const positionBrand: unique symbol;

/** An ordered, opaque place in one shard's log. Later records have greater positions. */
export type Position = number & { readonly [positionBrand]: true };

/** One opaque record, in parts so that nothing needs copying. At most `recordBytes` in all, at least one byte. */
export type RecordParts = readonly Uint8Array[];

/** Why an append stored nothing. The log stays usable: a later append may pass. */
export type AppendFailure =
  | { readonly kind: 'fenced' }
  | { readonly kind: 'full'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string };

export type AppendOutcome =
  | {
      readonly kind: 'durable';
      /** Where each record of the group stands. */
      readonly positions: readonly Position[];
      /** The frontier after it. */
      readonly end: Position;
    }
  | AppendFailure;

/** A stretch of the log that cannot be read any more. */
export interface Damage {
  readonly from: Position;
  readonly to: Position;
  readonly reason: string;
  /**
   * The record that stands there, where it is known which bytes it has and only their checksum differs: a part of it may
   * still be right. For whoever can tell by a checksum of its own.
   */
  readonly payload?: Buffer;
}

export interface LogRecord {
  readonly position: Position;
  /** The position just behind it. */
  readonly end: Position;
  readonly payload: Buffer;
}

export type ReadOutcome =
  | {
      readonly kind: 'records';
      readonly records: readonly LogRecord[];
      readonly damage: readonly Damage[];
      /** Where to read on. Equals `durableEnd()` when there is no more. */
      readonly next: Position;
    }
  /** The position lies before the oldest kept record; read on from `start`. */
  | { readonly kind: 'trimmed'; readonly start: Position }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'failed'; readonly detail: string };

export type ReadOneOutcome =
  | { readonly kind: 'record'; readonly record: LogRecord }
  | { readonly kind: 'damaged'; readonly reason: string }
  | { readonly kind: 'trimmed'; readonly start: Position }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'failed'; readonly detail: string };

/** A record as `append` or `read` named it, and about its length. */
export interface RecordPlace {
  readonly position: Position;
  readonly expectedBytes: number;
}

export interface AppendOptions {
  /** Close the segment behind this group: the next one begins a new segment (a hint; a log without segments ignores it). */
  readonly roll?: boolean;
}

/** Counters since the log was opened. */
export interface LogStats {
  /** Commits that were written and synced. */
  readonly syncs: number;
  /** Of them those that failed. */
  readonly failedSyncs: number;
  readonly writtenBytes: number;
  readonly segments: number;
  /** Bytes on disk, trimmed segments excluded. */
  readonly heldBytes: number;
}

export interface ShardLog {
  /** Grows with every opening; a lower one is fenced. */
  readonly epoch: number;
  /** What a durable answer rests on. `memory`: gone with the process or the machine's power. */
  readonly durability: 'disk' | 'memory';
  /** Resolves when the group is durable, or says why nothing of it was stored. Groups are stored in the order of calls. */
  append(group: readonly RecordParts[], options?: AppendOptions): Promise<AppendOutcome>;
  /**
   * Puts the frontier on record when nothing is being appended, which else the next append does: what of the last group decays
   * from then on is damage at the next opening, and no group that a crash cut. Never fails.
   */
  mark(): Promise<void>;
  /** The frontier: every record before it is durable. */
  durableEnd(): Position;
  /** Whether what `read` and `readOne` answer lies in memory that nobody else looks at: whoever asked may give it back. */
  readonly readsAreOwn?: true;
  /** The position of the oldest record still kept (equals `durableEnd()` when there is none). */
  start(): Position;
  /**
   * Records from `from` on, about `maxBytes` of them and at least one if there is one.
   *
   * @param before none that begins at or behind it: what is not wanted need not be read
   */
  read(from: Position, maxBytes: number, before?: Position): Promise<ReadOutcome>;
  /**
   * The one record at `position`, as `append` or `read` named it.
   *
   * @param expectedBytes about its length, so that no more is read and held than that; a longer one costs a second reading
   */
  readOne(position: Position, expectedBytes?: number): Promise<ReadOneOutcome>;
  /**
   * As {@link readOne} for each of the places, in their order, at a fraction of its cost where they stand apart from each other.
   * All of them are in memory at once.
   */
  readEach(places: readonly RecordPlace[]): Promise<readonly ReadOneOutcome[]>;
  /** Gives up records before `position`. Whole segments only, so less than asked may go; returns the new `start()`. */
  trimBefore(position: Position): Promise<Position>;
  stats(): LogStats;
  /** Finishes what is under way and lets go of files. Later calls answer `fenced`. */
  close(): Promise<void>;
}

export type OpenOutcome =
  | {
      readonly kind: 'open';
      readonly log: ShardLog;
      /** Damage met while opening; behind the frontier, so told and never cut. */
      readonly damage: readonly Damage[];
      /** Bytes past the frontier that a crash left unfinished and that were cut. */
      readonly tornTailBytes: number;
    }
  /** Somebody else has the shard. */
  | { readonly kind: 'locked'; readonly detail: string }
  /** Written by a newer version of Waybill, or not a log at all. Nothing was touched. */
  | { readonly kind: 'unreadable'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string };
