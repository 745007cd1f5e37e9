/** What a forwarder says of itself: status for people, metrics for Prometheus, health checks. */
import { createServer } from '../lib/net/node-http.ts';
import type { AddressInfo } from 'node:net';
import type { BufferStats, ShardBuffer } from '../buffer/index.ts';
import type { ReceiverState } from '../destinations/index.ts';
import type { IngestStats } from '../ingest/index.ts';
import { exposition } from '../ledger/index.ts';
import type { Metric } from '../ledger/index.ts';
import { DROP_REASONS, NO_LINES, addCounts } from '../model/delivery.ts';
import type { OutcomeCounts } from '../model/delivery.ts';
import { limits } from '../model/limits.ts';
import type { TailStats } from './tail/contract.ts';
import type { WantedState } from './wanted/keeper.ts';

/** Everything that a forwarder knows of itself at one instant. */
export interface ForwardFacts {
  readonly version: string;
  readonly startedMs: number;
  readonly nowMs: number;
  readonly draining: boolean;
  readonly wanted: WantedState;
  readonly ingest: IngestStats;
  readonly buffer: BufferStats;
  readonly durability: 'disk' | 'memory';
  readonly spoolBytes: number;
  readonly waiting: Waiting;
  readonly receivers: readonly ReceiverState[];
  readonly maybeTwice: number;
  /** Absent: no files are followed. */
  readonly tail: TailStats | undefined;
}

export interface Waiting {
  readonly jobs: number;
  readonly lines: number;
  readonly oldestReceivedMs: number | null;
  readonly totals: OutcomeCounts;
}

/** Sums over all jobs. */
export function waitingOf(buffer: ShardBuffer): Waiting {
  let jobs = 0;
  let lines = 0;
  let oldest = Infinity;
  let totals = NO_LINES;
  for (const { job, totals: own } of buffer.jobs()) {
    jobs += 1;
    totals = addCounts(totals, own);
    const waiting = buffer.waiting(job);
    lines += waiting?.lines ?? 0;
    oldest = Math.min(oldest, waiting?.oldestReceivedMs ?? Infinity);
  }
  return { jobs, lines, oldestReceivedMs: oldest === Infinity ? null : oldest, totals };
}

/** Share of the spool from which its fill is told as a problem: some time before producers are refused. */
const NEARLY_FULL = 0.7;

function problemsOf(facts: ForwardFacts): string[] {
  const problems: string[] = [];
  const { wanted, receivers, buffer, waiting, tail } = facts;
  if (facts.draining) problems.push('it is shutting down');
  if (wanted.problem !== null) problems.push(wanted.problem);
  for (const { name, state, problem } of receivers)
    if (state === 'failing') problems.push(`receiver ${name}: ${problem ?? 'it fails'}`);
  if (buffer.diskUsedShare >= NEARLY_FULL)
    problems.push(`the spool is ${Math.round(buffer.diskUsedShare * 100)} % full`);
  if (buffer.corruptLines > 0)
    problems.push(`${buffer.corruptLines} lines cannot be read back from the spool`);
  for (const reason of DROP_REASONS) {
    const lines = waiting.totals.dropped[reason] ?? 0;
    if (lines > 0 && reason !== 'unclaimed') problems.push(`${lines} lines dropped: ${reason}`);
  }
  if (tail) problems.push(...tail.problems);
  return problems;
}

/** The status as JSON. */
function statusOf(facts: ForwardFacts): object {
  const { wanted, ingest, buffer, waiting, tail, nowMs } = facts;
  const problems = problemsOf(facts);
  return {
    version: facts.version,
    started: new Date(facts.startedMs).toISOString(),
    ok: problems.length === 0,
    problems,
    wanted,
    spool: {
      heldBytes: buffer.heldBytes,
      mostBytes: facts.spoolBytes,
      usedShare: buffer.diskUsedShare,
      streams: buffer.streams,
      waitingLines: waiting.lines,
      oldestWaitingMs:
        waiting.oldestReceivedMs === null ? null : Math.max(0, nowMs - waiting.oldestReceivedMs),
      durability: facts.durability,
    },
    lines: {
      accepted: ingest.acceptedLines + (tail?.acceptedLines ?? 0),
      delivered: waiting.totals.delivered,
      dropped: waiting.totals.dropped,
      unwanted: ingest.unwantedLines + (tail?.unwantedLines ?? 0),
      unwantedByStream: Object.fromEntries(ingest.unwantedByStream),
    },
    refusals: Object.fromEntries(ingest.refusals),
    receivers: facts.receivers,
    batchesMaybeTwice: facts.maybeTwice,
    tail: tail ?? null,
  };
}

/** The metrics as text. */
function metricsOf(facts: ForwardFacts): string {
  const { wanted, ingest, buffer, waiting, tail, nowMs } = facts;
  const one = (name: string, type: Metric['type'], help: string, value: number): Metric => ({
    name: `waybill_forward_${name}`,
    type,
    help,
    series: [{ value }],
  });
  const oldestMs = waiting.oldestReceivedMs;
  return exposition([
    one('up', 'gauge', 'Whether the forwarder takes lines.', facts.draining ? 0 : 1),
    one(
      'start_time_seconds',
      'gauge',
      'When it started, seconds since 1970 UTC.',
      facts.startedMs / 1000,
    ),
    one(
      'lines_accepted_total',
      'counter',
      'Lines accepted since the start.',
      ingest.acceptedLines + (tail?.acceptedLines ?? 0),
    ),
    one(
      'lines_unwanted_total',
      'counter',
      'Lines of streams that nobody wants, since the start.',
      ingest.unwantedLines + (tail?.unwantedLines ?? 0),
    ),
    one(
      'lines_delivered_total',
      'counter',
      'Lines that a receiver has taken, over all jobs.',
      waiting.totals.delivered,
    ),
    {
      name: 'waybill_forward_lines_dropped_total',
      type: 'counter',
      help: 'Lines that were settled without delivery, by reason.',
      series: DROP_REASONS.map((reason) => ({
        labels: { reason },
        value: waiting.totals.dropped[reason] ?? 0,
      })),
    },
    one('lines_waiting', 'gauge', 'Accepted lines that no receiver has yet.', waiting.lines),
    one(
      'oldest_waiting_seconds',
      'gauge',
      'Age of the oldest of them; 0 when none waits.',
      oldestMs === null ? 0 : Math.max(0, nowMs - oldestMs) / 1000,
    ),
    one('streams', 'gauge', 'Streams in the spool.', buffer.streams),
    one('spool_bytes', 'gauge', 'Bytes of the spool on disk.', buffer.heldBytes),
    one('spool_used_ratio', 'gauge', 'Share of what the spool may take.', buffer.diskUsedShare),
    one('corrupt_lines_total', 'counter', 'Lines that cannot be read back.', buffer.corruptLines),
    one('syncs_total', 'counter', 'Syncs of the spool since the start.', buffer.syncs),
    one(
      'wanted_version',
      'gauge',
      'Version of the wanted set in force; 0 when there is none.',
      wanted.version ?? 0,
    ),
    one('wanted_streams', 'gauge', 'Streams in it.', wanted.streams ?? 0),
    one(
      'wanted_is_current',
      'gauge',
      'Whether it is what the server says.',
      wanted.state === 'current' ? 1 : 0,
    ),
    one('wanted_refused_total', 'counter', 'Wanted sets refused since the start.', wanted.refused),
    {
      name: 'waybill_forward_receiver_up',
      type: 'gauge',
      help: 'Whether a receiver took what it was last sent; 1 for one that was not tried.',
      series: facts.receivers.map(({ name, state }) => ({
        labels: { receiver: name },
        value: state === 'failing' ? 0 : 1,
      })),
    },
    one(
      'batches_maybe_twice_total',
      'counter',
      'Batches sent to another receiver although one before may have them.',
      facts.maybeTwice,
    ),
    {
      name: 'waybill_forward_refusals_total',
      type: 'counter',
      help: 'Requests of producers that were refused, by code.',
      series: [...ingest.refusals].map(([code, value]) => ({ labels: { code }, value })),
    },
    ...(tail
      ? [
          one('tail_files', 'gauge', 'Files that are followed.', tail.files),
          one(
            'tail_behind_bytes',
            'gauge',
            'Bytes in them that are not accepted yet.',
            tail.behindBytes,
          ),
          one(
            'tail_lost_bytes_total',
            'counter',
            'Bytes that were gone before they could be read.',
            tail.lostBytes,
          ),
        ]
      : []),
  ]);
}

export interface StatusServer {
  /** As `http://host:port`. */
  readonly url: string;
  close(): void;
}

/** Answers on an address of its own. Rejects when it cannot be had. */
export async function serveStatus(
  host: string,
  port: number,
  facts: () => ForwardFacts,
): Promise<StatusServer> {
  const server = createServer((request, response) => {
    const [status, type, body] = answer(request.method ?? '', request.url ?? '', facts);
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  server.maxConnections = limits.forward.statusConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { address, port: given } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${given}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

function answer(
  method: string,
  url: string,
  facts: () => ForwardFacts,
): readonly [status: number, type: string, body: string] {
  if (method !== 'GET' && method !== 'HEAD')
    return [405, JSON_TYPE, '{"error":{"code":"method_not_allowed","message":"Ask with GET."}}\n'];
  switch (url.split('?', 1)[0]) {
    case '/healthz':
      return [200, TEXT, 'ok\n'];
    case '/readyz': {
      const { draining } = facts();
      return draining ? [503, TEXT, 'not ready: draining\n'] : [200, TEXT, 'ready\n'];
    }
    case '/v1/status':
      return [200, JSON_TYPE, `${JSON.stringify(statusOf(facts()))}\n`];
    case '/metrics':
      return [200, 'text/plain; version=0.0.4; charset=utf-8', metricsOf(facts())];
    default:
      return [
        404,
        JSON_TYPE,
        '{"error":{"code":"route_unknown","message":"There are /v1/status, /metrics, /healthz and /readyz."}}\n',
      ];
  }
}
