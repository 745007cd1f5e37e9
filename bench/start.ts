/**
 * Question: how long does a start take on a large data folder, and how much memory?
 *
 *     node bench/start.ts [GB] [streams] [folder]
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
import { cpuSeconds, peakRssMiB } from './lib/process-stats.ts';
import { startServer } from './lib/server.ts';

const GB = Number(process.argv[2] ?? 1);
const STREAMS = Number(process.argv[3] ?? 1_000);
const named = process.argv[4];
const SETTLE_MS = 20_000;
const IDLE_MS = 20_000;
/** Whatever the disk that this runs on holds besides. */
const flags = ['--buffer-low-watermark', '0.98', '--buffer-high-watermark', '0.99'];
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const dir = named ?? mkdtempSync(join(tmpdir(), 'waybill-start-'));
const data = join(dir, 'data');
// The first start makes the configuration that belongs to the folder.
if (!existsSync(join(data, 'operator.token'))) await (await startServer({ dir, flags })).stop();
const filler = fileURLToPath(new URL('lib/large-folder.ts', import.meta.url));
execFileSync(process.execPath, [filler, data, String(GB), String(STREAMS)], { stdio: 'inherit' });
const server = await startServer({ dir, flags });
const peakMiB = peakRssMiB(server.pid);
// What a start leaves to be done (sums of new events, the first garbage) is over by then.
await sleep(SETTLE_MS);
const idleFrom = cpuSeconds(server.pid);
await sleep(IDLE_MS);
console.log('start', {
  GB,
  streams: STREAMS,
  readyMs: Math.round(server.readyMs),
  peakMiB,
  settledPeakMiB: peakRssMiB(server.pid),
  idleCoreShare: (cpuSeconds(server.pid) - idleFrom) / (IDLE_MS / 1_000),
});
await server.stop();
if (named === undefined) rmSync(dir, { recursive: true });
