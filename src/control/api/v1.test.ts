/** Accounts, zones, datasets, tokens, changes and status under `/v1`. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { S3, startControl, tokenFor, withScopes } from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';

let server: TestControl;
before(async () => {
  server = await startControl();
  await withScopes(server);
});
after(() => server.close());

async function refused(
  method: string,
  path: string,
  body: unknown,
  status: number,
  code: string,
): Promise<void> {
  const answer = await server.call(method, path, body === undefined ? {} : { body });
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.body.error.code, code, answer.text);
}

test('accounts are made, changed, listed and deleted once nothing is in them', async () => {
  const made = await server.call('POST', '/v1/accounts', { body: { name: 'No id' } });
  assert.equal(made.status, 201);
  assert.match(made.body.id, /^[0-9a-f]{32}$/);
  await refused('POST', '/v1/accounts', { id: made.body.id }, 409, 'already_exists');
  const path = `/v1/accounts/${made.body.id}`;
  assert.equal(
    (await server.call('PUT', path, { body: { ambientCredentials: true } })).body
      .ambientCredentials,
    true,
  );
  assert.equal((await server.call('GET', path)).body.name, 'No id');
  const account = server.published.at(-1)?.accounts.find(({ id }) => id === made.body.id);
  assert.deepEqual(account, { id: made.body.id, name: 'No id', ambientCredentials: true });
  assert.equal((await server.call('DELETE', path)).status, 200);
  await refused('GET', path, undefined, 404, 'scope_unknown');
  await refused('DELETE', '/v1/accounts/a1', undefined, 409, 'in_use');
  await refused('PUT', '/v1/accounts/not%20an%20id', {}, 400, 'body_invalid');
});

test('zones belong to an account for good, have names of their own, and go when they have no jobs', async () => {
  const made = await server.call('POST', '/v1/accounts/a1/zones', {
    body: { id: 'z9', name: 'nine.example' },
  });
  assert.equal(made.status, 201);
  assert.equal(made.body.account, 'a1');
  await refused('PUT', '/v1/zones/z9', { account: 'a2' }, 400, 'body_invalid');
  await refused('PUT', '/v1/zones/z9', { name: 'site1.example' }, 409, 'already_exists');
  await refused('PUT', '/v1/zones/z10', { name: 'ten.example' }, 400, 'body_invalid');
  await refused('PUT', '/v1/zones/z10', { account: 'nobody', name: 'x' }, 404, 'scope_unknown');
  assert.equal(
    (await server.call('PUT', '/v1/zones/z9', { body: { name: 'neun.example' } })).body.name,
    'neun.example',
  );
  const zones = (await server.call('GET', '/v1/accounts/a1/zones')).body.zones.map(
    (zone: { id: string }) => zone.id,
  );
  assert.deepEqual(zones, ['z1', 'z9']);
  const jobs = '/client/v4/zones/z9/logpush/jobs';
  const job = await server.call('POST', jobs, { body: { destination_conf: S3 } });
  await refused('DELETE', '/v1/zones/z9', undefined, 409, 'in_use');
  await server.call('DELETE', `${jobs}/${job.body.result.id}`);
  assert.equal((await server.call('DELETE', '/v1/zones/z9')).status, 200);
  assert.equal(
    server.published.at(-1)?.zones.some(({ id }) => id === 'z9'),
    false,
  );
});

test('a token does not outlive the scope that it is for, and opens no later one of the same id', async () => {
  await server.call('PUT', '/v1/accounts/brief', { body: {} });
  const only = { kind: 'account', id: 'brief' };
  const body = { kind: 'account', permissions: ['logs_read'] };
  const bound = await tokenFor(server, { ...body, scopes: [only] });
  const wider = await tokenFor(server, { ...body, scopes: [only, { kind: 'zone', id: 'z1' }] });
  const statusOf = async (token: string, path: string): Promise<number> =>
    (await server.call('GET', path, { token })).status;
  assert.equal(await statusOf(bound, '/v1/accounts/brief'), 200);
  await server.call('DELETE', '/v1/accounts/brief');
  await server.call('PUT', '/v1/accounts/brief', { body: {} });
  assert.equal(await statusOf(bound, '/v1/accounts/brief'), 401);
  assert.equal(await statusOf(wider, '/v1/accounts/brief'), 403);
  assert.equal(await statusOf(wider, '/v1/zones/z1'), 200);
});

test('lists come in pages', async () => {
  for (let n = 0; n < 5; n++) await server.call('PUT', `/v1/accounts/page${n}`, { body: {} });
  const ids: string[] = [];
  let after: string | null = 'page';
  let pages = 0;
  while (after !== null) {
    const { body } = await server.call('GET', `/v1/accounts?limit=2&after=${after}`);
    ids.push(...body.accounts.map((account: { id: string }) => account.id));
    after = body.next;
    pages++;
  }
  assert.deepEqual([ids, pages], [['page0', 'page1', 'page2', 'page3', 'page4'], 3]);
  await refused('GET', '/v1/accounts?limit=0', undefined, 400, 'query_invalid');
  await refused('GET', '/v1/accounts?limti=2', undefined, 400, 'query_invalid');
  await refused('GET', '/v1/accounts?limit=1&limit=2', undefined, 400, 'query_invalid');
});

test('operators define datasets, which jobs can then deliver', async () => {
  const path = '/v1/datasets/orders';
  await refused('PUT', path, { fields: [] }, 400, 'body_invalid');
  const body = {
    scope: 'account',
    strict: true,
    fields: [{ name: 'Total', type: 'int', description: 'Sum.' }],
  };
  assert.equal((await server.call('PUT', path, { body })).status, 200);
  const shown = (await server.call('GET', path)).body;
  assert.deepEqual(
    [shown.open, shown.builtIn, shown.strict, shown.fields],
    [false, false, true, body.fields],
  );
  const published = server.published.at(-1)?.datasets.find(({ id }) => id === 'orders');
  assert.deepEqual(published, {
    id: 'orders',
    scope: 'account',
    strict: true,
    fields: body.fields,
  });
  const job = await server.call('POST', '/client/v4/accounts/a1/logpush/jobs', {
    body: { destination_conf: S3, dataset: 'orders', output_options: { field_names: ['Total'] } },
  });
  assert.equal(job.status, 201, job.text);
  await refused('PUT', path, { fields: [{ name: 'Sum', type: 'int' }] }, 409, 'in_use');
  await refused('DELETE', path, undefined, 409, 'in_use');
  assert.equal((await server.call('PUT', path, { body: { fields: [] } })).body.open, true);
  await server.call('DELETE', `/client/v4/accounts/a1/logpush/jobs/${job.body.result.id}`);
  assert.equal((await server.call('DELETE', path)).status, 200);
  await refused('GET', path, undefined, 404, 'dataset_unknown');
});

test("an operator's definition stands in front of a built-in dataset until it is deleted", async () => {
  const path = '/v1/datasets/dns_logs';
  await refused('DELETE', path, undefined, 409, 'in_use');
  await server.call('PUT', path, { body: { fields: [{ name: 'Mine', type: 'any' }] } });
  assert.equal((await server.call('GET', path)).body.fields.length, 1);
  assert.equal((await server.call('DELETE', path)).status, 200);
  assert.equal((await server.call('GET', path)).body.fields.length, 9);
  await refused('GET', '/v1/datasets/firewall_events', undefined, 400, 'query_invalid');
  assert.equal(
    (await server.call('GET', '/v1/datasets/firewall_events?scope=account')).status,
    200,
  );
  await refused(
    'PUT',
    path,
    {
      fields: [
        { name: 'A', type: 'int' },
        { name: 'A', type: 'int' },
      ],
    },
    400,
    'body_invalid',
  );
});

test('a token is shown once, and each kind takes only what it is for', async () => {
  const made = await server.call('POST', '/v1/tokens', {
    body: { kind: 'ingest', name: 'edge', scopes: [{ kind: 'zone', id: 'z1' }] },
  });
  assert.match(made.body.token, /^wb_in_[A-Za-z0-9_-]{43}$/);
  const list = await server.call('GET', '/v1/tokens');
  assert.ok(!list.text.includes(made.body.token) && list.text.includes(made.body.id));
  const published = server.published.at(-1)!.tokens;
  assert.deepEqual(
    published.map(({ id, scopes }) => ({ id, scopes })),
    [{ id: made.body.id, scopes: [{ kind: 'zone', id: 'z1' }] }],
  );
  await server.call('DELETE', `/v1/tokens/${made.body.id}`);
  assert.deepEqual(server.published.at(-1)!.tokens, []);
  const bad = [
    { kind: 'ingest' },
    { kind: 'account', scopes: [{ kind: 'zone', id: 'z1' }] },
    { kind: 'account', permissions: ['logs_read'], scopes: 'all' },
    { kind: 'operator', scopes: 'all' },
    { kind: 'ingest', permissions: ['logs_read'], scopes: 'all' },
    { kind: 'root' },
  ];
  for (const body of bad) await refused('POST', '/v1/tokens', body, 400, 'body_invalid');
  await refused(
    'POST',
    '/v1/tokens',
    { kind: 'ingest', scopes: [{ kind: 'zone', id: 'no' }] },
    404,
    'scope_unknown',
  );
});

test('the change log says who did what, from where, before and after', async () => {
  await server.call('PUT', '/v1/accounts/audited', { body: { name: 'one' } });
  await server.call('PUT', '/v1/accounts/audited', { body: { name: 'two' } });
  const [newest] = (await server.call('GET', '/v1/changes?limit=1')).body.changes;
  assert.equal(newest.what, 'account.update');
  assert.equal(newest.address, '127.0.0.1');
  assert.match(newest.who, /^[0-9a-f]{16}$/);
  assert.deepEqual([newest.edits[0].before.name, newest.edits[0].after.name], ['one', 'two']);
  const before = (await server.call('GET', `/v1/changes?limit=1&before=${newest.version}`)).body;
  assert.equal(before.changes[0].what, 'account.create');
  assert.equal(before.next, newest.version - 1);
});

test('a job is switched off and on, and shows no secret here', async () => {
  const made = await server.call('POST', '/client/v4/zones/z1/logpush/jobs', {
    body: { destination_conf: S3 },
  });
  const path = `/v1/jobs/${made.body.result.id}`;
  assert.equal((await server.call('POST', `${path}/resume`)).body.enabled, true);
  assert.equal((await server.call('POST', `${path}/pause`)).body.enabled, false);
  const shown = (await server.call('GET', path)).body;
  assert.equal(shown.status.activity, 'idle');
  assert.equal(shown.stream, 'zones/z1/http_requests');
  assert.ok(!JSON.stringify(shown).includes('MARKER'));
});

test('a job’s test line goes where the job delivers, and what became of it is told', async () => {
  const made = await server.call('POST', '/client/v4/zones/z1/logpush/jobs', {
    body: { destination_conf: S3 },
  });
  const path = `/v1/jobs/${made.body.result.id}/test`;
  const tested = await server.call('POST', path);
  assert.equal(tested.status, 200, tested.text);
  assert.equal(typeof tested.body.accepted, 'boolean');
  assert.ok(!tested.text.includes('MARKER'));
  await refused('POST', '/v1/jobs/99999/test', undefined, 404, 'not_found');
});

test('a path that is there answers another method with 405 and what it takes', async () => {
  const answer = await server.call('DELETE', '/v1/accounts');
  assert.equal(answer.status, 405);
  assert.equal(answer.headers.get('allow'), 'GET, POST');
  await refused('GET', '/v1/nothing', undefined, 404, 'route_unknown');
  await refused('GET', '/', undefined, 404, 'route_unknown');
});

test('a body over the bound is 413, and one that is no JSON is 400', async () => {
  await refused(
    'PUT',
    '/v1/accounts/a1',
    JSON.stringify({ name: 'x'.repeat(2 ** 20) }),
    413,
    'body_too_large',
  );
  await refused('PUT', '/v1/accounts/a1', '{"name":', 400, 'body_invalid');
});

test('status and destinations describe the server', async () => {
  const status = (await server.call('GET', '/v1/status')).body;
  assert.equal(status.ready, true);
  assert.equal(status.configuration.version, server.published.at(-1)?.version);
  const { destinations } = (await server.call('GET', '/v1/destinations')).body;
  assert.ok(destinations.some(({ schemes }: { schemes: string[] }) => schemes.includes('s3')));
});

test('books and usage are asked for the account with its zones', async () => {
  const token = await tokenFor(server, {
    kind: 'account',
    permissions: ['logs_read'],
    scopes: [{ kind: 'account', id: 'a1' }],
  });
  for (const path of [
    '/v1/accounts/a1/ledger?hours=48',
    '/v1/zones/z1/ledger',
    '/v1/accounts/a1/usage?days=7',
    '/v1/zones/z1/kept-lines?limit=5&after=3',
  ]) {
    assert.equal((await server.call('GET', path, { token })).status, 200, path);
  }
  await refused('GET', '/v1/accounts/a1/ledger?hours=0', undefined, 400, 'query_invalid');
  await refused('GET', '/v1/accounts/a1/ledger?hours=99999999', undefined, 400, 'query_invalid');
});
