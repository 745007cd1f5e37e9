/** The equation of I2 for one job: accepted = delivered + excluded + dropped + waiting, each term counted by itself. */
import type { BookLine } from '../model/check-report.ts';
import { count } from './findings.ts';
import type { Findings } from './findings.ts';
import { Ranges } from './ranges.ts';
import type { Run } from './ranges.ts';
import type { JobFacts, StreamBook } from './recount.ts';
import { nothing, totalsOf } from './waybill.ts';
import type { Totals } from './waybill.ts';

/** Lines come from blocks and the archive, outcomes from waybills, what waits from ranges. */
export function bookLine(job: JobFacts, archivePruned: boolean, findings: Findings): BookLine {
  const { book, id, stream } = job;
  const opening = archivePruned ? openingOf(job) : nothing();
  const settled = settledOf(job, archivePruned);
  const lines = stream.accepted();
  if (archivePruned && opening.delivered + opening.excluded + opening.dropped > 0) {
    lines.add(Math.min(...job.starts), lines.runs[0]?.from ?? stream.head);
  }
  const own = ownLines(job, settled, lines.end);
  const within = (ranges: Ranges) => sumOf(own, (run) => ranges.within(run.from, run.to));
  const all = sumOf(own, (run) => run.to - run.from);
  const line = {
    job: id,
    stream: stream.key,
    accepted: within(lines),
    delivered: book.totals.delivered + opening.delivered,
    excluded: book.totals.excluded + opening.excluded,
    dropped: book.totals.dropped + opening.dropped,
    waiting: all - within(settled),
  };
  const unreadable = job.alive ? gone(own, settled, stream) : 0;
  if (unreadable > 0) {
    findings.add(`job ${id}: ${count(unreadable, 'line')} are waiting that cannot be read`);
  }
  const outside = settled.within(0, settled.end) - within(settled);
  if (outside > 0) findings.add(`job ${id}: ${count(outside, 'line')} settled that it never had`);
  const balanced =
    line.accepted === line.delivered + line.excluded + line.dropped + line.waiting &&
    outside === 0 &&
    book.settledTwice === 0;
  if (!balanced) {
    findings.add(
      `job ${id}: the books do not balance: ${line.accepted} accepted, but ${line.delivered} delivered + ` +
        `${line.excluded} excluded + ${line.dropped} dropped + ${line.waiting} waiting`,
    );
  }
  return { ...line, balanced };
}

/** The job's lines: from each of its beginnings to where it ended, the last time to the head if it goes on. */
function ownLines(
  { alive, end, starts, stream }: JobFacts,
  settled: Ranges,
  linesEnd: number,
): readonly Run[] {
  const own = new Ranges();
  const ordered = [...starts].toSorted((a, b) => a - b);
  for (const [index, from] of ordered.entries()) {
    const next = ordered[index + 1];
    const to =
      next === undefined && alive
        ? Math.min(end ?? Infinity, Math.max(stream.head, linesEnd))
        : settled.endWithin(from, next ?? Number.POSITIVE_INFINITY);
    own.add(from, to);
  }
  return own.runs;
}

/** Lines that wait and that the log does not hold any more (I3). */
function gone(own: readonly Run[], settled: Ranges, { erasedTo, kept }: StreamBook): number {
  const all = sumOf(own, (run) => run.to - run.from);
  const there = new Ranges();
  // What was ordered erased may be gone before a plan that reaches past it is settled.
  if (erasedTo > 0) there.add(0, erasedTo);
  for (const { from, to } of [...settled.runs, ...kept.runs]) there.add(from, to);
  return all - sumOf(own, (run) => there.within(run.from, run.to));
}

function sumOf(runs: readonly Run[], linesOf: (run: Run) => number): number {
  return runs.reduce((lines, run) => lines + linesOf(run), 0);
}

/** What waybills that the archive has given up came to: the checkpoint's sums less those of the waybills still there. */
function openingOf({ book, checkpoint, starts }: JobFacts): Totals {
  if (!checkpoint || starts.size > 1) return nothing();
  const sums = totalsOf(checkpoint.totals);
  return {
    delivered: sums.delivered - book.totalsToCheckpoint.delivered,
    excluded: sums.excluded - book.totalsToCheckpoint.excluded,
    dropped: sums.dropped - book.totalsToCheckpoint.dropped,
  };
}

function settledOf({ book, checkpoint, starts }: JobFacts, archivePruned: boolean): Ranges {
  if (!archivePruned || !checkpoint) return book.settled;
  const settled = new Ranges();
  const spokenFor = [{ from: Math.max(...starts), to: checkpoint.cursor }, ...checkpoint.settled];
  for (const { from, to } of [...book.settled.runs, ...spokenFor]) settled.add(from, to);
  return settled;
}
