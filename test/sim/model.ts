/**
 * What the outside knows: per stream the lines that were answered, per job its books. What was asked and not answered (or
 * refused) may have happened all the same when the process ended then: it stands under `doubts` until the next look.
 */
import assert from 'node:assert/strict';

import type { JobState, RequestIdentity } from '../../src/buffer/index.ts';
import { addCounts, hourOf, NO_LINES } from '../../src/model/delivery.ts';
import type { OutcomeCounts, Plan, Range, Waybill } from '../../src/model/delivery.ts';

export class ModelStream {
  readonly lines: string[] = [];
  /** Hour of reception, by line. */
  readonly hours: number[] = [];
  lastReceivedMs = 0;
  /** Lines that were readable once: from then on they must stay, answered or not. */
  seen = 0;
  /** Lines that decay took. */
  readonly lost = new Set<number>();
  /** Lines that were settled when no job had the stream any more. */
  readonly ended = new Set<number>();

  take(lines: readonly string[], wallMs: number): Range {
    const from = this.lines.length;
    this.lastReceivedMs = Math.max(this.lastReceivedMs, wallMs);
    for (const line of lines) {
      this.lines.push(line);
      this.hours.push(hourOf(this.lastReceivedMs));
    }
    return { from, to: this.lines.length };
  }

  /** The lines behind decayed. */
  cut(head: number): void {
    for (let at = head; at < this.lines.length; at += 1) this.lost.add(at);
    this.lines.length = Math.min(this.lines.length, head);
    this.hours.length = this.lines.length;
    this.seen = Math.min(this.seen, head);
  }
}

const NOTHING_BEFORE = { sequence: 0, lines: 0 } as const;

export class ModelJob {
  readonly stream: string;
  readonly start: number;
  readonly settled: Set<number>;
  open: readonly Plan[];
  sequence: number;
  totals: OutcomeCounts;
  closed: boolean;
  /** What its waybills settled before it was forgotten and made anew: numbers go on. */
  readonly before: { readonly sequence: number; readonly lines: number };

  constructor(
    stream: string,
    start: number,
    of?: ModelJob,
    before: ModelJob['before'] = NOTHING_BEFORE,
  ) {
    this.stream = stream;
    this.start = start;
    this.settled = new Set(of?.settled);
    this.open = of?.open ?? [];
    this.before = of?.before ?? before;
    this.sequence = of?.sequence ?? this.before.sequence;
    this.totals = of?.totals ?? NO_LINES;
    this.closed = of?.closed ?? false;
  }

  copy(): ModelJob {
    return new ModelJob(this.stream, this.start, this);
  }

  /**
   * What it leaves to a job of the same number, once it is forgotten. Lines that came while that was on its way wait for the
   * buffer's own job from then on.
   */
  end(): ModelJob['before'] {
    assert.ok(this.closed, 'only what is closed is forgotten');
    return { sequence: this.sequence, lines: this.before.lines + this.settled.size };
  }

  plan(plan: Plan): void {
    this.open = [...this.open, plan].toSorted((a, b) => a.range.from - b.range.from);
  }

  settle(waybill: Waybill): void {
    const { range } = waybill;
    for (let at = range.from; at < range.to; at += 1) this.settled.add(at);
    this.open = this.open.filter((plan) => plan.id !== waybill.plan);
    this.sequence = waybill.sequence;
    this.totals = addCounts(this.totals, waybill.counts);
  }

  get cursor(): number {
    let cursor = this.start;
    while (this.settled.has(cursor)) cursor += 1;
    return cursor;
  }

  /** What of a job shows from outside, to be compared. */
  summary(): string {
    const { cursor } = this;
    const beyond = [...this.settled].filter((at) => at > cursor).toSorted((a, b) => a - b);
    const ranges: Range[] = [];
    for (const at of beyond) {
      const last = ranges.at(-1);
      if (last?.to === at) ranges[ranges.length - 1] = { from: last.from, to: at + 1 };
      else ranges.push({ from: at, to: at + 1 });
    }
    return summary(this, cursor, ranges, this.closed);
  }
}

export function summaryOf(job: JobState): string {
  return summary(job, job.cursor, job.settled, job.closedMs !== null);
}

function summary(
  job: Pick<JobState, 'stream' | 'start' | 'sequence' | 'open' | 'totals'>,
  cursor: number,
  settled: readonly Range[],
  closed: boolean,
): string {
  const ranges = settled.map(({ from, to }) => `${from}-${to}`).join(' ');
  const open = job.open.map(({ id, name }) => `${id}/${name}`).join(' ');
  const { delivered, excluded, dropped } = job.totals;
  const totals = JSON.stringify([delivered, byReason(excluded), byReason(dropped)]);
  return `${job.stream} from ${job.start} to ${cursor} [${ranges}] open [${open}] #${job.sequence} ${totals} ${closed ? 'closed' : ''}`;
}

function byReason(counts: Readonly<Partial<Record<string, number>>>): [string, number][] {
  const known = Object.entries(counts).filter((entry): entry is [string, number] => !!entry[1]);
  return known.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** An append that was not answered with its place. */
export interface Offer {
  readonly kind: 'append';
  readonly stream: string;
  readonly lines: readonly string[];
  readonly wallMs: number;
  readonly identity: RequestIdentity | undefined;
  refused: boolean;
}

/** A record of a job that was not answered as durable. */
export interface JobDoubt {
  readonly kind: 'job';
  readonly job: number;
  /** What it would have made of the job; of none when there was none. */
  readonly apply: (job: ModelJob | undefined, found: JobState) => ModelJob | undefined;
  refused: boolean;
}

export interface KnownRequest {
  readonly identity: RequestIdentity;
  readonly stream: string;
  readonly lines: readonly string[];
  readonly range: Range;
  readonly serviceMs: number;
}

export class Model {
  readonly streams = new Map<string, ModelStream>();
  readonly jobs = new Map<number, ModelJob>();
  /** Jobs that were closed and forgotten. */
  readonly former = new Map<
    number,
    { readonly stream: string; readonly end: ModelJob['before'] }
  >();
  doubts: (Offer | JobDoubt)[] = [];
  known: KnownRequest[] = [];

  stream(name: string): ModelStream {
    let stream = this.streams.get(name);
    if (stream === undefined) this.streams.set(name, (stream = new ModelStream()));
    return stream;
  }

  /**
   * Something became durable: what was refused before it can never come back.
   *
   * @param isWritten false where all was as it should be, which says nothing of the log
   */
  success(doubt: Offer | JobDoubt, isWritten = true): void {
    this.doubts = this.doubts.filter((one) => one !== doubt && !(isWritten && one.refused));
  }

  /**
   * After a restart: follows what of the doubtful is there, and fails when it is anything else.
   *
   * @param texts lines from `oldest` on; `null` where one cannot be read
   * @param decayed whether lines may be missing at the end, and offers be there in part
   */
  followStream(
    name: string,
    head: number,
    texts: readonly (string | null)[],
    oldest: number,
    decayed: boolean,
  ): { readonly offer: Offer; readonly range: Range }[] {
    const model = this.stream(name);
    const adopted: { offer: Offer; range: Range }[] = [];
    // Requests that were under way together may stand in any order.
    const offers = this.doubts.filter((one): one is Offer => one.kind === 'append');
    while (model.lines.length < head) {
      const from = model.lines.length;
      const there = texts[from - oldest];
      const offer = offers.find(({ lines, stream }) => stream === name && lines[0] === there);
      if (offer === undefined || (from + offer.lines.length > head && !decayed)) break;
      const range = model.take(offer.lines.slice(0, head - from), offer.wallMs);
      adopted.push({ offer, range });
    }
    if (decayed) model.cut(head);
    assert.equal(head, model.lines.length, `${name}: all answered lines and no other`);
    return adopted;
  }

  followJob(id: number, found: JobState | undefined): void {
    const doubts = this.doubts.filter(
      (one): one is JobDoubt => one.kind === 'job' && one.job === id,
    );
    const model = this.jobs.get(id);
    if (found === undefined) {
      assert.equal(model, undefined, `job ${id} is known`);
      return;
    }
    assert.ok(doubts.length < 12, 'few doubts');
    const wanted = summaryOf(found);
    const tried: string[] = [];
    for (let subset = 0; subset < 1 << doubts.length; subset += 1) {
      let job = model?.copy();
      doubts.forEach((doubt, index) => {
        if ((subset >> index) & 1) job = doubt.apply(job?.copy(), found);
      });
      if (job === undefined) continue;
      const summary = job.summary();
      if (summary === wanted) {
        this.jobs.set(id, job);
        return;
      }
      tried.push(summary);
    }
    assert.fail(`job ${id} is\n  ${wanted}\nand not\n  ${tried.join('\n  ')}`);
  }

  /** A job on a stream, as it begins; one that was forgotten goes on with its numbers. */
  begin(id: number, stream: string, start: number): ModelJob {
    return new ModelJob(stream, start, undefined, this.former.get(id)?.end);
  }

  /** The buffer forgets a closed job once nothing waits for it. */
  forget(id: number): void {
    const job = this.jobs.get(id);
    if (job === undefined) return;
    const { ended } = this.stream(job.stream);
    for (const at of job.settled) ended.add(at);
    this.former.set(id, { stream: job.stream, end: job.end() });
    this.jobs.delete(id);
  }

  /** Whether anybody still waits for a line: else it may be gone (I3). */
  needed(name: string, at: number): boolean {
    let claimed = false;
    for (const job of this.jobs.values()) {
      if (job.stream !== name || at < job.start) continue;
      claimed = true;
      if (!job.settled.has(at)) return true;
    }
    return !claimed && !this.stream(name).ended.has(at);
  }

  /** Runs of one hour of lines of a job that are neither settled nor planned. */
  free(job: ModelJob): Range[] {
    const stream = this.stream(job.stream);
    const ranges: Range[] = [];
    for (let at = job.start; at < stream.lines.length; at += 1) {
      if (job.settled.has(at)) continue;
      if (job.open.some(({ range }) => range.from <= at && at < range.to)) continue;
      const last = ranges.at(-1);
      if (last?.to === at && stream.hours[at] === stream.hours[at - 1]) {
        ranges[ranges.length - 1] = { from: last.from, to: at + 1 };
      } else ranges.push({ from: at, to: at + 1 });
    }
    return ranges;
  }

  /** Lines that wait for a job, by hour. */
  waiting(job: ModelJob): Map<number, number> {
    const stream = this.stream(job.stream);
    const byHour = new Map<number, number>();
    for (let at = job.start; at < stream.lines.length; at += 1) {
      if (job.settled.has(at)) continue;
      const hour = stream.hours[at]!;
      byHour.set(hour, (byHour.get(hour) ?? 0) + 1);
    }
    return byHour;
  }
}
