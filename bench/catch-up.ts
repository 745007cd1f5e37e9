/**
 * Question: how fast does a backlog drain once its destination is back, and what does that do to new lines?
 *
 *     node bench/catch-up.ts [GiB] [one|many]
 *
 * `one`: one stream, bodies of 1 MiB. `many`: 1,000 streams with a job each, bodies of 4 KiB. The destination refuses while
 * the lines arrive. A light load of one-line requests tells how long new answers take: before, and while the backlog drains. A
 * bare server that only writes and syncs gets the same load: its times are what the machine and its disk have in both.
 *
 * Bars: the backlog drains at least 1.5 times as fast as lines could arrive, p99 of new answers at most doubles, memory does
 * not grow.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBareServer } from './lib/bare.ts';
import { sendBodies } from './lib/bodies.ts';
import type { BodiesOptions } from './lib/bodies.ts';
import { makeFolder } from './lib/folder.ts';
import { cutBodies } from './lib/http-lines.ts';
import { quantile } from './lib/posts.ts';
import { cpuByThread, peakRssMiB, rssMiB } from './lib/process-stats.ts';
import { ingestToken, startServer } from './lib/server.ts';
import { openSinkApart } from './lib/sink-apart.ts';

const GIB = Number(process.argv[2] ?? 1);
const many = process.argv[3] === 'many';
const SLICE_SECONDS = 10;
const LIGHT_SECONDS = 5;
/** Rounds of the light load before anything else, of which the median counts. One before them is for what is not compiled yet. */
const QUIET_ROUNDS = Number(process.env['BENCH_QUIET_ROUNDS'] ?? 5);
const DRAIN_MS = Number(process.env['BENCH_DRAIN_MS'] ?? 30 * 60_000);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const dir = mkdtempSync(join(tmpdir(), 'waybill-catch-up-'));
const sink = await openSinkApart();
sink.open = false;
const bare = await openBareServer(join(dir, 'bare'));
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

interface Answers {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly bareP99Ms: number;
}
/** How long new answers take under a light load. */
async function lightLoad(): Promise<Answers> {
  const line = bodies[0]!.subarray(0, bodies[0]!.indexOf(10) + 1);
  // A second more, of which no times are told: the producers' own code is not compiled yet in it.
  const seconds = { seconds: LIGHT_SECONDS + 1, warmSeconds: 1 };
  const light = { bodies: [line], connections: 8, perSecond: 50, ...seconds };
  const [{ answered, tookMs }, answers] = await Promise.all([
    send(light),
    sendBodies({ ...load, ...light, port: bare.port }),
  ]);
  accepted += answered;
  const at = (times: Float64Array, share: number): number =>
    Number(quantile(times.toSorted(), share).toFixed(1));
  return { p50Ms: at(tookMs, 0.5), p99Ms: at(tookMs, 0.99), bareP99Ms: at(answers.tookMs, 0.99) };
}
async function syncs(): Promise<number> {
  const all = await server.metrics(/syncs_total/);
  return [...all.values()].reduce((sum, count) => sum + count, 0);
}

type Turns = ReadonlyMap<string, number>;
function turns(): Promise<Turns> {
  return server.metrics(/longest_turn_seconds_bucket/);
}

/** Seconds by the longest turn of the shard's thread in them. */
function turnsBetween(from: Turns, to: Turns): Record<string, number> {
  let below = 0;
  const seconds: Record<string, number> = {};
  for (const [name, value] of to) {
    const upTo = value - (from.get(name) ?? 0);
    if (upTo > below) seconds[`at most ${/le="([^"]+)"/.exec(name)?.[1]} s`] = upTo - below;
    below = upTo;
  }
  return seconds;
}

/** By the threads' names, and in all. */
function cpuPerGB(from: ReadonlyMap<string, number>, to: ReadonlyMap<string, number>) {
  const used = [...to].map(([name, s]): [string, number] => [name, s - (from.get(name) ?? 0)]);
  const all = used.reduce((sum, [, s]) => sum + s, 0);
  const told = [...used.filter(([, s]) => s > all / 50), ['all', all] as const];
  return Object.fromEntries(
    told.map(([name, s]) => [name, Number((s / (arrivedBytes / 1e9)).toFixed(1))]),
  );
}
const median = (rounds: readonly Answers[], of: keyof Answers): number =>
  rounds.map((round) => round[of]).toSorted((a, b) => a - b)[rounds.length >> 1] ?? Number.NaN;

await lightLoad();
const quiet: Answers[] = [];
for (let round = 0; round < QUIET_ROUNDS; round++) quiet.push(await lightLoad());
let arrivedBytes = 0;
const quietCpuS = cpuByThread(server.pid);
const quietSyncs = await syncs();
let arrivedSeconds = 0;
while (arrivedBytes < GIB * 2 ** 30) {
  const { bytes, seconds, taken } = await send({ seconds: SLICE_SECONDS });
  arrivedBytes += bytes;
  arrivedSeconds += seconds;
  accepted += taken.reduce((sum, times, n) => sum + times * lines[n]!, 0);
}
const arriving = arrivedBytes / 1e6 / arrivedSeconds;
const before = rssMiB(server.pid);
console.log('arrived', {
  GB: arrivedBytes / 1e9,
  arrivingMBs: Math.round(arriving),
  quiet,
  before,
  cpuSPerGB: cpuPerGB(quietCpuS, cpuByThread(server.pid)),
  syncsPerGB: Math.round(((await syncs()) - quietSyncs) / (arrivedBytes / 1e9)),
});

sink.open = true;
// What is already backing off is looked at again within half a minute: the backlog drains from the first batch on.
while (sink.taken.batches === 0) await sleep(10);
const began = performance.now();
const beganCpuS = cpuByThread(server.pid);
const beganTurns = await turns();
// The last lines of the light load wait for their interval: they are not the backlog.
let backlogEndedMs: number | undefined;
let endedCpuS = beganCpuS;
let batches = 0;
const watching = setInterval(() => {
  if (sink.taken.plainBytes < arrivedBytes || backlogEndedMs !== undefined) return;
  backlogEndedMs = performance.now();
  endedCpuS = cpuByThread(server.pid);
  batches = sink.taken.batches;
}, 10);
const draining: Answers[] = [];
while (sink.taken.lines < accepted && performance.now() - began < DRAIN_MS) {
  if (sink.taken.plainBytes < 0.9 * arrivedBytes) draining.push(await lightLoad());
  else await sleep(20);
}
clearInterval(watching);
const drained = arrivedBytes / 1e3 / ((backlogEndedMs ?? performance.now()) - began);
const longestTurns = turnsBetween(beganTurns, await turns());
console.log('drained', {
  drainedMBs: Math.round(drained),
  ofArriving: drained / arriving,
  missing: accepted - sink.taken.lines,
  draining,
  p99OfQuiet: median(draining, 'p99Ms') / median(quiet, 'p99Ms'),
  bareP99OfQuiet: median(draining, 'bareP99Ms') / median(quiet, 'bareP99Ms'),
  batches,
  cpuSPerGB: cpuPerGB(beganCpuS, endedCpuS),
  longestTurns,
  rssMiB: rssMiB(server.pid),
  peakMiB: peakRssMiB(server.pid),
});
if (sink.taken.lines !== accepted) process.exitCode = 1;
await server.stop();
sink.close();
bare.close();
rmSync(dir, { recursive: true });
process.exit();
