/**
 * Question: what does one tenant's trouble do to another's answers?
 *
 *     node bench/isolation.ts [seconds of a phase]
 *
 * The quiet tenant sends one-line requests (an answer is a sync and little else) and, beside them, bodies of 64 KiB, both at a
 * steady rate, and has them delivered. The hostile one has jobs to names whose name server never answers, receivers that read
 * a byte a second; a second one has a backlog that is read again, projected and deflated. Two phases of the quiet tenant alone, then
 * two with the hostile tenants' jobs at work.
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
import { sendBodies } from './lib/bodies.ts';
import { makeFolder } from './lib/folder.ts';
import { cutBodies } from './lib/http-lines.ts';
import { quantile } from './lib/posts.ts';
import { peakRssMiB } from './lib/process-stats.ts';
import { ingestToken, startServer } from './lib/server.ts';
import { openSink } from './lib/sink.ts';

const SECONDS = Number(process.argv[2] ?? 15);
const HANGING = 100;
const SLOW = 30;
const BACKLOGS = 4;
const BACKLOG_SECONDS = 12;
const FLAGS = process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [];
const FIELDS = ['RayID', 'EdgeStartTimestamp', 'ClientIP', 'ClientRequestHost', 'ClientRequestURI'];
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const dir = mkdtempSync(join(tmpdir(), 'waybill-isolation-'));
const quietSink = await openSink(undefined, false);
const hostileSink = await openSink(undefined, false);
hostileSink.open = false;
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
}
/** The quiet tenant's answers for one phase. */
async function quietTenant(): Promise<Phase> {
  const [lines, bodies] = await Promise.all([
    sendBodies({
      ...base,
      paths: [pathOf(0)],
      bodies: [line],
      connections: 8,
      seconds: SECONDS,
      perSecond: 60,
    }),
    sendBodies({
      ...base,
      paths: [pathOf(0)],
      bodies: small,
      connections: 8,
      seconds: SECONDS,
      perSecond: 30,
    }),
  ]);
  return { lineMs: lines.tookMs, bodyMs: bodies.tookMs };
}
const alone: Phase[] = [];
const beside: Phase[] = [];
await sleep(3_000);
for (let round = 0; round < 2; round++) {
  const from = await turns();
  alone.push(await quietTenant());
  show('turns, quiet alone', await turns(), from);
}
const before = await turns();
await sendBodies({
  ...base,
  paths: backlogs.map(pathOf),
  bodies: cutBodies(32 * 2 ** 20, 2 ** 20),
  connections: 4,
  seconds: BACKLOG_SECONDS,
});
show('turns while the backlog arrived', await turns(), before);

// From here on its backlog is read again; what is stuck stays so.
hostileSink.open = true;
while (hostileSink.taken.lines === 0) await sleep(200);
for (let round = 0; round < 2; round++) {
  const from = await turns();
  const delivered = hostileSink.taken.lines;
  const [phase] = await Promise.all([
    quietTenant(),
    sendBodies({
      ...base,
      paths: stuck.map(pathOf),
      bodies: small,
      connections: 4,
      seconds: SECONDS,
      perSecond: 40,
    }),
  ]);
  beside.push(phase);
  show('turns, with the hostile tenants', await turns(), from);
  console.log(
    { hostileLinesDelivered: hostileSink.taken.lines - delivered },
    await server.metrics(/delivery_(in_flight|held_bytes|queued|preparing) /),
  );
}
for (const which of ['lineMs', 'bodyMs'] as const) {
  const p99 = (phases: readonly Phase[]): number[] =>
    phases.map((phase) => Number(quantile(phase[which].toSorted(), 0.99).toFixed(1)));
  const [quiet, loaded] = [p99(alone), p99(beside)];
  console.log(which === 'lineMs' ? 'one line' : '64 KiB', {
    p99AloneMs: quiet,
    p99BesideMs: loaded,
    // Alone the best of two: whatever else the machine does makes it worse. A round in which no hostile line was delivered had
    // no backlog at work.
    times: loaded.map((ms) => Number((ms / Math.min(...quiet)).toFixed(2))),
  });
}
console.log({ quietDelivered: quietSink.taken.lines, peakMiB: peakRssMiB(server.pid) });
await server.stop();
for (const sink of [quietSink, hostileSink]) sink.close();
nameServer.close();
slowReceiver.close();
rmSync(dir, { recursive: true });
process.exit();

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
  console.log(what, seconds);
}
