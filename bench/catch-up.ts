/**
 * Question: how fast does a backlog drain once its destination is back, and what does that do to new lines?
 *
 *     node bench/catch-up.ts [GiB] [one|many]
 *
 * `one`: one stream, bodies of 1 MiB. `many`: 1,000 streams with a job each, bodies of 4 KiB. The destination refuses while
 * the lines arrive. A light load of one-line requests tells how long new answers take: before, and while the backlog drains.
 *
 * Bars: the backlog drains at least 1.5 times as fast as lines could arrive, p99 of new answers at most doubles, memory does
 * not grow.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sendBodies } from './lib/bodies.ts';
import type { BodiesOptions } from './lib/bodies.ts';
import { makeFolder } from './lib/folder.ts';
import { cutBodies } from './lib/http-lines.ts';
import { quantile } from './lib/posts.ts';
import { cpuSeconds, peakRssMiB, rssMiB } from './lib/process-stats.ts';
import { ingestToken, startServer } from './lib/server.ts';
import { openSink } from './lib/sink.ts';

const GIB = Number(process.argv[2] ?? 1);
const many = process.argv[3] === 'many';
const SLICE_SECONDS = 10;
const DRAIN_MS = Number(process.env['BENCH_DRAIN_MS'] ?? 30 * 60_000);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const dir = mkdtempSync(join(tmpdir(), 'waybill-catch-up-'));
const sink = await openSink();
sink.open = false;
const STREAMS = many ? 1_000 : 1;
await makeFolder({
  dir: join(dir, 'data'),
  zones: STREAMS,
  accounts: 1,
  destination: () => `http://127.0.0.1:${sink.port}/`,
});
const server = await startServer({
  dir,
  nodeFlags: process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [],
});
const zones = Array.from({ length: STREAMS }, (_, n) => `z${n}`);
const bodies = cutBodies(16 * 2 ** 20, many ? 4_096 : 2 ** 20);
const lines = bodies.map((body) => body.filter((byte) => byte === 10).length);
const load: Omit<BodiesOptions, 'seconds'> = {
  port: server.ingestPort,
  paths: zones.map((zone) => `/v1/ingest/zones/${zone}/http_requests`),
  headers: { authorization: `Bearer ${await ingestToken(server)}` },
  bodies,
  connections: many ? 64 : 4,
};
let accepted = 0;

/** Sends, counts what was taken, and answers the plain bytes. */
async function send(options: Partial<BodiesOptions> & { seconds: number }) {
  const result = await sendBodies({ ...load, ...options });
  const sent = options.bodies ?? bodies;
  const bytes = result.taken.reduce((sum, times, n) => sum + times * sent[n]!.length, 0);
  return { ...result, bytes };
}

/** p99 of new answers under a light load, in milliseconds. */
async function lightLoad(): Promise<number> {
  const line = bodies[0]!.subarray(0, bodies[0]!.indexOf(10) + 1);
  const light = { bodies: [line], connections: 8, perSecond: 50, seconds: 5 };
  const { answered, tookMs } = await send(light);
  accepted += answered;
  return quantile(tookMs.toSorted(), 0.99);
}

const quietMs = await lightLoad();
let arrivedBytes = 0;
let arrivedSeconds = 0;
while (arrivedBytes < GIB * 2 ** 30) {
  const { bytes, seconds, taken } = await send({ seconds: SLICE_SECONDS });
  arrivedBytes += bytes;
  arrivedSeconds += seconds;
  accepted += taken.reduce((sum, times, n) => sum + times * lines[n]!, 0);
}
const arriving = arrivedBytes / 1e6 / arrivedSeconds;
const before = rssMiB(server.pid);
const arrivedCpuS = cpuSeconds(server.pid);
console.log('arrived', {
  GB: arrivedBytes / 1e9,
  arrivingMBs: Math.round(arriving),
  quietMs,
  before,
  cpuS: arrivedCpuS,
});

sink.open = true;
// What is already backing off is looked at again within half a minute: the backlog drains from the first batch on.
while (sink.taken.batches === 0) await sleep(10);
const began = performance.now();
// The last lines of the light load wait for their interval: they are not the backlog.
let backlogEndedMs: number | undefined;
const watching = setInterval(() => {
  if (sink.taken.plainBytes >= arrivedBytes) backlogEndedMs ??= performance.now();
}, 10);
const drainingMs: number[] = [];
while (sink.taken.lines < accepted && performance.now() - began < DRAIN_MS) {
  if (sink.taken.plainBytes < 0.9 * arrivedBytes) drainingMs.push(await lightLoad());
  else await sleep(20);
}
clearInterval(watching);
const drained = arrivedBytes / 1e3 / ((backlogEndedMs ?? performance.now()) - began);
console.log('drained', {
  drainedMBs: Math.round(drained),
  ofArriving: drained / arriving,
  missing: accepted - sink.taken.lines,
  p99Ms: drainingMs,
  p99OfQuiet: Math.max(...drainingMs) / quietMs,
  cpuSPerGB: (cpuSeconds(server.pid) - arrivedCpuS) / (arrivedBytes / 1e9),
  rssMiB: rssMiB(server.pid),
  peakMiB: peakRssMiB(server.pid),
});
if (sink.taken.lines !== accepted) process.exitCode = 1;
await server.stop();
sink.close();
rmSync(dir, { recursive: true });
process.exit();
