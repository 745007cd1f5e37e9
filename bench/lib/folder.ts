/** A data folder as a server with many jobs would have left it: made in one change, where the API would take minutes. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openStore } from '../../src/control/opening.ts';
import { sealer } from '../../src/control/secrets/sealing.ts';
import type { JobRecord } from '../../src/control/store/records.ts';
import type { Edit } from '../../src/control/store/store.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silent } from '../../src/lib/diagnostics.ts';
import { nodeFileSystem } from '../../src/lib/fs/node.ts';
import { systemRandom } from '../../src/lib/random.ts';

export interface FolderOptions {
  /** The data folder. */
  readonly dir: string;
  /** Zones `z0`, `z1`, … with so many jobs each. */
  readonly zones: number;
  readonly jobsPerZone?: number;
  /** Accounts `a0`, `a1`, … among which the zones are dealt out. */
  readonly accounts: number;
  readonly destination: (job: number) => string;
  /** What a job has beyond whole lines. */
  readonly job?: (job: number) => Partial<JobRecord>;
}

export async function makeFolder(options: FolderOptions): Promise<void> {
  const { dir, zones, accounts, destination, jobsPerZone = 1 } = options;
  mkdirSync(dir, { recursive: true });
  const key = randomBytes(32);
  const token = `wb_op_${randomBytes(32).toString('base64url')}`;
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
  const edits: Edit[] = [operator(token)];
  for (let n = 0; n < accounts; n++) edits.push(account(`a${n}`));
  const seal = [];
  for (let n = 0; n < zones; n++) {
    const zone = `z${n}`;
    edits.push(
      added('zone', zone, {
        id: zone,
        account: `a${n % accounts}`,
        name: `${zone}.example`,
        createdMs: 0,
        retention: false,
      }),
    );
    for (let which = 0; which < jobsPerZone; which++) {
      const id = n * jobsPerZone + which + 1;
      edits.push(added('job', String(id), { ...jobRecord(id, zone), ...options.job?.(id) }));
      seal.push(seals.seal(`job-${id}`, 1, destination(id)));
    }
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

function operator(token: string): Edit {
  return added('token', 'op', {
    id: 'op',
    kind: 'operator',
    name: '',
    hash: createHash('sha256').update(token).digest('hex'),
    permissions: [],
    scopes: 'all',
    createdMs: 0,
  });
}

function account(id: string): Edit {
  const rest = { ambientCredentials: false, createdMs: 0, limits: {}, cmb: null };
  return added('account', id, { id, name: id, ...rest });
}

function jobRecord(id: number, zone: string): JobRecord {
  return {
    id,
    name: `job-${id}`,
    enabled: true,
    scope: { kind: 'zone', id: zone },
    dataset: 'http_requests',
    destination: '***',
    secret: { id: `job-${id}`, version: 1 },
    fingerprint: String(id),
    filter: '',
    outputOptions: null,
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
