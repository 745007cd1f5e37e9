/**
 * Ends lines that are not delivered, by waybill: hour by hour, a plan's range only whole, as many waybills at once as the
 * caller allows. What it has done is in the job's books at once, so that stopping anywhere and going on later is the same.
 */
import { hourOf } from '../../model/delivery.ts';
import type { DropReason, Plan, Range, Waybill } from '../../model/delivery.ts';
import type { JobEntry } from '../state/job.ts';
import type { JobRecords } from '../write/job-records.ts';

export interface LineEndDeps {
  readonly jobs: JobRecords;
  readonly wallMs: () => number;
}

/** How many waybills may still be written in this round. */
export interface Round {
  left: number;
}

export type Ended =
  /** No line before the end is left but those of plans that reach past it: they end with their delivery. */
  | 'ended'
  /** Something of the job is on its way, the round is over, or the disk did not take it: to be tried again. */
  | 'unfinished';

/** The part of a job's lines that one waybill can end: within one hour, and a plan's range only whole. */
interface Piece {
  readonly range: Range;
  readonly hour: number;
  readonly plan: Plan | undefined;
}

export class LineEnds {
  readonly #deps: LineEndDeps;

  constructor(deps: LineEndDeps) {
    this.#deps = deps;
  }

  /**
   * Ends a job's lines before `upTo`.
   *
   * @param goesOn asked before each waybill; false stops it
   */
  async end(
    job: JobEntry,
    upTo: number,
    reason: DropReason,
    round: Round,
    goesOn: () => boolean = () => true,
  ): Promise<Ended> {
    const { jobs } = this.#deps;
    for (;;) {
      if (jobs.isSettling(job.id) || jobs.isPlanning(job.id)) return 'unfinished';
      // One that is being opened again wants its lines, though it does not show yet.
      if (jobs.isMoving(job.id)) return 'unfinished';
      const piece = nextPiece(job, upTo);
      if (!goesOn()) return 'unfinished';
      if (piece === undefined) return 'ended';
      if (round.left <= 0) return 'unfinished';
      round.left -= 1;
      const result = await jobs.settle(this.#waybill(job, piece, reason));
      if (result.kind === 'failed') return 'unfinished';
    }
  }

  #waybill(job: JobEntry, { hour, plan, range }: Piece, reason: DropReason): Waybill {
    return {
      job: job.id,
      sequence: job.sequence + 1,
      stream: job.stream.key,
      epoch: job.stream.epoch,
      range,
      hour,
      counts: { delivered: 0, excluded: {}, dropped: { [reason]: range.to - range.from } },
      plan: plan?.id ?? null,
      sha256: null,
      plainBytes: 0,
      sentBytes: 0,
      receipt: null,
      destination: null,
      configVersion: 0,
      atMs: this.#deps.wallMs(),
      previous: job.chain,
    };
  }
}

/** The first lines that can be ended at once; undefined when there are none before `upTo`. */
function nextPiece(job: JobEntry, upTo: number): Piece | undefined {
  for (const rest of job.unsettled()) {
    let { from } = rest;
    while (from < Math.min(rest.to, upTo)) {
      const hour = job.stream.hourAt(from);
      const plan = job.open.find((open) => open.range.from === from);
      // A plan that reaches past the end is left to its delivery.
      if (plan !== undefined && plan.range.to > upTo) {
        from = plan.range.to;
        continue;
      }
      const next = job.open.find((open) => open.range.from > from)?.range.from ?? Infinity;
      const to = plan?.range.to ?? Math.min(rest.to, upTo, hour.to, next);
      return { range: { from, to }, hour: hourOf(hour.receivedMs), plan };
    }
  }
  return undefined;
}
