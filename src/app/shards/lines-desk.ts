import type { ErasureReach, ErasureSize, JobHold, LinesDesk } from '../../control/index.ts';
import type { KeptLines, KeptLinesReach } from '../../ledger/index.ts';
import type { ShardJob } from '../link/link.ts';
import { activity } from './activity.ts';
import type { ShardErasure } from '../shard/lines.ts';
import type { Shards } from './shards.ts';

/** Held lines as the control API sees them: the shard's by message, lines that were kept apart directly. */
export function linesDesk(shards: Shards, keptLines: KeptLines): LinesDesk {
  return {
    place: (...wish) => shards.lines.findPlace(...wish),
    holds: async (jobs) =>
      jobs.length === 0 ? [] : (await shards.cut(jobs, 'refuse')).jobs.map((job) => holdOf(job)),
    erasable: async (reach) => {
      const size = await shards.lines.erasable(reach);
      return withKept(size, keptLines.count(keptReach(reach, size)));
    },
    erase: async (reach) => {
      const size = await shards.lines.erase(reach);
      // Lines kept apart come last: what is told as erased is then erased everywhere.
      return withKept(size, keptLines.erase(keptReach(reach, size)));
    },
    erasing: (reach) => shards.lines.erasing(reach),
    expire: (mostLines) => shards.lines.expire(mostLines),
  };
}

function holdOf(job: ShardJob): JobHold {
  return {
    job: job.job,
    epoch: job.epoch,
    start: job.start,
    cursor: job.cursor,
    head: job.head,
    waitingLines: job.waitingByHour.reduce((sum, [, lines]) => sum + lines, 0),
    totals: job.totals,
    heldForMs: job.heldForMs,
    inFlight: job.status?.inFlight ?? 0,
    activity: job.status === undefined ? null : job.status.throttled ? 'throttled' : activity(job),
    errorMessage: job.status?.errorMessage ?? null,
  };
}

function withKept(size: ShardErasure, keptLines: number): ErasureSize {
  // Streams of which nothing is there any more are not worth a line in the order.
  return { ...size, streams: size.streams.filter(({ lines }) => lines > 0), keptLines };
}

function keptReach(reach: ErasureReach, { streams }: ShardErasure): KeptLinesReach {
  const { account, beforeMs, dataset, scopes, standing } = reach;
  return { account, beforeMs, dataset, scopes, standing, ends: streams };
}
