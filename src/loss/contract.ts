/** What a notice of lost lines says, and who carries it. The form at the destination: docs/loss-notices.md. */
import type { DropReason, Range } from '../model/delivery.ts';

/** Reasons that are told in band: everything but what the owner ordered himself (`erased`, `skipped_by_owner`). */
export const TOLD_REASONS = [
  'malformed',
  'corrupt',
  'expired',
  'drop_oldest',
  'rejected_by_destination',
  'unclaimed',
] as const satisfies readonly DropReason[];
export type ToldReason = (typeof TOLD_REASONS)[number];

/** Lines of one job that were lost for one reason, gathered over waybills. */
export interface LossNotice {
  /** The same in every repeat; no batch has such an id: `loss-<job>-<epoch>-<first offset>-<reason>`. */
  readonly id: string;
  readonly job: number;
  readonly stream: string;
  readonly epoch: string;
  readonly reason: ToldReason;
  readonly lines: number;
  /** UTC hours of reception, in hours since 1970: the first, and the one behind the last. */
  readonly hours: Range;
  /** Where in the stream the lines were: the ranges of their waybills, ascending. Neighbours may have been delivered. */
  readonly offsets: readonly Range[];
}

/** One that is about to be sent, or has been: it does not change any more, so that a repeat is the same bytes. */
export interface SealedNotice extends LossNotice {
  /** Wall time of the decision to send it. */
  readonly toldMs: number;
}

/** What goes to the job's destination. */
export interface LossMarker {
  readonly id: string;
  readonly job: number;
  readonly stream: string;
  /** Object name without the destination's prefix. */
  readonly name: string;
  /** The line, without its newline. */
  readonly line: string;
  readonly receivedMs: { readonly first: number; readonly last: number };
  readonly toldMs: number;
}

/**
 * What became of a marker.
 *
 * - `refused`: the receiver says that these very bytes are bad; it would say so again
 * - `later`: the destination does not answer, or the job is switched off
 * - `no job`: nobody knows where it would go
 */
export type LossAnswer = 'told' | 'refused' | 'later' | 'no job';

export interface LossLimits {
  /** How long the first losses of a job gather before they are told, and how long between two notices that wait. */
  readonly gatherMs: number;
  /** How long losses gather after a notice. */
  readonly spacingMs: number;
  /** The first and the longest wait for a destination that does not take a notice. */
  readonly retryMs: number;
  readonly retryMsMost: number;
  /** Notices that wait for one job; beyond it hours are told together. */
  readonly owedPerJob: number;
  /** Notices that wait in all. */
  readonly owed: number;
  /** Ranges of offsets in a notice; beyond it the nearest are told as one. */
  readonly ranges: number;
  /** Waybills remembered as heard, so that sums made anew tell nothing twice. */
  readonly heard: number;
  /** What is older is not told by a server that has lost its memory of what it told. */
  readonly reachBackMs: number;
  /** How long notices are kept for a job that is gone. */
  readonly keepMs: number;
  /** Markers under way at once. */
  readonly atOnce: number;
  /** How often is looked what is due. */
  readonly tendMs: number;
}
