/** Whether archive, checkpoints and log of one shard agree with each other. */
import type { Checkpoint } from './checkpoint.ts';
import { count } from './findings.ts';
import type { Findings } from './findings.ts';
import type { LogExtent } from './log.ts';
import { Ranges } from './ranges.ts';
import type { JobFacts, Recount, StreamBook } from './recount.ts';
import { totalsOf } from './waybill.ts';

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

/**
 * That each stream's lines stand without a gap from the oldest kept one on, and that nothing is known of more. Settled lines
 * may be missing behind a copied block: compaction takes along only what waits.
 */
export function auditStream(
  stream: StreamBook,
  jobs: readonly JobFacts[],
  findings: Findings,
): void {
  const { key, kept, archived, said, head } = stream;
  const lines = (from: number, to: number) =>
    `stream ${key}: ${count(to - from, 'line')} from ${from} on`;
  const settled = settledBySomebody(jobs.filter((job) => job.stream === stream));
  for (const { from, to } of kept.holes()) {
    const left =
      to <= stream.erasedTo ||
      (stream.copiedEnds.has(from) && settled.within(from, to) === to - from);
    if (!left) findings.add(`${lines(from, to)} cannot be read`);
  }
  if (said.end > Math.max(kept.end, stream.erasedTo)) {
    findings.add(`${lines(Math.max(kept.end, said.runs.at(-1)!.from), said.end)} cannot be read`);
  }
  if (archived.end > head) {
    findings.add(`${lines(head, archived.end)} are in the archive, but the log ends before them`);
  }
  for (const { from, to } of stream.accepted().holes()) {
    findings.add(`${lines(from, to)} are neither in the log nor in the archive`);
  }
}

function settledBySomebody(jobs: readonly JobFacts[]): Ranges {
  const all = new Ranges();
  for (const { book, checkpoint } of jobs) {
    for (const { from, to } of book.settled.runs) all.add(from, to);
    if (checkpoint === undefined) continue;
    all.add(checkpoint.start, checkpoint.cursor);
    for (const { from, to } of checkpoint.settled) all.add(from, to);
  }
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
  // The checkpoint's sums are those of the job's present life.
  if (!checkpoint || job.starts.size > 1 || book.missing(1, checkpoint.sequence).length > 0) return;
  const sums = totalsOf(checkpoint.totals);
  const same = (Object.keys(sums) as (keyof typeof sums)[]).every(
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

/** Books without a job: its making is recorded nowhere. */
export function auditStrays(recount: Recount, findings: Findings): void {
  for (const { job, sequence } of recount.strayBooks()) {
    if (sequence > 0) findings.add(`job ${job}: there are waybills of it, but it was never made`);
  }
}
