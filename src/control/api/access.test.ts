/** Who may do what; nobody sees another's scope; no secret comes out where it should not. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  idleDataPlane,
  S3,
  startControl,
  tokenFor,
  withScopes,
} from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';

let server: TestControl;
let reader: string;
let writer: string;
let zoneWriter: string;
let ingest: string;
let ownJob: number;
let foreignJob: number;

before(async () => {
  const kept = {
    id: 5,
    account: 'a2',
    stream: 'zones/z2/http_requests',
    reason: 'quarantined' as const,
    job: null,
    offset: null,
    detail: 'not an object',
    atMs: 0,
    bytes: Buffer.from('{"foreign":'),
  };
  server = await startControl({
    dataPlane: {
      ...idleDataPlane(),
      keptLine: (id) => Promise.resolve(id === 5 ? kept : undefined),
    },
  });
  await withScopes(server);
  const scopes = [{ kind: 'account', id: 'a1' }];
  reader = await tokenFor(server, { kind: 'account', permissions: ['logs_read'], scopes });
  writer = await tokenFor(server, { kind: 'account', permissions: ['logs_write'], scopes });
  zoneWriter = await tokenFor(server, {
    kind: 'account',
    permissions: ['logs_read', 'logs_write'],
    scopes: [{ kind: 'zone', id: 'z1' }],
  });
  ingest = await tokenFor(server, { kind: 'ingest', scopes: 'all' });
  const make = async (zone: string): Promise<number> => {
    const made = await server.call('POST', `/client/v4/zones/${zone}/logpush/jobs`, {
      body: { destination_conf: S3 },
    });
    return Number(made.body.result.id);
  };
  ownJob = await make('z1');
  foreignJob = await make('z2');
});
after(() => server.close());

async function statusOf(
  token: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<number> {
  return (await server.call(method, path, { token, ...(body === undefined ? {} : { body }) }))
    .status;
}

test('without a token, with an unknown one or an ingest token nothing but health and metrics answers', async () => {
  for (const path of ['/healthz', '/readyz', '/metrics'])
    assert.equal(await statusOf('', 'GET', path), 200);
  for (const path of [
    '/v1/accounts',
    '/v1/jobs',
    '/client/v4/zones/z1/logpush/jobs',
    '/v1/status',
    '/v1/tokens',
  ]) {
    assert.equal(await statusOf('', 'GET', path), 401, path);
    assert.equal(await statusOf('wb_op_wrong', 'GET', path), 401, path);
    assert.equal(await statusOf(ingest, 'GET', path), 403, path);
  }
});

test("older clients' X-Auth-Key carries a token as well", async () => {
  const answer = await server.call('GET', '/v1/accounts', {
    token: '',
    headers: { 'x-auth-key': server.operator },
  });
  assert.equal(answer.status, 200);
});

test('an account token acts on its account and the zones of it, and nowhere else', async () => {
  for (const path of [
    '/v1/accounts/a1',
    '/v1/zones/z1',
    '/v1/accounts/a1/ledger',
    '/v1/zones/z1/usage',
    `/v1/jobs/${ownJob}`,
  ]) {
    assert.equal(await statusOf(reader, 'GET', path), 200, path);
  }
  for (const path of [
    '/v1/accounts/a2',
    '/v1/zones/z2',
    '/v1/accounts/a2/zones',
    '/v1/accounts/a2/ledger',
    '/v1/zones/z2/usage',
    '/v1/zones/z2/kept-lines',
    '/v1/zones/none/ledger',
    '/client/v4/zones/z2/logpush/jobs',
    '/client/v4/accounts/a2/logpush/jobs',
    `/client/v4/zones/z2/logpush/jobs/${foreignJob}`,
  ]) {
    assert.equal(await statusOf(writer, 'GET', path), 403, path);
  }
  assert.equal(await statusOf(zoneWriter, 'GET', '/v1/zones/z1'), 200);
  assert.equal(await statusOf(zoneWriter, 'GET', '/v1/accounts/a1'), 403);
});

test('reading is not writing, and jobs with their secrets need writing', async () => {
  assert.equal(await statusOf(reader, 'GET', '/client/v4/zones/z1/logpush/jobs'), 403);
  assert.equal(await statusOf(writer, 'GET', '/client/v4/zones/z1/logpush/jobs'), 200);
  assert.equal(
    await statusOf(reader, 'GET', '/client/v4/zones/z1/logpush/datasets/http_requests/fields'),
    200,
  );
  assert.equal(await statusOf(reader, 'POST', `/v1/jobs/${ownJob}/pause`), 403);
  assert.equal(await statusOf(writer, 'POST', `/v1/jobs/${ownJob}/resume`), 200);
});

test('what belongs to operators is for operators', async () => {
  const mine: readonly [string, string, unknown?][] = [
    ['PUT', '/v1/accounts/a1', {}],
    ['DELETE', '/v1/zones/z1'],
    ['PUT', '/v1/datasets/x', { scope: 'zone' }],
    ['GET', '/v1/tokens'],
    ['POST', '/v1/tokens', { kind: 'operator' }],
    ['GET', '/v1/changes'],
    ['GET', '/v1/status'],
  ];
  for (const [method, path, body] of mine)
    assert.equal(await statusOf(writer, method, path, body), 403, path);
});

test("another's job, its books and kept lines are as unknown as what never was", async () => {
  for (const path of ['', '/attempts', '/ledger']) {
    const foreign = await server.call('GET', `/v1/jobs/${foreignJob}${path}`, { token: writer });
    const never = await server.call('GET', `/v1/jobs/987654${path}`, { token: zoneWriter });
    assert.equal(foreign.status, 404, path);
    if (path !== '/ledger') assert.deepEqual(foreign.body, never.body);
  }
  assert.equal(await statusOf(writer, 'POST', `/v1/jobs/${foreignJob}/pause`), 404);
  assert.equal(await statusOf(writer, 'GET', '/v1/zones/z1/kept-lines/5'), 404);
  assert.equal(await statusOf(server.operator, 'GET', '/v1/zones/z1/kept-lines/5'), 404);
  const kept = await server.call('GET', '/v1/accounts/a2/kept-lines/5');
  assert.equal(kept.text, '{"foreign":');
  assert.equal(kept.headers.get('content-type'), 'application/octet-stream');
});

test('lists hold only what the token reaches', async () => {
  const ids = async (token: string, path: string, of: string): Promise<unknown[]> =>
    (await server.call('GET', path, { token })).body[of].map((item: { id: unknown }) => item.id);
  assert.deepEqual(await ids(reader, '/v1/accounts', 'accounts'), ['a1']);
  assert.deepEqual(await ids(zoneWriter, '/v1/accounts', 'accounts'), []);
  assert.deepEqual(await ids(reader, '/v1/zones', 'zones'), ['z1']);
  assert.deepEqual(await ids(reader, '/v1/jobs', 'jobs'), [ownJob]);
  assert.deepEqual(await ids(server.operator, '/v1/jobs', 'jobs'), [ownJob, foreignJob]);
  assert.deepEqual(await ids(server.operator, '/v1/jobs?account=a2', 'jobs'), [foreignJob]);
  assert.deepEqual(await ids(server.operator, '/v1/jobs?zone=z1&enabled=false', 'jobs'), []);
});

test('a revoked token is unknown from then on, and the last operator token stays', async () => {
  const token = await tokenFor(server, {
    kind: 'account',
    permissions: ['logs_read'],
    scopes: [{ kind: 'zone', id: 'z1' }],
  });
  assert.equal(await statusOf(token, 'GET', '/v1/zones/z1'), 200);
  const { tokens } = (await server.call('GET', '/v1/tokens')).body;
  assert.equal(
    await statusOf(
      server.operator,
      'DELETE',
      `/v1/tokens/${tokens.find((one: { scopes?: { id: string }[]; permissions?: string[] }) => one.scopes?.[0]?.id === 'z1' && one.permissions?.length === 1).id}`,
    ),
    200,
  );
  assert.equal(await statusOf(token, 'GET', '/v1/zones/z1'), 401);
  const operator = tokens.find((one: { kind: string }) => one.kind === 'operator');
  assert.equal(await statusOf(server.operator, 'DELETE', `/v1/tokens/${operator.id}`), 409);
});

test('no secret appears in a log, an error, the change log, a list or a file', async () => {
  const marker = 'PLANTEDsecretPLANTED';
  const conf = S3.replace('MARKERsecretMARKER', marker);
  const jobs = '/client/v4/zones/z1/logpush/jobs';
  const seen: string[] = [];
  const call = async (method: string, path: string, body?: unknown): Promise<void> => {
    seen.push((await server.call(method, path, body === undefined ? {} : { body })).text);
  };
  const made = await server.call('POST', jobs, { body: { destination_conf: conf } });
  const id = Number(made.body.result.id);
  assert.equal(made.body.result.destination_conf, conf, 'Logpush answers with the whole of it');
  await server.call('PUT', `${jobs}/${id}`, {
    body: { destination_conf: `${conf}&sse=AES256`, enabled: true },
  });
  await call('POST', jobs, { destination_conf: `${conf}&region=twice&nope=1 ` });
  await call('POST', jobs, { destination_conf: `https://user:${marker}@host/x` });
  await call('POST', jobs, { destination_conf: `nope://${marker}` });
  await call('POST', jobs, `{"destination_conf": "${conf}`);
  await call('POST', jobs, { destination_conf: conf, output_options: marker });
  await call('PUT', `${jobs}/${id}`, { destination_conf: marker });
  await call('GET', `/v1/jobs/${id}`);
  await call('GET', '/v1/jobs');
  await call('GET', '/v1/changes?limit=1000');
  await call('GET', '/v1/tokens');
  await call('GET', '/metrics');
  for (const text of [...seen, ...server.logged]) assert.ok(!text.includes(marker), text);
  for (const name of readdirSync(server.directory, { recursive: true }) as string[]) {
    if (statSync(join(server.directory, name)).isDirectory()) continue;
    const bytes = readFileSync(join(server.directory, name));
    for (const secret of [marker, server.operator, writer])
      assert.ok(!bytes.includes(secret), `${name} holds a secret`);
  }
  const changes = (await server.call('GET', '/v1/changes?limit=1000')).text;
  assert.ok(!/"hash"|"mark"/.test(changes));
  assert.ok(changes.includes('***'), 'what is shown stands masked');
});
