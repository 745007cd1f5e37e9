/** Who may restore, replay and erase, what is kept of a deleted job, and what is refused. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import {
  idleDataPlane,
  S3,
  startControl,
  tokenFor,
  withScopes,
} from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';
import type { ErasureReach } from '../lines-desk.ts';

const EPOCH = '00000000000000e1';
const JOBS = '/client/v4/zones/z1/logpush/jobs';
const ordered: ErasureReach[] = [];
let server: TestControl;
let tokens: Record<'write' | 'read' | 'foreign', string>;
let dataPlaneDown = false;

before(async () => {
  const idle = idleDataPlane();
  const dataPlane = {
    ...idle,
    lines: {
      ...idle.lines,
      place: (_stream: string, asked: { kind: string; offset?: number }) => {
        const place = { epoch: EPOCH, offset: asked.offset ?? 100 };
        return Promise.resolve(
          asked.offset === 7
            ? ({ kind: 'gone', place: { epoch: EPOCH, offset: 40 }, sinceMs: 1e12 } as const)
            : ({ kind: 'place', place, oldest: 40, head: 100 } as const),
        );
      },
      erase: (reach: ErasureReach) => {
        if (dataPlaneDown) return Promise.reject(new Error('down'));
        ordered.push(reach);
        const streams = [{ stream: 'zones/z1/http_requests', to: 10, lines: 10 }];
        return Promise.resolve({ streams, waitingLines: 4, keptLines: 1 });
      },
    },
  };
  server = await startControl({ dataPlane });
  await withScopes(server);
  const account = (id: string, permission: string) =>
    tokenFor(server, {
      kind: 'account',
      scopes: [{ kind: 'account', id }],
      permissions: [permission],
    });
  tokens = {
    write: await account('a1', 'logs_write'),
    read: await account('a1', 'logs_read'),
    foreign: await account('a2', 'logs_write'),
  };
});
after(() => server.close());

async function newJob(): Promise<number> {
  const body = { destination_conf: S3, enabled: true, name: 'main' };
  return (await server.call('POST', JOBS, { body })).body.result.id;
}

test('a deleted job comes back under its id with its secret, and nobody else sees it', async () => {
  const id = await newJob();
  await server.call('DELETE', `${JOBS}/${id}`);
  const restore = (token: string, from = 'now') =>
    server.call('POST', `/v1/jobs/${id}/restore`, { token, body: { from } });
  assert.equal((await restore(tokens.foreign)).status, 404);
  assert.equal((await restore(tokens.read)).body.error.code, 'permission_missing');
  const listed = async (token: string) =>
    (await server.call('GET', '/v1/deleted-jobs', { token })).body.jobs.map(
      (job: { id: number }) => job.id,
    );
  assert.deepEqual(await listed(tokens.foreign), []);
  assert.ok((await listed(tokens.read)).includes(id));
  assert.doesNotMatch(
    (await server.call('GET', '/v1/deleted-jobs')).text,
    /MARKERsecretMARKER/,
    'a list shows no secret',
  );
  const refused = await restore(tokens.write, 'stopped');
  assert.equal(refused.body.error.code, 'holdback_over', 'nothing of it is held');
  const restored = await restore(tokens.write);
  assert.deepEqual([restored.status, restored.body.id], [200, id]);
  const { result } = (await server.call('GET', `${JOBS}/${id}`)).body;
  assert.deepEqual([result.destination_conf, result.name], [S3, 'main']);
  const [job] = server.published.at(-1)!.jobs.filter((one) => one.id === id);
  assert.deepEqual(job!.skipTo, { epoch: EPOCH, offset: 100 });
  assert.equal((await restore(tokens.write)).body.error.code, 'already_exists');
});

test('a new job begins where it is said; what is gone is refused with the time from which lines are there', async () => {
  const make = (start: string) =>
    server.call('POST', '/v1/zones/z1/jobs', {
      token: tokens.write,
      body: { destination_conf: S3, enabled: true, start },
    });
  const made = await make('50');
  assert.equal(made.status, 201, made.text);
  const job = server.published.at(-1)!.jobs.find((one) => one.id === made.body.id);
  assert.deepEqual(job!.start, { epoch: EPOCH, offset: 50 });
  const gone = await make('7');
  assert.equal(gone.body.error.code, 'lines_gone');
  assert.match(gone.body.error.message, /replayable since 2001-09-09T01:46:40.000Z \(offset 40\)/);
  assert.equal((await make('yesterday')).body.error.path, 'start');
});

test('a replay has its job’s content of then and newest destination, is bounded, and ends with its job', async () => {
  const id = await newJob();
  const replay = (body: object, token = tokens.write) =>
    server.call('POST', `/v1/jobs/${id}/replays`, { token, body });
  assert.equal((await replay({ from: '50' }, tokens.foreign)).status, 404);
  assert.equal((await replay({ from: '50' }, tokens.read)).body.error.code, 'permission_missing');
  assert.equal((await replay({ from: '50', to: '50' })).body.error.path, 'to');
  assert.equal((await replay({ from: '7' })).body.error.code, 'lines_gone');
  const elsewhere = await replay({ from: '50', destination_conf: 'file:///etc' });
  assert.match(elsewhere.body.error.message, /error validating destination/);
  const made = await replay({ from: '7', allow_gap: true });
  assert.deepEqual(
    [made.status, made.body.from, made.body.goneSince],
    [201, 40, '2001-09-09T01:46:40.000Z'],
  );
  const filter = '{"where":{"key":"ClientIP","operator":"eq","value":"x"}}';
  const conf = S3.replace('logs', 'others');
  await server.call('PUT', `${JOBS}/${id}`, { body: { filter, destination_conf: conf } });
  const published = () => server.published.at(-1)!.replays ?? [];
  const [config] = published().filter((one) => one.id === made.body.id);
  assert.deepEqual([config!.filter, config!.destinationConf], ['', conf]);
  assert.deepEqual(config!.replay, { of: id, epoch: EPOCH, from: 40, to: 100 });
  assert.ok(!server.published.at(-1)!.jobs.some((one) => one.id === made.body.id));
  let last = made;
  for (let n = 0; n < 8; n += 1) last = await replay({ from: '50' });
  assert.equal(last.body.error.code, 'limit_reached');
  await server.call('DELETE', `${JOBS}/${id}`);
  assert.deepEqual(published(), []);
  const shown = await server.call('GET', `/v1/replays/${made.body.id}`, { token: tokens.read });
  assert.equal(shown.body.state, 'cancelled');
});

test('an erasure is its owner’s to order; while the shard is down it stands and is carried out later', async () => {
  const order = (token: string, body: object = {}) =>
    server.call('POST', '/v1/accounts/a1/erasures', { token, body });
  assert.equal((await order(tokens.foreign)).status, 403);
  assert.equal((await order(tokens.read)).body.error.code, 'permission_missing');
  dataPlaneDown = true;
  const late = await order(tokens.write, { before: '2026-01-01T00:00:00Z', reason: 'asked' });
  assert.deepEqual([late.status, late.body.state], [202, 'ordered']);
  assert.equal(ordered.length, 0);
  dataPlaneDown = false;
  const made = await order(tokens.write, { dataset: 'http_requests' });
  assert.deepEqual([made.status, made.body.state, made.body.lines], [201, 'in_force', 10]);
  const reach = ordered.find((one) => one.order === made.body.id)!;
  assert.deepEqual(
    [reach.scopes.map((scope) => scope.id), reach.account, reach.dataset],
    [['a1', 'z1'], 'a1', 'http_requests'],
  );
  for (let tries = 0; tries < 100; tries += 1) {
    const { body } = await server.call('GET', `/v1/accounts/a1/erasures/${late.body.id}`);
    if (body.state !== 'ordered') break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(
    ordered.some((one) => one.order === late.body.id),
    'it was carried out',
  );
  const foreign = await server.call('GET', '/v1/accounts/a1/erasures', { token: tokens.foreign });
  assert.equal(foreign.status, 403);
});
