/** One job's books in memory: cursor, settled ranges beyond it, open plans, totals and the chain of its waybills. */
import { assert } from '../../lib/assert.ts';
import { addCounts, NO_LINES } from '../../model/delivery.ts';
import type { OutcomeCounts, Plan, Range, Waybill } from '../../model/delivery.ts';
import type { JobState } from '../contract.ts';
import type { StreamEntry } from './stream.ts';

/** The same for all jobs that have none. */
const NONE: readonly never[] = Object.freeze([]);

export class JobEntry {
  readonly id: number;
  readonly stream: StreamEntry;
  readonly start: number;
  /** Where its lines end, for a replay; null: never. */
  readonly end: number | null;
  /** Service time at which it was opened; kept for replays alone. */
  openedServiceMs = 0;
  cursor: number;
  /** Settled ranges beyond the cursor, ordered, none touching another. */
  settled: readonly Range[] = NONE;
  /** Open plans, ordered by range. */
  open: readonly Plan[] = NONE;
  totals: OutcomeCounts = NO_LINES;
  deliveredBytes = 0;
  sequence = 0;
  chain: string | null = null;
  lastCompleteMs: number | null = null;
  closedMs: number | null = null;
  /** Service time of the closing: what the holdback counts from. */
  closedServiceMs: number | null = null;
  /** Position of the last record that changed this job: older ones are skipped when they are replayed. */
  appliedTo = -1;

  constructor(id: number, stream: StreamEntry, start: number, end?: number) {
    this.id = id;
    this.stream = stream;
    this.start = start;
    this.end = end ?? null;
    this.cursor = start;
  }

  /** Behind its last line: the stream's head, or its own end. */
  get head(): number {
    return this.end === null ? this.stream.head : Math.min(this.end, this.stream.head);
  }

  state(): JobState {
    return {
      job: this.id,
      stream: this.stream.key,
      epoch: this.stream.epoch,
      start: this.start,
      end: this.end,
      cursor: this.cursor,
      settled: this.settled,
      open: this.open,
      totals: this.totals,
      deliveredBytes: this.deliveredBytes,
      sequence: this.sequence,
      chain: this.chain,
      lastCompleteMs: this.lastCompleteMs,
      closedMs: this.closedMs,
    };
  }

  /** Whether any line of the range is settled already. */
  overlapsSettled(range: Range): boolean {
    return range.from < this.cursor || this.settled.some((settled) => overlap(settled, range));
  }

  overlapsOpen(range: Range, except?: string): boolean {
    return this.open.some((plan) => plan.id !== except && overlap(plan.range, range));
  }

  /** Takes plans as recorded. Ones that are known or settled (seen again in replay) are left out. */
  addPlans(plans: readonly Plan[], replaces: string | undefined): void {
    const kept = this.open.filter((plan) => plan.id !== replaces);
    const fresh = plans.filter(
      (plan) =>
        !this.overlapsSettled(plan.range) && !kept.some((open) => overlap(open.range, plan.range)),
    );
    this.open = [...kept, ...fresh].toSorted((a, b) => a.range.from - b.range.from);
  }

  /** Takes a waybill as recorded: books, chain and cursor. */
  addWaybill(waybill: Waybill, hash: string): void {
    this.totals = addCounts(this.totals, waybill.counts);
    this.deliveredBytes += waybill.plainBytes;
    this.sequence = waybill.sequence;
    this.chain = hash;
    const plan = this.open.find((open) => open.id === waybill.plan);
    this.open = orNone(this.open.filter((open) => !overlap(open.range, waybill.range)));
    this.#settle(waybill.range);
    this.#complete(waybill, plan);
  }

  #settle(range: Range): void {
    const merged: Range[] = [];
    let { from, to } = range;
    for (const settled of this.settled) {
      if (settled.to < from || settled.from > to) {
        merged.push(settled);
        continue;
      }
      from = Math.min(from, settled.from);
      to = Math.max(to, settled.to);
    }
    if (from <= this.cursor) this.cursor = Math.max(this.cursor, to);
    else merged.push({ from, to });
    this.settled = orNone(merged.toSorted((a, b) => a.from - b.from));
    assert(
      this.settled.every((one) => one.from > this.cursor),
      'settled ranges lie beyond the cursor',
    );
  }

  /** How far all lines are settled, in time: exact at the head and behind a plan, else the hour's beginning. */
  #complete(waybill: Waybill, plan: Plan | undefined): void {
    if (this.cursor <= this.start) return;
    let reached: number;
    if (this.cursor >= this.stream.head) reached = this.stream.lastReceivedMs;
    else if (plan !== undefined && plan.range.to === this.cursor) reached = plan.receivedMs.last;
    else if (waybill.range.from < this.cursor) {
      reached = this.stream.hourAt(this.cursor - 1).receivedMs;
    } else return;
    this.lastCompleteMs = Math.max(this.lastCompleteMs ?? 0, reached);
  }

  /** Ranges between cursor and the job's head that no waybill has settled. */
  *unsettled(): Generator<Range> {
    let from = this.cursor;
    for (const settled of this.settled) {
      if (settled.from > from) yield { from, to: settled.from };
      from = settled.to;
    }
    if (this.head > from) yield { from, to: this.head };
  }

  /** Lines between cursor and head that no waybill has settled. */
  waitingLines(): number {
    let lines = this.head - this.cursor;
    for (const settled of this.settled) lines -= settled.to - settled.from;
    return Math.max(0, lines);
  }
}

function orNone<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? NONE : list;
}

export function overlap(a: Range, b: Range): boolean {
  return a.from < b.to && b.from < a.to;
}
