/** The verdict on one shard: whether archive, checkpoints and log agree, and each job's equation. */
import type { BookLine } from '../model/check-report.ts';
import type { Checkpoint } from './checkpoint.ts';
import { count } from './findings.ts';
import type { Findings } from './findings.ts';
import { nothing } from './job-book.ts';
import type { Totals } from './job-book.ts';
import type { LogExtent } from './log.ts';
import { Ranges } from './ranges.ts';
import type { JobFacts, Recount, StreamBook } from './recount.ts';
import { sum } from './waybill.ts';

/** That the log reaches from where its checkpoints need it to where they saw its end. */
export function auditExtent(
  extent: LogExtent,
  checkpoints: readonly Checkpoint[],
  findings: Findings,
): void {
  const newest = checkpoints.slice(-2);
  for (const { name, head } of newest) {
    if (head.position > extent.end) {
      findings.add(`the log ends at ${extent.end}, but ${name} has seen it up to ${head.position}`);
    }
    if (head.tailStart < extent.start) {
      findings.add(
        `the log begins at ${extent.start}, but ${name} needs it from ${head.tailStart}`,
      );
    }
  }
  if (newest.length === 0 && extent.start > 0) {
    findings.add(`the log begins at ${extent.start}, and no checkpoint holds what was before`);
  }
}

/** That each stream's lines stand without a gap from the oldest kept one on, and that nothing is known of more. */
export function auditStream(stream: StreamBook, findings: Findings): void {
  const { key, kept, archived, head } = stream;
  const lines = (from: number, to: number) =>
    `stream ${key}: ${count(to - from, 'line')} from ${from} on`;
  for (const { from, to } of kept.holes()) findings.add(`${lines(from, to)} cannot be read`);
  if (archived.end > head) {
    findings.add(`${lines(head, archived.end)} are in the archive, but the log ends before them`);
  }
  for (const { from, to } of accepted(stream).holes()) {
    findings.add(`${lines(from, to)} are neither in the log nor in the archive`);
  }
}

function accepted({ kept, archived }: StreamBook): Ranges {
  const all = new Ranges();
  for (const { from, to } of [...kept.runs, ...archived.runs]) all.add(from, to);
  return all;
}

/** That no waybill is missing, and that the checkpoint's sums are those of the waybills up to it. */
export function auditChain(job: JobFacts, archivePruned: boolean, findings: Findings): void {
  const { book, checkpoint, id } = job;
  const newest = Math.max(book.sequence, checkpoint?.sequence ?? 0);
  const oldest = archivePruned ? oldestExpected(job) : 1;
  for (const gap of book.missing(oldest, newest)) {
    findings.add(`job ${id}: of its ${newest} waybills there is no ${gap}`);
  }
  if (!checkpoint || book.missing(1, checkpoint.sequence).length > 0) return;
  const sums = totalsOf(checkpoint.totals);
  const same = (Object.keys(sums) as (keyof Totals)[]).every(
    (key) => sums[key] === book.totalsToCheckpoint[key],
  );
  if (!same) {
    findings.add(`job ${id}: the checkpoint's sums are not those of its waybills up to it`);
  }
}

/** The first waybill that the archive need not have given up: only the checkpoint can speak for those before. */
function oldestExpected({ book, checkpoint }: JobFacts): number {
  const spokenFor = (checkpoint?.sequence ?? 0) + 1;
  return book.oldest === 0 ? spokenFor : Math.min(book.oldest, spokenFor);
}

function totalsOf(counts: {
  readonly delivered: number;
  readonly excluded: { readonly [reason: string]: number };
  readonly dropped: { readonly [reason: string]: number };
}): Totals {
  return {
    delivered: counts.delivered,
    excluded: sum(counts.excluded),
    dropped: sum(counts.dropped),
  };
}

/** The job's equation, each term counted by itself: lines from blocks, outcomes from waybills, waiting from ranges. */
export function bookLine(job: JobFacts, archivePruned: boolean, findings: Findings): BookLine {
  const { book, stream, start } = job;
  const opening = archivePruned ? openingOf(job) : nothing();
  const settled = settledOf(job, archivePruned);
  const lines = accepted(stream);
  if (archivePruned && opening.delivered + opening.excluded + opening.dropped > 0) {
    lines.add(start, lines.runs[0]?.from ?? stream.head);
  }
  // A job whose cursor was given up ends with its last settled line: later ones are not its own.
  const head = job.alive ? Math.max(stream.head, lines.end, start) : Math.max(settled.end, start);
  const all = lines.within(start, head);
  const inside = settled.within(start, head);
  const line = {
    job: job.id,
    stream: stream.key,
    accepted: all,
    delivered: book.totals.delivered + opening.delivered,
    excluded: book.totals.excluded + opening.excluded,
    dropped: book.totals.dropped + opening.dropped,
    waiting: head - start - inside,
  };
  const unreadable = job.alive ? gone(job, settled, head) : 0;
  if (unreadable > 0) {
    findings.add(`job ${job.id}: ${count(unreadable, 'line')} are waiting that cannot be read`);
  }
  const outside = settled.within(0, settled.end) - inside;
  const balanced =
    all === line.delivered + line.excluded + line.dropped + line.waiting &&
    outside === 0 &&
    book.settledTwice === 0;
  if (outside > 0) {
    findings.add(`job ${job.id}: ${count(outside, 'line')} settled that it never had`);
  }
  if (!balanced) {
    findings.add(
      `job ${job.id}: the books do not balance: ${all} accepted, but ${line.delivered} delivered + ` +
        `${line.excluded} excluded + ${line.dropped} dropped + ${line.waiting} waiting`,
    );
  }
  return { ...line, balanced };
}

/** Lines that wait and that the log does not hold any more (I3). */
function gone({ start, stream }: JobFacts, settled: Ranges, head: number): number {
  let lines = 0;
  let from = start;
  for (const run of [...settled.runs, { from: head, to: head }]) {
    if (run.from > from) lines += run.from - from - stream.kept.within(from, run.from);
    from = Math.max(from, run.to);
  }
  return lines;
}

/** What waybills that the archive has given up came to: the checkpoint's sums less those of the waybills still there. */
function openingOf({ book, checkpoint }: JobFacts): Totals {
  if (!checkpoint) return nothing();
  const sums = totalsOf(checkpoint.totals);
  return {
    delivered: sums.delivered - book.totalsToCheckpoint.delivered,
    excluded: sums.excluded - book.totalsToCheckpoint.excluded,
    dropped: sums.dropped - book.totalsToCheckpoint.dropped,
  };
}

function settledOf({ book, checkpoint, start }: JobFacts, archivePruned: boolean): Ranges {
  if (!archivePruned || !checkpoint) return book.settled;
  const settled = new Ranges();
  const spokenFor = [{ from: start, to: checkpoint.cursor }, ...checkpoint.settled];
  for (const { from, to } of [...book.settled.runs, ...spokenFor]) settled.add(from, to);
  return settled;
}

/** Books without a job: its making is recorded nowhere. */
export function auditStrays(recount: Recount, findings: Findings): void {
  for (const { job, sequence } of recount.strayBooks()) {
    if (sequence > 0) findings.add(`job ${job}: there are waybills of it, but it was never made`);
  }
}
