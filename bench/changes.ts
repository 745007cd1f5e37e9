/**
 * Question: what does one change of the configuration cost when there are many jobs?
 *
 *     node bench/changes.ts [jobs] [changes]
 *
 * Makes a data folder with so many jobs, starts the real server on it, and changes one job after the other through the API. Bar:
 * what a change writes and sends does not grow with the number of jobs.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../src/control/opening.ts';
import { sealer } from '../src/control/secrets/sealing.ts';
import type { JobRecord } from '../src/control/store/records.ts';
import type { Edit } from '../src/control/store/store.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silent } from '../src/lib/diagnostics.ts';
import { nodeFileSystem } from '../src/lib/fs/node.ts';
import { systemRandom } from '../src/lib/random.ts';
import { startServer } from '../test/support/server.ts';
import { quantile } from './lib/posts.ts';

const JOBS = Number(process.argv[2] ?? 10_000);
const CHANGES = Number(process.argv[3] ?? 60);
const JOBS_PER_ZONE = 10;

const dir = mkdtempSync(join(tmpdir(), 'waybill-changes-'));
const token = `wb_op_${randomBytes(32).toString('base64url')}`;

/** The folder as a server with so many jobs would have left it, made in one change. */
async function makeFolder(): Promise<void> {
  mkdirSync(dir, { recursive: true });
  const key = randomBytes(32);
  writeFileSync(join(dir, 'secrets.key'), key, { mode: 0o600 });
  writeFileSync(join(dir, 'operator.token'), token);
  const opened = await openStore({
    files: nodeFileSystem(),
    directory: dir,
    clock: systemClock,
    diagnostics: silent,
    mustExist: false,
  });
  if (opened.kind !== 'open') throw new Error(opened.detail);
  const seals = sealer(key, systemRandom);
  const edits: Edit[] = [
    added('account', 'a', {
      id: 'a',
      name: 'a',
      ambientCredentials: false,
      createdMs: 0,
      limits: {},
      cmb: null,
    }),
    added('token', 'op', {
      id: 'op',
      kind: 'operator',
      name: '',
      hash: createHash('sha256').update(token).digest('hex'),
      permissions: [],
      scopes: 'all',
      createdMs: 0,
    }),
  ];
  const seal = [];
  for (let id = 1; id <= JOBS; id++) {
    const zone = `z${Math.floor((id - 1) / JOBS_PER_ZONE)}`;
    if (id % JOBS_PER_ZONE === 1) {
      const name = `${zone}.example`;
      edits.push(
        added('zone', zone, { id: zone, account: 'a', name, createdMs: 0, retention: false }),
      );
    }
    edits.push(added('job', String(id), jobRecord(id, zone)));
    const conf = `https://logs.example/in/${id}?header_Authorization=Bearer%20${id}`;
    seal.push(seals.seal(`job-${id}`, 1, conf));
  }
  const result = await opened.store.commit({
    base: 0,
    atMs: 0,
    who: 'bench',
    address: null,
    what: 'bench',
    voice: 'document',
    reason: null,
    edits,
    concerns: edits.map(() => []),
    seal,
    dropSecrets: [],
  });
  if (result.kind !== 'committed') throw new Error(JSON.stringify(result));
  await opened.store.close();
}

function added(kind: Edit['kind'], id: string, after: NonNullable<Edit['after']>): Edit {
  return { kind, id, before: null, after } as Edit;
}

function jobRecord(id: number, zone: string): JobRecord {
  return {
    id,
    name: `job-${id}`,
    enabled: true,
    scope: { kind: 'zone', id: zone },
    dataset: 'http_requests',
    destination: `https://logs.example/in/${id}?header_Authorization=***`,
    secret: { id: `job-${id}`, version: 1 },
    fingerprint: String(id),
    filter: '',
    outputOptions: { field_names: ['ClientIP', 'EdgeStartTimestamp', 'RayID'] },
    logpullOptions: '',
    frequency: 'high',
    maxUploadBytes: 0,
    maxUploadRecords: 0,
    maxUploadIntervalSeconds: 0,
    contentVersion: 1,
    olderContents: [],
    version: 1,
    created: { atMs: 0, mark: '' },
  };
}

const folderBytes = (): number =>
  readdirSync(join(dir, 'snapshots')).reduce(
    (sum, name) => sum + statSync(join(dir, 'snapshots', name)).size,
    0,
  );

await makeFolder();
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
