/**
 * The stages of an open plan, as a table; a missing cell does not compile, and an impossible event is a bug.
 *
 * A plan at rest holds no bytes: it waits on disk for its time. Every way leads back to rest or to the end, and only a
 * durable waybill, or the children's record after a split, ends a plan.
 */
import { assert } from '../lib/assert.ts';

export type PlanStage =
  /** Waits for its time; holds nothing. */
  | 'resting'
  /** Waits for its turn among all accounts. */
  | 'queued'
  /** Is being read, formatted and compressed. */
  | 'preparing'
  /** Is with the receiver. */
  | 'sending'
  /** Its fate is known; the waybill is being recorded. Holds no batch any more. */
  | 'settling'
  /** Its halves are being recorded. */
  | 'splitting'
  | 'ended';

export type PlanEvent =
  | 'due'
  | 'admitted'
  /** The batch is ready to go. */
  | 'prepared'
  /** The fate of every line is known: accepted, or nothing left to send. */
  | 'decided'
  | 'split'
  /** Something failed, with us or with the receiver: try again later. */
  | 'failed'
  /** The waybill (or the halves) are durable. */
  | 'recorded'
  /** The buffer has settled the range by itself, or the job has stopped. */
  | 'dropped';

const IMPOSSIBLE = null;

const NEXT = {
  resting: {
    due: 'queued',
    admitted: IMPOSSIBLE,
    prepared: IMPOSSIBLE,
    decided: IMPOSSIBLE,
    split: IMPOSSIBLE,
    failed: IMPOSSIBLE,
    recorded: IMPOSSIBLE,
    dropped: 'ended',
  },
  queued: {
    due: IMPOSSIBLE,
    admitted: 'preparing',
    prepared: IMPOSSIBLE,
    decided: IMPOSSIBLE,
    split: IMPOSSIBLE,
    failed: 'resting',
    recorded: IMPOSSIBLE,
    dropped: 'ended',
  },
  preparing: {
    due: IMPOSSIBLE,
    admitted: IMPOSSIBLE,
    prepared: 'sending',
    decided: 'settling',
    split: IMPOSSIBLE,
    failed: 'resting',
    recorded: IMPOSSIBLE,
    dropped: 'ended',
  },
  sending: {
    due: IMPOSSIBLE,
    admitted: IMPOSSIBLE,
    prepared: IMPOSSIBLE,
    decided: 'settling',
    split: 'splitting',
    failed: 'resting',
    recorded: IMPOSSIBLE,
    dropped: IMPOSSIBLE,
  },
  settling: {
    due: IMPOSSIBLE,
    admitted: IMPOSSIBLE,
    prepared: IMPOSSIBLE,
    decided: IMPOSSIBLE,
    split: IMPOSSIBLE,
    // Only when the process ends before the disk took the waybill: the plan is sent again after the restart.
    failed: 'resting',
    recorded: 'ended',
    dropped: 'ended',
  },
  splitting: {
    due: IMPOSSIBLE,
    admitted: IMPOSSIBLE,
    prepared: IMPOSSIBLE,
    decided: IMPOSSIBLE,
    split: IMPOSSIBLE,
    failed: 'resting',
    recorded: 'ended',
    dropped: 'ended',
  },
  ended: {
    due: IMPOSSIBLE,
    admitted: IMPOSSIBLE,
    prepared: IMPOSSIBLE,
    decided: IMPOSSIBLE,
    split: IMPOSSIBLE,
    failed: IMPOSSIBLE,
    recorded: IMPOSSIBLE,
    dropped: 'ended',
  },
} as const satisfies Record<PlanStage, Record<PlanEvent, PlanStage | null>>;

export function nextStage(stage: PlanStage, event: PlanEvent): PlanStage {
  const next: PlanStage | null = NEXT[stage][event];
  assert(next !== null, `a plan that is ${stage} never meets ${event}`);
  return next;
}
