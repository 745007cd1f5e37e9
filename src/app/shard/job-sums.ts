import type { ShardBuffer } from '../../buffer/index.ts';
import type { Clock } from '../../lib/clock.ts';
import { DROP_REASONS, EXCLUDE_REASONS } from '../../model/delivery.ts';
import type { DropReason, ExcludeReason, OutcomeCounts } from '../../model/delivery.ts';

/** One of the jobs with the largest lag. */
export interface JobLag {
  readonly job: number;
  readonly stream: string;
  readonly waiting: number;
  readonly delivered: number;
  readonly oldestWaitingMs: number | null;
}

/** All jobs of a shard, summed for the metrics. */
export interface JobSums {
  readonly jobs: number;
  readonly waiting: number;
  readonly totals: OutcomeCounts;
  /** The largest lag first. */
  readonly lags: readonly JobLag[];
}

export interface JobSumsTools {
  readonly buffer: Pick<ShardBuffer, 'jobs' | 'stream' | 'waiting'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** How many lags are named. */
  readonly most: number;
  readonly nextTurn: () => Promise<void>;
}

/** A turn of this work ends after so long: lines and batches wait for no scrape. */
const TURN_MS = 4;
const CHECK_EVERY = 64;

/**
 * Sums all jobs in short turns: a hundred thousand of them would hold the thread for a second. What comes meanwhile may be
 * in or not; each job's own numbers only ever grow.
 */
export async function jobSums({ buffer, clock, most, nextTurn }: JobSumsTools): Promise<JobSums> {
  const excluded: Partial<Record<ExcludeReason, number>> = {};
  const dropped: Partial<Record<DropReason, number>> = {};
  let delivered = 0;
  let waitingLines = 0;
  let jobs = 0;
  let lags: JobLag[] = [];
  let turnFromMs = clock.monotonicMs();
  for (const state of buffer.jobs()) {
    if (jobs % CHECK_EVERY === CHECK_EVERY - 1 && clock.monotonicMs() - turnFromMs >= TURN_MS) {
      await nextTurn();
      turnFromMs = clock.monotonicMs();
    }
    // A replay reads lines that other jobs have in their books.
    if (state.end !== null) continue;
    jobs += 1;
    const { totals, job, stream } = state;
    delivered += totals.delivered;
    for (const reason of EXCLUDE_REASONS) {
      const lines = totals.excluded[reason];
      if (lines) excluded[reason] = (excluded[reason] ?? 0) + lines;
    }
    for (const reason of DROP_REASONS) {
      const lines = totals.dropped[reason];
      if (lines) dropped[reason] = (dropped[reason] ?? 0) + lines;
    }
    const head = buffer.stream(stream)?.head ?? state.cursor;
    const settledBeyond = state.settled.reduce((sum, { from, to }) => sum + to - from, 0);
    const waiting = Math.max(0, head - state.cursor - settledBeyond);
    waitingLines += waiting;
    lags.push({ job, stream, waiting, delivered: totals.delivered, oldestWaitingMs: null });
    if (lags.length >= 2 * most) lags = largest(lags, most);
  }
  const named = largest(lags, most).map((lag) =>
    lag.waiting === 0
      ? lag
      : { ...lag, oldestWaitingMs: buffer.waiting(lag.job)?.oldestReceivedMs ?? null },
  );
  return { jobs, waiting: waitingLines, totals: { delivered, excluded, dropped }, lags: named };
}

function largest(lags: readonly JobLag[], most: number): JobLag[] {
  return lags.toSorted((a, b) => b.waiting - a.waiting).slice(0, most);
}
