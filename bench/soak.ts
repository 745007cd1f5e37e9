/**
 * Question: does a server that works all day stay as it is?
 *
 *     node bench/soak.ts [minutes] [share]
 *
 * One stream, bodies of 1 MiB over 4 connections, gzip over HTTP. First a few seconds at full rate say what the machine can do;
 * then `share` of that (0.7) for so many minutes (30), each minute a row. Holdback is short, so that segments have to go.
 *
 * Bars, over the last two thirds: memory grows by less than 0.5 MiB a minute, throughput is flat (no minute below 90 % of the
 * median), open files do not grow, and the log's segments are given up as fast as they come.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sendBodies } from './lib/bodies.ts';
import { cutBodies } from './lib/http-lines.ts';
import { quantile } from './lib/posts.ts';
import { cpuSeconds, rssMiB } from './lib/process-stats.ts';
import { ingestToken, startServer, zonesWithJobs } from './lib/server.ts';
import { openSink } from './lib/sink.ts';

const MINUTES = Number(process.argv[2] ?? 30);
const SHARE = Number(process.argv[3] ?? 0.7);
const FULL_SECONDS = 8;
const HOLDBACK_MS = 20_000;
const SEGMENT_BYTES = 32 * 2 ** 20;
const DRAIN_MS = 60_000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const dir = mkdtempSync(join(tmpdir(), 'waybill-soak-'));
const sink = await openSink(undefined, false);
const flags = [
  ['--buffer-holdback-ms', String(HOLDBACK_MS)],
  ['--buffer-segment-bytes', String(SEGMENT_BYTES)],
].flat();
const server = await startServer({ dir, flags });
const zones = await zonesWithJobs(server, 1, `http://127.0.0.1:${sink.port}/`);
const bodies = cutBodies(32 * 2 ** 20, 2 ** 20);
const lines = bodies.map((body) => body.reduce((sum, byte) => sum + Number(byte === 10), 0));
const load = {
  port: server.ingestPort,
  paths: zones.map((zone) => `/v1/ingest/zones/${zone}/http_requests`),
  headers: { authorization: `Bearer ${await ingestToken(server)}` },
  bodies,
  connections: 4,
};
const full = await sendBodies({ ...load, seconds: FULL_SECONDS });
let accepted = sum(full.taken, lines);
const perSecond = (full.answered / full.seconds) * SHARE;

interface Row {
  readonly minute: number;
  readonly MBs: number;
  readonly p99Ms: number;
  readonly cpuSPerGB: number;
  readonly rssMiB: number;
  readonly openFiles: number;
  readonly segments: number;
  readonly logMiB: number;
}
const rows: Row[] = [];
for (let minute = 1; minute <= MINUTES; minute++) {
  const cpuBefore = cpuSeconds(server.pid);
  const sent = await sendBodies({ ...load, seconds: 60, perSecond });
  const bytes = sum(
    sent.taken,
    bodies.map(({ length }) => length),
  );
  accepted += sum(sent.taken, lines);
  const held = segmentBytes();
  rows.push({
    minute,
    MBs: Number((bytes / 1e6 / sent.seconds).toFixed(1)),
    p99Ms: Math.round(quantile(sent.tookMs.toSorted(), 0.99)),
    cpuSPerGB: Number(((cpuSeconds(server.pid) - cpuBefore) / (bytes / 1e9)).toFixed(2)),
    rssMiB: rssMiB(server.pid),
    openFiles: readdirSync(`/proc/${server.pid}/fd`).length,
    segments: held.length,
    logMiB: Math.round(held.reduce((all, size) => all + size, 0) / 2 ** 20),
  });
  console.log(JSON.stringify(rows.at(-1)));
}
const drainFrom = performance.now();
while (sink.taken.lines < accepted && performance.now() - drainFrom < DRAIN_MS) await sleep(50);
console.table(rows);
const counted = rows.slice(Math.floor(rows.length / 3));
const rates = counted.map(({ MBs }) => MBs).toSorted((a, b) => a - b);
const median = rates[Math.floor(rates.length / 2)] ?? Number.NaN;
console.log({
  fullMBs: Math.round(
    sum(
      full.taken,
      bodies.map(({ length }) => length),
    ) /
      1e6 /
      full.seconds,
  ),
  memorySlopeMiBAMinute: slope(counted.map(({ minute, rssMiB: size }) => [minute, size])),
  slowestMinuteOfMedian: Number(((rates[0] ?? Number.NaN) / median).toFixed(2)),
  openFilesGrowth: (counted.at(-1)?.openFiles ?? 0) - (counted[0]?.openFiles ?? 0),
  segmentsGrowth: (counted.at(-1)?.segments ?? 0) - (counted[0]?.segments ?? 0),
  missing: accepted - sink.taken.lines,
});
if (accepted !== sink.taken.lines) process.exitCode = 1;
await server.stop();
sink.close();
rmSync(dir, { recursive: true });
process.exit();

function sum(times: readonly number[], each: readonly number[]): number {
  return times.reduce((all, count, n) => all + count * each[n]!, 0);
}

function segmentBytes(): number[] {
  const log = join(dir, 'data', 'shards', '0', 'log');
  return readdirSync(log)
    .map((name) => statSync(join(log, name), { throwIfNoEntry: false })?.size ?? 0)
    .filter((size) => size > 0);
}

/** Of the line that lies closest to the points, by least squares. */
function slope(points: readonly (readonly [number, number])[]): number {
  const meanX = points.reduce((all, [x]) => all + x, 0) / points.length;
  const meanY = points.reduce((all, [, y]) => all + y, 0) / points.length;
  const above = points.reduce((all, [x, y]) => all + (x - meanX) * (y - meanY), 0);
  const below = points.reduce((all, [x]) => all + (x - meanX) ** 2, 0);
  return Number((above / below).toFixed(2));
}
