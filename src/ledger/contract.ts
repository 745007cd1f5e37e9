/**
 * The ledger sums blocks and waybills. It never has an opinion of its own: a mismatch is an alarm, never a correction (I2).
 *
 * Two halves. On the shard's thread an archive writer puts every ledger event into append-only files that outlive trimmed
 * segments. On the control thread the books read those files into SQLite sums (a cache: it can be deleted and is rebuilt)
 * and answer questions by scope, job and hour.
 */
import type { LedgerSink } from '../buffer/index.ts';
import type { OutcomeCounts } from '../model/delivery.ts';
import type { Scope } from '../model/scope.ts';

/** A place in the archive: everything before it has been written (not necessarily synced). */
export interface ArchiveMark {
  readonly file: number;
  readonly bytes: number;
}

/** A place in one shard's archive. */
export interface ShardMark extends ArchiveMark {
  readonly shard: number;
}

export interface ArchiveWriter extends LedgerSink {
  /** Hands everything recorded to the operating system and says how far the archive reaches now. */
  flush(): Promise<ArchiveMark>;
  close(): Promise<void>;
}

/** One hour (or the whole) of a job's or stream's account. `balanced`: accepted = settled + waiting. */
export interface LedgerRow {
  /** UTC hour as `2026-11-23T06:00:00Z`; null for the total. */
  readonly hour: string | null;
  readonly accepted: number;
  readonly acceptedBytes: number;
  readonly waiting: number;
  readonly delivered: number;
  readonly excluded: OutcomeCounts['excluded'];
  readonly dropped: OutcomeCounts['dropped'];
  /** Lines that were refused, by reason; they were never accepted. */
  readonly notTaken: Readonly<Record<string, number>>;
  readonly balanced: boolean;
}

/** What the shard says of one job at the instant of the cut. */
export interface JobCut {
  readonly job: number;
  readonly stream: string;
  readonly start: number;
  readonly head: number;
  readonly totals: OutcomeCounts;
  readonly waitingByHour: readonly (readonly [hour: number, lines: number])[];
}

export interface JobLedger {
  readonly job: number;
  readonly stream: string;
  readonly total: LedgerRow;
  readonly hours: readonly LedgerRow[];
}

export interface ScopeLedger {
  readonly scope: Scope;
  readonly streams: readonly {
    readonly stream: string;
    readonly accepted: number;
    readonly acceptedBytes: number;
    readonly notTaken: Readonly<Record<string, number>>;
  }[];
  readonly jobs: readonly JobLedger[];
  /** Replays have books of their own: their lines were accepted once, and are delivered once more. */
  readonly replays: readonly JobLedger[];
}
