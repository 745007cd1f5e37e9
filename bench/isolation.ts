/**
 * Question: what does one tenant's trouble do to another's answers?
 *
 *     node bench/isolation.ts [seconds of a phase] [phases of each kind]
 *
 * The quiet tenant sends one-line requests (an answer is a sync and little else) and, beside them, bodies of 64 KiB, both at a
 * steady rate, and has them delivered. The hostile one has jobs to names whose name server never answers, receivers that read
 * a byte a second; a second one has a backlog that is read again, projected and deflated. Phases of the quiet tenant alone, then
 * some with the hostile tenants' jobs and the backlog at work. Beside it a bare server that only answers is asked, and one that
 * writes and syncs a line before it does: their times are what the machine and its disk have in all of these.
 *
 * Each phase begins with a second of which no times are told: producers are threads made anew, whose first answers wait for
 * their own code. What a phase of some seconds has in its slowest hundredth is a handful of answers, so that the numbers that count
 * are those over all phases of a kind together.
 *
 * Bars: the quiet tenant's p99 with the hostile one at most 1.5 times that without; no turn on the shard's thread above 10 ms.
 * Turns come from the server's own metric (`waybill_shard_longest_turn_seconds`).
 */
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBareServer } from './lib/bare.ts';
import { sendBodies } from './lib/bodies.ts';
import { makeFolder } from './lib/folder.ts';
import { cutBodies } from './lib/http-lines.ts';
import { quantile } from './lib/posts.ts';
import { cpuByThread, peakRssMiB } from './lib/process-stats.ts';
import { ingestToken, startServer } from './lib/server.ts';
import { openSinkApart } from './lib/sink-apart.ts';

const SECONDS = Number(process.argv[2] ?? 15);
const PHASES = Number(process.argv[3] ?? 3);
const HANGING = 100;
const SLOW = 30;
const BACKLOGS = 4;
/** More than is read, projected and deflated meanwhile. */
const BACKLOG_SECONDS = 1.2 * SECONDS * PHASES;
const FLAGS = process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [];
const FIELDS = ['RayID', 'EdgeStartTimestamp', 'ClientIP', 'ClientRequestHost', 'ClientRequestURI'];
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const dir = mkdtempSync(join(tmpdir(), 'waybill-isolation-'));
const quietSink = await openSinkApart(false);
const hostileSink = await openSinkApart(false);
hostileSink.open = false;
const bare = await openBareServer();
const bareSync = await openBareServer(join(dir, 'bare'));
const nameServer = createSocket('udp4');
await new Promise<void>((resolve) => nameServer.bind(0, '127.0.0.1', resolve));
const slowReceiver = createServer((socket) => {
  socket.on('error', () => {});
  socket.pause();
  const reading = setInterval(() => socket.read(1), 1_000);
  socket.on('close', () => clearInterval(reading));
});
await new Promise<void>((resolve) => slowReceiver.listen(0, '127.0.0.1', resolve));
const slowPort = (slowReceiver.address() as AddressInfo).port;

/**
 * Zone 0 is the quiet tenant's. What is stuck and the backlog belong to an account each: one account's hanging attempts would
 * leave its own backlog none.
 */
const ACCOUNTS = 3;
const backlogs = Array.from({ length: BACKLOGS }, (_, n) => ACCOUNTS * n + 2);
const stuck = Array.from({ length: SLOW + HANGING }, (_, n) => ACCOUNTS * n + 1);
function destinationOf(job: number): string {
  const zone = job - 1;
  if (zone % ACCOUNTS === 0) return `http://127.0.0.1:${quietSink.port}/`;
  if (zone % ACCOUNTS === 2) return `http://127.0.0.1:${hostileSink.port}/${job}`;
  return stuck.indexOf(zone) < SLOW
    ? `http://127.0.0.1:${slowPort}/${job}`
    : `http://n${job}.hanging.example/`;
}
await makeFolder({
  dir: join(dir, 'data'),
  zones: ACCOUNTS * stuck.length,
  accounts: ACCOUNTS,
  destination: destinationOf,
  job: (job) =>
    backlogs.includes(job - 1)
      ? { outputOptions: { field_names: FIELDS, timestamp_format: 'rfc3339' } }
      : {},
});
const flags = ['--destinations-name-servers', `127.0.0.1:${nameServer.address().port}`];
const server = await startServer({ dir, flags, nodeFlags: FLAGS });
const headers = { authorization: `Bearer ${await ingestToken(server)}` };
const pathOf = (zone: number): string => `/v1/ingest/zones/z${zone}/http_requests`;
const small = cutBodies(8 * 2 ** 20, 2 ** 16);
const line = small[0]!.subarray(0, small[0]!.indexOf(10) + 1);
const base = { port: server.ingestPort, headers };

interface Phase {
  readonly lineMs: Float64Array;
  readonly bodyMs: Float64Array;
  readonly bareMs: Float64Array;
  readonly bareSyncMs: Float64Array;
}
const WARM_SECONDS = 1;
const paced = (perSecond: number) => ({
  connections: 8,
  seconds: SECONDS + WARM_SECONDS,
  warmSeconds: WARM_SECONDS,
  perSecond,
});
/** The quiet tenant's answers for one phase, and those of the bare servers. */
async function quietTenant(): Promise<Phase> {
  const quiet = { ...base, paths: [pathOf(0)] };
  const [lines, bodies, answers, syncs] = await Promise.all([
    sendBodies({ ...quiet, bodies: [line], ...paced(60) }),
    sendBodies({ ...quiet, bodies: small, ...paced(30) }),
    sendBodies({ ...quiet, port: bare.port, bodies: [line], ...paced(30) }),
    sendBodies({ ...quiet, port: bareSync.port, bodies: [line], ...paced(30) }),
  ]);
  return {
    lineMs: lines.tookMs,
    bodyMs: bodies.tookMs,
    bareMs: answers.tookMs,
    bareSyncMs: syncs.tookMs,
  };
}
async function measured(what: string, beside: () => Promise<unknown>): Promise<Phase> {
  const from = await turns();
  const cpu = cpuByThread(server.pid);
  const [phase] = await Promise.all([quietTenant(), beside()]);
  show(what, await turns(), from);
  console.log('  CPU s by thread', cpuSince(cpu));
  return phase;
}
const alone: Phase[] = [];
const beside: Phase[] = [];
await sleep(3_000);
// What is not compiled yet is no answer to the question.
await quietTenant();
for (let round = 0; round < PHASES; round++)
  alone.push(await measured('quiet alone', async () => {}));
const backlog = await measured('while the backlog arrived', () =>
  sendBodies({
    ...base,
    paths: backlogs.map(pathOf),
    bodies: cutBodies(32 * 2 ** 20, 2 ** 20),
    connections: 4,
    seconds: BACKLOG_SECONDS,
  }),
);

// From here on its backlog is read again; what is stuck stays so.
hostileSink.open = true;
while (hostileSink.taken.lines === 0) await sleep(200);
for (let round = 0; round < PHASES; round++) {
  const delivered = hostileSink.taken.lines;
  const phase = await measured('with the hostile tenants', () =>
    sendBodies({ ...base, ...paced(40), connections: 4, paths: stuck.map(pathOf), bodies: small }),
  );
  beside.push(phase);
  console.log(
    { hostileLinesDelivered: hostileSink.taken.lines - delivered },
    await server.metrics(/delivery_(in_flight|held_bytes|queued|preparing) /),
  );
}
/** Of all phases of a kind together. */
const over = (phases: readonly Phase[], which: keyof Phase, share: number): number =>
  quantile(Float64Array.from(phases.flatMap((phase) => [...phase[which]])).sort(), share);
const times = (which: keyof Phase, share: number): number =>
  over(beside, which, share) / over(alone, which, share);
for (const which of ['lineMs', 'bodyMs', 'bareMs', 'bareSyncMs'] as const) {
  const at = (phases: readonly Phase[], share: number): number[] =>
    phases.map((phase) => Number(quantile(phase[which].toSorted(), share).toFixed(1)));
  console.log(which, {
    p50AloneMs: at(alone, 0.5),
    p50BesideMs: at(beside, 0.5),
    p99AloneMs: at(alone, 0.99),
    p99WhileItArrivedMs: at([backlog], 0.99),
    // A phase in which no hostile line was delivered had no backlog at work.
    p99BesideMs: at(beside, 0.99),
  });
  console.log('  over all phases:', {
    answers: [alone, beside].map((phases) => phases.flatMap((phase) => [...phase[which]]).length),
    p95Ms: [alone, beside].map((phases) => Number(over(phases, which, 0.95).toFixed(1))),
    p99Ms: [alone, beside].map((phases) => Number(over(phases, which, 0.99).toFixed(1))),
    p95Times: Number(times(which, 0.95).toFixed(2)),
    p99Times: Number(times(which, 0.99).toFixed(2)),
    p99TimesOfBareSync: Number((times(which, 0.99) / times('bareSyncMs', 0.99)).toFixed(2)),
  });
}
console.log({ quietDelivered: quietSink.taken.lines, peakMiB: peakRssMiB(server.pid) });
await server.stop();
for (const opened of [quietSink, hostileSink, bare, bareSync]) opened.close();
nameServer.close();
slowReceiver.close();
rmSync(dir, { recursive: true });
process.exit();

function cpuSince(before: ReadonlyMap<string, number>): Record<string, number> {
  const spent: Record<string, number> = {};
  for (const [name, seconds] of cpuByThread(server.pid)) {
    const more = seconds - (before.get(name) ?? 0);
    if (more >= 0.1) spent[name] = Number(more.toFixed(1));
  }
  return spent;
}

function turns(): Promise<ReadonlyMap<string, number>> {
  return server.metrics(/longest_turn_seconds_bucket/);
}

/** Seconds by their longest turn. */
function show(
  what: string,
  now: ReadonlyMap<string, number>,
  from: ReadonlyMap<string, number>,
): void {
  let below = 0;
  const seconds: Record<string, number> = {};
  for (const [name, value] of now) {
    const upTo = value - (from.get(name) ?? 0);
    const bound = /le="([^"]+)"/.exec(name)?.[1] ?? '';
    if (upTo > below) seconds[`≤ ${bound} s`] = upTo - below;
    below = upTo;
  }
  console.log(`turns, ${what}`, seconds);
}
