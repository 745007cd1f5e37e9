/**
 * Question: what does one change of the configuration cost when there are many jobs?
 *
 *     node bench/changes.ts [jobs] [changes]
 *
 * Makes a data folder with so many jobs, starts the real server on it, and changes one job after the other through the API. Bar:
 * what a change writes and sends does not grow with the number of jobs.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../test/support/server.ts';
import { makeFolder } from './lib/folder.ts';
import { quantile } from './lib/posts.ts';

const JOBS = Number(process.argv[2] ?? 10_000);
const CHANGES = Number(process.argv[3] ?? 60);
const JOBS_PER_ZONE = 10;

const dir = mkdtempSync(join(tmpdir(), 'waybill-changes-'));

const folderBytes = (): number =>
  readdirSync(join(dir, 'snapshots')).reduce(
    (sum, name) => sum + statSync(join(dir, 'snapshots', name)).size,
    0,
  );

await makeFolder({
  dir,
  zones: Math.ceil(JOBS / JOBS_PER_ZONE),
  jobsPerZone: JOBS_PER_ZONE,
  accounts: 1,
  destination: (id) => `https://logs.example/in/${id}?header_Authorization=Bearer%20${id}`,
  job: () => ({ outputOptions: { field_names: ['ClientIP', 'EdgeStartTimestamp', 'RayID'] } }),
});
const begun = performance.now();
const server = await startServer({ dataDir: dir });
const startMs = performance.now() - begun;
const before = folderBytes();
const took: number[] = [];
for (let n = 0; n < CHANGES; n++) {
  const id = 1 + ((n * 37) % JOBS);
  const zone = `z${Math.floor((id - 1) / JOBS_PER_ZONE)}`;
  const from = performance.now();
  await server.call('PUT', `/client/v4/zones/${zone}/logpush/jobs/${id}`, { name: `n${n}` });
  took.push(performance.now() - from);
}
const sorted = Float64Array.from(took).sort();
console.log({
  jobs: JOBS,
  startMs: Math.round(startMs),
  changeP50Ms: quantile(sorted, 0.5),
  changeP99Ms: quantile(sorted, 0.99),
  snapshotBytesPerChange: Math.round((folderBytes() - before) / CHANGES),
  baseBytes: before,
});
await server.end('SIGTERM');
rmSync(dir, { recursive: true, force: true });
