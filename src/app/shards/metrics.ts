import { exposition } from '../../ledger/index.ts';
import type { Metric } from '../../ledger/index.ts';
import { TURN_CLASSES_MS } from '../../lib/longest-turns.ts';
import type { TurnTimes } from '../../lib/longest-turns.ts';
import { DROP_REASONS, EXCLUDE_REASONS } from '../../model/delivery.ts';
import { limits } from '../../model/limits.ts';
import type { JobLag, JobSums } from '../shard/job-sums.ts';
import type { ShardStats } from '../link/link.ts';

/** A shard as the metrics show it. */
export interface ShardFigures {
  readonly stats: ShardStats | undefined;
  /** Undefined while the shard does not answer: then its series are left out, since a counter that falls to 0 would look like a
   * new one and its return like lines. */
  readonly jobs: JobSums | undefined;
}

/** Where there are several shards, each has its own series. */
type Label = { readonly shard?: number };

/**
 * Prometheus' view of the server: totals always, series per job for those with the largest lag.
 *
 * @param shards by number
 */
export function serverMetrics(shards: readonly ShardFigures[], startedMs: number): string {
  const label = (shard: number): Label => (shards.length === 1 ? {} : { shard });
  const metrics: Metric[] = [
    {
      name: 'waybill_up',
      type: 'gauge',
      help: 'Whether the shard answers.',
      series: shards.map(({ stats, jobs }, shard) => ({
        labels: label(shard),
        value: stats && jobs ? 1 : 0,
      })),
    },
    {
      name: 'waybill_start_time_seconds',
      type: 'gauge',
      help: 'When the server started, seconds since 1970 UTC.',
      series: [{ value: startedMs / 1000 }],
    },
  ];
  const perShard = shards.flatMap(({ stats, jobs }, shard) =>
    jobs === undefined
      ? []
      : [
          [
            ...jobSumMetrics(jobs, label(shard)),
            ...(stats ? shardMetrics(stats, label(shard)) : []),
          ],
        ],
  );
  if (perShard.length > 0) metrics.push(...together(perShard));
  const lags = shards
    .flatMap(({ jobs }) => jobs?.lags ?? [])
    .toSorted((a, b) => b.waiting - a.waiting)
    .slice(0, limits.ledger.jobSeries);
  return exposition([...metrics, ...(perShard.length > 0 ? jobMetrics(lags) : [])]);
}

/** The same metrics of several shards as one, with the series of all. */
function together(perShard: readonly (readonly Metric[])[]): Metric[] {
  const byName = new Map<string, Metric>();
  for (const metric of perShard.flat()) {
    const known = byName.get(metric.name);
    const series = [...(known?.series ?? []), ...metric.series];
    byName.set(metric.name, { ...metric, series });
  }
  return [...byName.values()];
}

function one(
  labels: Label,
  name: string,
  type: Metric['type'],
  help: string,
  value: number,
): Metric {
  return { name: `waybill_${name}`, type, help, series: [{ labels, value }] };
}

function jobSumMetrics({ jobs, waiting, totals }: JobSums, labels: Label): Metric[] {
  return [
    one(labels, 'jobs', 'gauge', 'Jobs that the data plane runs or holds back.', jobs),
    one(
      labels,
      'lines_waiting',
      'gauge',
      'Accepted lines that are not settled, summed over jobs.',
      waiting,
    ),
    one(
      labels,
      'lines_delivered_total',
      'counter',
      'Lines delivered, summed over jobs.',
      totals.delivered,
    ),
    {
      name: 'waybill_lines_excluded_total',
      type: 'counter',
      help: "Lines that the jobs' own filter or sample left out.",
      series: EXCLUDE_REASONS.map((reason) => ({
        labels: { ...labels, reason },
        value: totals.excluded[reason] ?? 0,
      })),
    },
    {
      name: 'waybill_lines_dropped_total',
      type: 'counter',
      help: 'Lines that were settled without delivery, by reason.',
      series: DROP_REASONS.map((reason) => ({
        labels: { ...labels, reason },
        value: totals.dropped[reason] ?? 0,
      })),
    },
  ];
}

function shardMetrics(stats: ShardStats, labels: Label): Metric[] {
  const { buffer } = stats;
  const gauge = (name: string, help: string, value: number) =>
    one(labels, name, 'gauge', help, value);
  const counter = (name: string, help: string, value: number) =>
    one(labels, name, 'counter', help, value);
  return [
    gauge('streams', 'Streams that have an entry in the buffer.', buffer.streams),
    gauge('held_bytes', 'Bytes of the log on disk.', buffer.heldBytes),
    gauge('disk_used_ratio', 'Share of the disk in use.', buffer.diskUsedShare),
    counter('commits_total', 'Commits of the log since the start.', buffer.commits),
    counter('syncs_total', 'Syncs of the log since the start.', buffer.syncs),
    counter(
      'written_bytes_total',
      'Bytes written to the log since the start.',
      buffer.writtenBytes,
    ),
    counter('corrupt_lines_total', 'Lines that cannot be read back any more.', buffer.corruptLines),
    counter('service_seconds_total', 'Time in service, over all starts.', buffer.serviceMs / 1000),
    gauge('shard_heap_bytes', "JavaScript heap of the shard's thread.", stats.heapBytes),
    turnMetric(stats.turns, labels),
    ...counters('ingest', stats.ingest, labels),
    ...counters('delivery', stats.delivery, labels),
  ];
}

function turnMetric({ seconds, sumMs }: TurnTimes, labels: Label): Metric {
  let sum = 0;
  const buckets = seconds.map((count, index) => {
    sum += count;
    const boundMs = TURN_CLASSES_MS[index];
    const le = boundMs === undefined ? '+Inf' : boundMs / 1000;
    return { part: '_bucket', labels: { ...labels, le }, value: sum } as const;
  });
  return {
    name: 'waybill_shard_longest_turn_seconds',
    type: 'histogram',
    help: "Longest turn of the shard's thread in each second that followed a busy one.",
    series: [
      ...buckets,
      { part: '_sum', labels, value: sumMs / 1000 },
      { part: '_count', value: sum },
    ],
  };
}

/** A room's own counters, under the room's name: `heldBytes` becomes `waybill_ingest_held_bytes`. */
function counters(room: string, stats: object, labels: Label): Metric[] {
  return Object.entries(stats)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .map(([name, value]) => ({
      name: `waybill_${room}_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
      type: 'gauge' as const,
      help: `${room}: ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}, as of now.`,
      series: [{ labels, value }],
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
