import type { DataPlane, JobStatusView, ScopeReach, ServerStatus } from '../../control/index.ts';
import { exposition } from '../../ledger/index.ts';
import type { AttemptStore, Books, KeptLines, Metric } from '../../ledger/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { LiveDesk } from '../../live/index.ts';
import { limits } from '../../model/limits.ts';
import type { PullDesk } from '../../pull/index.ts';
import type { AlertDesk } from '../../watch/index.ts';
import type { ShardJob, ShardStats } from '../link/link.ts';
import type { Shards } from './shards.ts';
import { activity } from './activity.ts';
import { linesDesk } from './lines-desk.ts';
import { serverMetrics } from './metrics.ts';

export interface DataPlaneOptions {
  readonly shards: Shards;
  readonly books: Books;
  readonly attempts: AttemptStore;
  readonly keptLines: KeptLines;
  readonly live: LiveDesk;
  readonly pull: PullDesk;
  readonly version: string;
  readonly startedMs: number;
  readonly clock: Clock;
  readonly alerts?: AlertDesk;
  /** What the watchdogs add to the metrics. */
  readonly alertMetrics?: () => readonly Metric[];
}

/** The data plane as the control API sees it: shard threads by message, the ledger's sums and stores directly. */
export function dataPlane(options: DataPlaneOptions): DataPlane {
  const { shards, books, attempts, keptLines } = options;

  /** Answers with jobs at one instant, and the sums as they are at that instant. */
  const at = <Answer>(
    jobs: readonly number[] | null,
    answer: (jobs: readonly ShardJob[]) => Answer,
  ): Promise<Answer> =>
    books.at(
      () => shards.cut(jobs, 'refuse'),
      (cut) => answer(cut.jobs),
    );

  return {
    async jobStatuses(ids) {
      return (await shards.cut(ids, 'leave out')).jobs.map(statusView);
    },
    attempts: async (job, limit) => attempts.list(job, limit),
    jobLedger: (job, hours) =>
      at([job], ([known]) => {
        const found = known ?? books.formerJob(job);
        return found && books.job(found, hours);
      }),
    scopeLedger: (reach, hours) =>
      at([...reach.jobs, ...reach.replays], (all) => {
        const jobs = all.filter(({ isReplay }) => !isReplay);
        // One that has ended is known to the books alone.
        const replays = reach.replays.flatMap(
          (id) => all.find(({ job }) => job === id) ?? books.formerJob(id) ?? [],
        );
        return books.scope(reach.scope, streamsOf(reach, jobs), jobs, hours, replays);
      }),
    usage: (reach, days) =>
      at(reach.jobs, (jobs) => books.usage(streamsOf(reach, jobs), reach.jobs, days)),
    busyHours: async (streams) =>
      books.busyHours(streams, options.clock.wallMs() - limits.guard.busyMs),
    keptLines: async ({ scopes, afterId, limit }) => keptLines.list(scopes, limit, afterId),
    keptLine: async (id) => keptLines.get(id),
    live: options.live,
    pull: options.pull,
    ...(options.alerts ? { alerts: options.alerts } : {}),
    lines: linesDesk(shards, keptLines),
    status: async (): Promise<ServerStatus> => {
      const stats = await shards.stats();
      return {
        version: options.version,
        durability: stats.find((shard) => shard !== undefined)?.durability ?? 'disk',
        startedMs: options.startedMs,
        shards: stats.map((shard, number) => shardView(number, shard, shards.ingestAddress())),
      };
    },
    async metrics() {
      const [stats, sums] = await Promise.all([shards.stats(), shards.sums()]);
      return (
        serverMetrics(
          stats.map((shard, number) => ({ stats: shard, jobs: sums[number] })),
          options.startedMs,
        ) + exposition(options.alertMetrics?.() ?? [])
      );
    },
    ready: () => shards.ready(),
    tryDestination: (trial) => shards.tryDestination(trial),
  };

  function streamsOf(reach: ScopeReach, jobs: readonly ShardJob[]): readonly string[] {
    return [
      ...new Set([...books.streams(reach.scopes), ...jobs.map((job) => job.stream)]),
    ].toSorted();
  }
}

function shardView(
  shard: number,
  stats: ShardStats | undefined,
  ingestAddress: string | undefined,
) {
  if (!stats) return { shard, state: 'down' };
  const { buffer } = stats;
  return {
    shard,
    state: 'running',
    streams: buffer.streams,
    jobs: buffer.jobs,
    heldBytes: buffer.heldBytes,
    diskUsedShare: buffer.diskUsedShare,
    corruptLines: buffer.corruptLines,
    expiryAsksForLines: buffer.expiryAsksForLines,
    ingestAddress: ingestAddress ?? null,
  };
}

function statusView(job: ShardJob): JobStatusView {
  const { status } = job;
  return {
    job: job.job,
    activity: activity(job),
    epoch: job.epoch,
    cursor: job.cursor,
    head: job.head,
    waitingLines: job.waitingByHour.reduce((sum, [, lines]) => sum + lines, 0),
    waitingBytes: job.waitingBytes,
    oldestWaitingMs: job.oldestWaitingMs,
    lastCompleteMs: job.lastCompleteMs,
    lastErrorMs: status?.lastErrorMs ?? null,
    errorMessage: status?.errorMessage ?? null,
    totals: job.totals,
    deliveredBytes: job.deliveredBytes,
    inFlight: status?.inFlight ?? 0,
    nextAttemptMs: status?.nextAttemptMs ?? null,
  };
}
