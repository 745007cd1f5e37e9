/**
 * Question: how long does a start take on a large data folder, and how much memory?
 *
 *     node bench/start.ts [GB] [streams] [folder | jobs | active]
 *
 * With `jobs` each stream has a job and an account: a first start opens them, a second one is what counts. With `active` one in
 * a hundred has, and those get lines for a while at the end.
 *
 * Bars: a folder of 50 GB, and one of 100,000 streams, accepts lines within 10 s and 600 MiB. The lines are random bytes, so that
 * a GB of lines is a GB on disk (`lib/large-folder.ts`). A folder that is named is filled only as far as it is not full yet, and
 * is kept.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sendBodies } from './lib/bodies.ts';
import { makeFolder } from './lib/folder.ts';
import { cutBodies } from './lib/http-lines.ts';
import { cpuSeconds, peakRssMiB, rssMiB } from './lib/process-stats.ts';
import { ingestToken, startServer } from './lib/server.ts';
import { openSink } from './lib/sink.ts';

const GB = Number(process.argv[2] ?? 1);
const STREAMS = Number(process.argv[3] ?? 1_000);
const active = process.argv[4] === 'active' ? Math.ceil(STREAMS / 100) : 0;
const withJobs = process.argv[4] === 'jobs' || active > 0;
const named = withJobs ? undefined : process.argv[4];
const SETTLE_MS = 20_000;
const IDLE_MS = 20_000;
const ACTIVE_SECONDS = 20;
/** Whatever the disk that this runs on holds besides. */
const flags = ['--buffer-low-watermark', '0.98', '--buffer-high-watermark', '0.99'];
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const sink = active > 0 ? await openSink() : undefined;
const dir = named ?? mkdtempSync(join(tmpdir(), 'waybill-start-'));
const data = join(dir, 'data');
if (withJobs) {
  await makeFolder({
    dir: data,
    zones: active || STREAMS,
    accounts: active || STREAMS,
    destination: (job) => `http://127.0.0.1:${sink?.port ?? 9}/${job}`,
  });
}
// The first start makes the configuration that belongs to the folder.
if (!existsSync(join(data, 'operator.token'))) await (await startServer({ dir, flags })).stop();
const filler = fileURLToPath(new URL('lib/large-folder.ts', import.meta.url));
execFileSync(process.execPath, [filler, data, String(GB), String(STREAMS)], { stdio: 'inherit' });
if (withJobs) {
  const first = await startServer({ dir, flags });
  console.log('first start', {
    readyMs: Math.round(first.readyMs),
    cpuS: cpuSeconds(first.pid),
    peakMiB: peakRssMiB(first.pid),
  });
  await first.stop();
}
const server = await startServer({ dir, flags });
const startCpuS = cpuSeconds(server.pid);
const peakMiB = peakRssMiB(server.pid);
// What a start leaves to be done (sums of new events, the first garbage) is over by then.
await sleep(SETTLE_MS);
const idleFrom = cpuSeconds(server.pid);
await sleep(IDLE_MS);
console.log('start', {
  GB,
  streams: STREAMS,
  readyMs: Math.round(server.readyMs),
  startCpuS,
  peakMiB,
  rssMiB: rssMiB(server.pid),
  settledPeakMiB: peakRssMiB(server.pid),
  idleCoreShare: (cpuSeconds(server.pid) - idleFrom) / (IDLE_MS / 1_000),
});
if (active > 0) {
  const { answered, seconds } = await sendBodies({
    port: server.ingestPort,
    headers: { authorization: `Bearer ${await ingestToken(server)}` },
    paths: Array.from({ length: active }, (_, n) => `/v1/ingest/zones/z${n}/http_requests`),
    bodies: cutBodies(2 ** 20, 2 ** 14),
    connections: 16,
    perSecond: active / 5,
    seconds: ACTIVE_SECONDS,
  });
  await sleep(SETTLE_MS);
  console.log('active', {
    streams: active,
    requestsPerSecond: Math.round(answered / seconds),
    deliveredLines: sink?.taken.lines,
    rssMiB: rssMiB(server.pid),
    peakMiB: peakRssMiB(server.pid),
  });
}
await server.stop();
sink?.close();
if (named === undefined) rmSync(dir, { recursive: true });
