/** Settings beside jobs, limits that operators set, and what is not offered. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { S3, startControl, tokenFor, withScopes } from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';
import { describeDestinations } from '../../destinations/index.ts';

let server: TestControl;
let reader: string;
let writer: string;
before(async () => {
  server = await startControl();
  await withScopes(server);
  const scopes = [{ kind: 'account', id: 'a1' }];
  reader = await tokenFor(server, { kind: 'account', permissions: ['logs_read'], scopes });
  writer = await tokenFor(server, { kind: 'account', permissions: ['logs_write'], scopes });
});
after(() => server.close());

test('the retention flag is off, is set by who may write, is kept, and reaches the data plane', async () => {
  const path = '/client/v4/zones/z1/logs/control/retention/flag';
  assert.deepEqual((await server.call('GET', path, { token: reader })).body.result, {
    flag: false,
  });
  const body = { flag: true };
  assert.equal((await server.call('POST', path, { token: reader, body })).status, 403);
  assert.deepEqual((await server.call('POST', path, { token: writer, body })).body.result, body);
  assert.deepEqual((await server.call('GET', path, { token: reader })).body.result, body);
  assert.equal(server.published.at(-1)?.zones.find(({ id }) => id === 'z1')?.retention, true);
  await server.call('PUT', '/v1/zones/z1', { body: { name: 'renamed.example' } });
  assert.deepEqual((await server.call('GET', path, { token: reader })).body.result, body);
  assert.equal((await server.call('POST', path, { body: { flag: 'yes' } })).status, 400);
  const accounts = '/client/v4/accounts/a1/logs/control/retention/flag';
  assert.equal((await server.call('GET', accounts)).body.errors[0].code, 7003);
});

test('the metadata boundary is stored, echoed and taken away', async () => {
  const path = '/client/v4/accounts/a1/logs/control/cmb/config';
  const get = async () => (await server.call('GET', path, { token: reader })).body;
  assert.deepEqual(await get(), { success: true, errors: [], messages: [], result: null });
  const body = { regions: 'eu,us', allow_out_of_region_access: true };
  assert.deepEqual((await server.call('POST', path, { token: writer, body })).body.result, body);
  assert.deepEqual((await get()).result, body);
  assert.equal((await server.call('POST', path, { body: { regions: 'EU' } })).status, 400);
  assert.equal((await server.call('DELETE', path, { token: writer })).body.result, null);
  assert.equal((await get()).result, null);
});

test('Logs Engine and transformers say that they are not offered, to who may know of the scope at all', async () => {
  const paths = [
    ['GET', 'accounts/a1/logpush/transformers'],
    ['POST', 'accounts/a1/logpush/transformers'],
    ['POST', 'zones/z1/logpush/transformers/preview'],
    ['GET', 'accounts/a1/logpush/transformers/1'],
    ['PUT', 'accounts/a1/logpush/transformers/1'],
    ['DELETE', 'accounts/a1/logpush/transformers/1'],
    ['GET', 'accounts/a1/logpush/transformers/1/content'],
    ['GET', 'accounts/a1/logpush/transformers/1/versions'],
    ['GET', 'accounts/a1/logs/list'],
    ['GET', 'accounts/a1/logs/retrieve?start=1&end=2&bucket=b&prefix=p'],
    ['POST', 'accounts/a1/logs/rayids/index'],
    ['GET', 'accounts/a1/logs/rayids/abc?bucket=b'],
  ] as const;
  for (const [method, path] of paths) {
    const answer = await server.call(method, `/client/v4/${path}`, {
      token: writer,
      ...(method === 'GET' || method === 'DELETE' ? {} : { body: { any: 'thing' } }),
    });
    assert.equal(answer.status, 400, path);
    assert.equal(answer.body.errors[0].code, 1002, path);
    assert.match(answer.body.errors[0].message, /not offered here/, path);
    const foreign = path.replace('a1', 'a2').replace('z1', 'z2');
    assert.equal(
      (await server.call(method, `/client/v4/${foreign}`, { token: writer })).status,
      403,
    );
  }
});

test('limits of an account are set by operators, seen by the customer, and in force', async () => {
  const shown = async () =>
    (await server.call('GET', '/v1/accounts/a1', { token: reader })).body.limits;
  assert.deepEqual(await shown(), {
    jobsPerScope: 100,
    destinations: describeDestinations().flatMap(({ schemes }) => schemes),
    weight: 1,
    diskShare: null,
  });
  const limits = { jobsPerScope: 1, weight: 2.5, diskShare: 0.25, destinations: ['s3'] };
  const body = { limits };
  assert.equal(
    (await server.call('PUT', '/v1/accounts/a1', { token: writer, body })).status,
    403,
    'not by the customer',
  );
  assert.equal((await server.call('PUT', '/v1/accounts/a1', { body })).status, 200);
  assert.deepEqual(await shown(), limits);
  const account = server.published.at(-1)?.accounts.find(({ id }) => id === 'a1');
  assert.deepEqual([account?.weight, account?.diskShare], [2.5, 0.25]);
  const make = () =>
    server.call('POST', '/client/v4/zones/z1/logpush/jobs', { body: { destination_conf: S3 } });
  assert.equal((await make()).status, 201);
  const full = await make();
  assert.deepEqual([full.status, full.body.errors[0].code], [403, 1004]);
  await server.call('PUT', '/v1/accounts/a1', { body: { limits: { jobsPerScope: null } } });
  assert.equal((await shown()).jobsPerScope, 100);
  assert.equal((await shown()).weight, 2.5, 'what is not named stays');
  assert.equal((await make()).status, 201);
  for (const wrong of [{ weight: 0 }, { diskShare: 2 }, { destinations: ['ftp'] }, { jobs: 1 }]) {
    const answer = await server.call('PUT', '/v1/accounts/a1', { body: { limits: wrong } });
    assert.equal(answer.status, 400, JSON.stringify(wrong));
  }
});
