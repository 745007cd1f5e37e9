import { hourOf } from '../../model/delivery.ts';
import type { JobWaiting } from '../contract.ts';
import type { JobEntry } from '../state/job.ts';
import type { Spans } from '../state/spans.ts';
import { lastAtOrBefore } from '../state/spans.ts';

/** What a job still has to settle: lines exactly, bytes exactly at the hours' bounds and in proportion between them. */
export function waitingOf(job: JobEntry, spans: Spans): JobWaiting {
  const { stream } = job;
  const byHour = new Map<number, number>();
  let lines = 0;
  let bytes = 0;
  let oldestReceivedMs: number | null = null;
  for (const range of job.unsettled()) {
    oldestReceivedMs ??= receivedAt(job, spans, range.from);
    bytes += stream.bytesBefore(range.to) - stream.bytesBefore(range.from);
    for (let from = range.from; from < range.to;) {
      const hour = stream.hourAt(from);
      const to = Math.min(range.to, Math.max(hour.to, from + 1));
      const key = hourOf(hour.receivedMs);
      byHour.set(key, (byHour.get(key) ?? 0) + to - from);
      lines += to - from;
      from = to;
    }
  }
  return { job: job.id, lines, bytes, oldestReceivedMs, byHour };
}

/** When a line was received: its block's time while that is in the tail, else the hour's first block's. */
function receivedAt(job: JobEntry, spans: Spans, offset: number): number {
  const tail = spans.tailRefs(job.stream.id);
  const ref = tail[lastAtOrBefore(tail, offset)];
  if (ref !== undefined && offset < ref.first + ref.lines) return ref.receivedMs;
  return job.stream.hourAt(offset).receivedMs;
}
