/** The room as a whole: start, restart, keys, publication, and a data plane that does not answer. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { idleDataPlane, S3, startControl, withScopes } from '../../test/support/control.ts';
import type { TestControl } from '../../test/support/control.ts';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import { silent } from '../lib/diagnostics.ts';
import { nodeFileSystem } from '../lib/fs/node.ts';
import { systemRandom } from '../lib/random.ts';
import { openControl } from './index.ts';
import type { ControlDeps } from './index.ts';

function depsOf(directory: string, change: Partial<ControlDeps> = {}): ControlDeps {
  return {
    files: nodeFileSystem(),
    directory,
    keys: { kind: 'file', path: join(directory, 'secrets.key') },
    clock: systemClock,
    random: systemRandom,
    diagnostics: silent,
    policy: { allowHttp: false, fileRoots: [] },
    publish: () => Promise.resolve(),
    dataPlane: idleDataPlane(),
    version: 'test',
    ...change,
  };
}

async function using(server: TestControl, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await server.close();
  }
}

test('the first start makes one operator token, puts it away before it counts, and a later one makes none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-control-'));
  try {
    const first = await openControl(depsOf(directory));
    assert.ok(first.kind === 'open');
    const kept: string[] = [];
    await assert.rejects(
      first.control.ensureOperatorToken(() => Promise.reject(new Error('disk full'))),
    );
    const token = await first.control.ensureOperatorToken((made) => void kept.push(made));
    assert.match(token ?? '', /^wb_op_[A-Za-z0-9_-]{43}$/);
    assert.deepEqual(kept, [token]);
    assert.equal(await first.control.ensureOperatorToken(), undefined);
    await first.control.close();
    assert.equal(statSync(join(directory, 'control.db')).mode & 0o777, 0o600);
    const second = await openControl(depsOf(directory, { mustExist: true }));
    assert.ok(second.kind === 'open');
    assert.equal(await second.control.ensureOperatorToken(), undefined);
    await second.control.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('I4: a restart has the very snapshot that was in force; a lost or foreign key is refused and nothing is made anew', async () => {
  const server = await startControl();
  await using(server, async () => {
    await withScopes(server);
    const body = { destination_conf: S3, enabled: true };
    await server.call('POST', '/client/v4/zones/z1/logpush/jobs', { body });
    await server.call('PUT', '/client/v4/zones/z1/logpush/jobs/1', {
      body: { output_options: { sample_rate: 0.5 } },
    });
    const inForce = server.published.at(-1)!;
    assert.deepEqual(server.control.snapshot(), inForce);
    await server.control.close();

    const again = await openControl(depsOf(server.directory));
    assert.ok(again.kind === 'open');
    assert.deepEqual(again.control.snapshot(), inForce);
    assert.equal(again.control.snapshot().jobs[0]?.destinationConf, S3);
    assert.deepEqual(again.control.snapshot().jobs[0]?.olderContents, [
      { contentVersion: 1, filter: '', outputOptions: null },
    ]);
    await again.control.close();

    const key = join(server.directory, 'secrets.key');
    copyFileSync(key, `${key}.safe`);
    writeFileSync(key, Buffer.alloc(32, 1));
    const foreign = await openControl(depsOf(server.directory));
    assert.ok(
      foreign.kind === 'unreadable' && foreign.detail.includes(key),
      JSON.stringify(foreign),
    );
    rmSync(key);
    const lost = await openControl(depsOf(server.directory));
    assert.ok(
      lost.kind === 'unreadable' && /missing.*1 secrets/.test(lost.detail),
      JSON.stringify(lost),
    );
    assert.equal(existsSync(key), false);
    copyFileSync(`${key}.safe`, key);
    const back = await openControl(depsOf(server.directory));
    assert.ok(back.kind === 'open');
    await back.control.close();
  });
});

test('changes made at once are one after the other, each its own version, the last one published whole', async () => {
  const server = await startControl();
  await using(server, async () => {
    const names = Array.from({ length: 40 }, (_, n) => `many${n}`);
    const answers = await Promise.all(
      names.map((name) => server.call('PUT', `/v1/accounts/${name}`, { body: {} })),
    );
    assert.ok(answers.every(({ status }) => status === 201));
    const versions = server.published.map(({ version }) => version);
    assert.deepEqual(
      versions,
      versions.toSorted((a, b) => a - b),
    );
    const last = server.published.at(-1)!;
    assert.equal(last.accounts.length, 40);
    const { changes } = (await server.call('GET', '/v1/changes?limit=1000')).body;
    assert.equal(new Set(changes.map((entry: { version: number }) => entry.version)).size, 41);
  });
});

/** The machine's clock, except that waits end at once. */
const hasty: Clock = {
  wallMs: () => systemClock.wallMs(),
  monotonicMs: () => systemClock.monotonicMs(),
  after: (_delayMs, fire) => systemClock.after(0, fire),
  every: (intervalMs, fire) => systemClock.every(intervalMs, fire),
  sleep: () => Promise.resolve(),
};

test('I9: with a data plane that never answers, configuration is still read and changed, and the rest says so', async () => {
  const never = (): Promise<never> => new Promise(() => {});
  const dead = {
    ...idleDataPlane(),
    jobStatuses: never,
    attempts: never,
    jobLedger: never,
    scopeLedger: never,
    usage: never,
    keptLines: never,
    metrics: never,
    status: () => Promise.reject(new Error('the thread is gone')),
    ready: () => ({ ready: false, reason: 'shard 0 is down' }),
  };
  const server = await startControl({ dataPlane: dead, publish: never, clock: hasty });
  await using(server, async () => {
    await withScopes(server);
    const made = await server.call('POST', '/client/v4/zones/z1/logpush/jobs', {
      body: { destination_conf: S3 },
    });
    assert.equal(made.status, 201);
    const id = Number(made.body.result.id);
    assert.equal(
      (await server.call('GET', `/client/v4/zones/z1/logpush/jobs/${id}`)).body.result
        .last_complete,
      null,
    );
    assert.equal((await server.call('GET', `/v1/jobs/${id}`)).body.status, null);
    const status = await server.call('GET', '/v1/status');
    assert.deepEqual([status.status, status.body.ready, status.body.shards], [200, false, null]);
    for (const path of [
      `/v1/jobs/${id}/ledger`,
      '/v1/zones/z1/ledger',
      '/v1/accounts/a1/usage',
      '/metrics',
    ]) {
      const answer = await server.call('GET', path);
      assert.equal(answer.status, 503, path);
      assert.equal(answer.body.error.code, 'data_plane_silent');
    }
    assert.equal((await server.call('GET', '/healthz')).status, 200);
    const ready = await server.call('GET', '/readyz');
    assert.deepEqual([ready.status, ready.text], [503, 'not ready: shard 0 is down\n']);
  });
});

test('a publication that fails is told and does not undo the change', async () => {
  const server = await startControl({ publish: () => Promise.reject(new Error('no shard')) });
  await using(server, async () => {
    assert.equal((await server.call('PUT', '/v1/accounts/a', { body: {} })).status, 201);
    assert.ok(
      server.logged.some(
        (line) => line.includes('"alarm"') && line.includes('could not be put in force'),
      ),
    );
    assert.equal(server.control.snapshot().accounts.length, 1);
  });
});
