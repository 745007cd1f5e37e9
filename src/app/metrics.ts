import { exposition } from '../ledger/index.ts';
import type { Metric } from '../ledger/index.ts';
import { TURN_CLASSES_MS } from '../lib/longest-turns.ts';
import type { TurnTimes } from '../lib/longest-turns.ts';
import { DROP_REASONS, EXCLUDE_REASONS } from '../model/delivery.ts';
import type { JobLag, JobSums } from './job-sums.ts';
import type { ShardStats } from './link.ts';

/**
 * Prometheus' view of the server: totals always, series per job for those with the largest lag.
 *
 * @param jobs undefined while the shard does not answer: then its series are left out, since a counter that falls to 0
 *   would look like a new one and its return like lines
 */
export function serverMetrics(
  stats: ShardStats | undefined,
  jobs: JobSums | undefined,
  startedMs: number,
): string {
  const one = (name: string, type: Metric['type'], help: string, value: number): Metric => ({
    name: `waybill_${name}`,
    type,
    help,
    series: [{ value }],
  });
  const metrics: Metric[] = [
    one('up', 'gauge', 'Whether the shard answers.', stats && jobs ? 1 : 0),
    one(
      'start_time_seconds',
      'gauge',
      'When the server started, seconds since 1970 UTC.',
      startedMs / 1000,
    ),
  ];
  if (jobs === undefined) return exposition(metrics);
  const { totals } = jobs;
  metrics.push(
    one('jobs', 'gauge', 'Jobs that the data plane runs or holds back.', jobs.jobs),
    one(
      'lines_waiting',
      'gauge',
      'Accepted lines that are not settled, summed over jobs.',
      jobs.waiting,
    ),
    one('lines_delivered_total', 'counter', 'Lines delivered, summed over jobs.', totals.delivered),
    {
      name: 'waybill_lines_excluded_total',
      type: 'counter',
      help: "Lines that the jobs' own filter or sample left out.",
      series: EXCLUDE_REASONS.map((reason) => ({
        labels: { reason },
        value: totals.excluded[reason] ?? 0,
      })),
    },
    {
      name: 'waybill_lines_dropped_total',
      type: 'counter',
      help: 'Lines that were settled without delivery, by reason.',
      series: DROP_REASONS.map((reason) => ({
        labels: { reason },
        value: totals.dropped[reason] ?? 0,
      })),
    },
    ...(stats ? shardMetrics(stats, one) : []),
    ...jobMetrics(jobs.lags),
  );
  return exposition(metrics);
}

function shardMetrics(
  stats: ShardStats,
  one: (name: string, type: Metric['type'], help: string, value: number) => Metric,
): Metric[] {
  const { buffer } = stats;
  return [
    one('streams', 'gauge', 'Streams that have an entry in the buffer.', buffer.streams),
    one('held_bytes', 'gauge', 'Bytes of the log on disk.', buffer.heldBytes),
    one('disk_used_ratio', 'gauge', 'Share of the disk in use.', buffer.diskUsedShare),
    one('commits_total', 'counter', 'Commits of the log since the start.', buffer.commits),
    one('syncs_total', 'counter', 'Syncs of the log since the start.', buffer.syncs),
    one(
      'written_bytes_total',
      'counter',
      'Bytes written to the log since the start.',
      buffer.writtenBytes,
    ),
    one(
      'corrupt_lines_total',
      'counter',
      'Lines that cannot be read back any more.',
      buffer.corruptLines,
    ),
    one(
      'service_seconds_total',
      'counter',
      'Time in service, over all starts.',
      buffer.serviceMs / 1000,
    ),
    one('shard_heap_bytes', 'gauge', "JavaScript heap of the shard's thread.", stats.heapBytes),
    turnMetric(stats.turns),
    ...counters('ingest', stats.ingest),
    ...counters('delivery', stats.delivery),
  ];
}

function turnMetric({ seconds, sumMs }: TurnTimes): Metric {
  let sum = 0;
  const buckets = seconds.map((count, index) => {
    sum += count;
    const boundMs = TURN_CLASSES_MS[index];
    const le = boundMs === undefined ? '+Inf' : boundMs / 1000;
    return { part: '_bucket', labels: { le }, value: sum } as const;
  });
  return {
    name: 'waybill_shard_longest_turn_seconds',
    type: 'histogram',
    help: "Longest turn of the shard's thread in each second that followed a busy one.",
    series: [...buckets, { part: '_sum', value: sumMs / 1000 }, { part: '_count', value: sum }],
  };
}

/** A room's own counters, under the room's name: `heldBytes` becomes `waybill_ingest_held_bytes`. */
function counters(room: string, stats: object): Metric[] {
  return Object.entries(stats)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .map(([name, value]) => ({
      name: `waybill_${room}_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
      type: 'gauge' as const,
      help: `${room}: ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}, as of now.`,
      series: [{ value }],
    }));
}

function jobMetrics(lags: readonly JobLag[]): Metric[] {
  const series = (value: (lag: JobLag) => number) =>
    lags.map((lag) => ({ labels: { job: lag.job, stream: lag.stream }, value: value(lag) }));
  return [
    {
      name: 'waybill_job_lines_waiting',
      type: 'gauge',
      help: 'Lines waiting, for the jobs with the largest lag.',
      series: series(({ waiting }) => waiting),
    },
    {
      name: 'waybill_job_lines_delivered_total',
      type: 'counter',
      help: 'Lines delivered, for the same jobs.',
      series: series(({ delivered }) => delivered),
    },
    {
      name: 'waybill_job_oldest_waiting_seconds',
      type: 'gauge',
      help: 'Reception time of the oldest waiting line, seconds since 1970 UTC; 0 when none waits.',
      series: series(({ oldestWaitingMs }) => (oldestWaitingMs ?? 0) / 1000),
    },
  ];
}
