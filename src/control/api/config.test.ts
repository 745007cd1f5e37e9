/** The history of the configuration by API: what changed, what differs, and the way back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { S3, startControl, tokenFor, withScopes } from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';

const OTHER = S3.replace('bucket', 'other').replace('MARKERsecretMARKER', 'NEWERsecretNEWER');

async function using(work: (server: TestControl) => Promise<void>): Promise<void> {
  const server = await startControl();
  try {
    await withScopes(server);
    await work(server);
  } finally {
    await server.close();
  }
}

const job = async (server: TestControl, body: object, zone = 'z1'): Promise<number> => {
  const made = await server.call('POST', `/client/v4/zones/${zone}/logpush/jobs`, {
    body: { destination_conf: S3, enabled: true, ...body },
  });
  assert.equal(made.status, 201, made.text);
  return Number(made.body.result.id);
};
const change = (server: TestControl, id: number, body: object, headers = {}) =>
  server.call('PUT', `/client/v4/zones/z1/logpush/jobs/${id}`, { body, headers });
const confOf = (server: TestControl, id: number) =>
  server.published.at(-1)!.jobs.find((one) => one.id === id)?.destinationConf;
const versionNow = async (server: TestControl): Promise<number> =>
  (await server.call('GET', '/v1/config')).body.version;
const rollback = (server: TestControl, body: object, headers = {}) =>
  server.call('POST', '/v1/config/rollback', { body, headers });

test('a change is shown with author, reason and every field, and no secret', async () => {
  await using(async (server) => {
    const id = await job(server, { name: 'one' });
    const said = { 'waybill-reason': 'ticket 4711' };
    await change(server, id, { name: 'two', destination_conf: OTHER }, said);
    const version = await versionNow(server);
    const shown = await server.call('GET', `/v1/config/versions/${version}`);
    assert.equal(shown.status, 200, shown.text);
    assert.equal(shown.body.reason, 'ticket 4711');
    assert.equal(shown.body.what, 'job.update');
    const [object] = shown.body.objects;
    const fields = new Map(object.fields.map((one: { path: string }) => [one.path, one]));
    assert.deepEqual(fields.get('name'), { path: 'name', before: 'one', after: 'two' });
    assert.deepEqual(fields.get('secret.version'), { path: 'secret.version', before: 1, after: 2 });
    assert.equal(shown.body.secrets, 1);
    assert.ok(!/secretMARKER|secretNEWER/.test(shown.text), shown.text);
    const { changes } = (await server.call('GET', '/v1/changes?limit=1')).body;
    assert.equal(changes[0].reason, 'ticket 4711');
  });
});

test('the difference of two versions is by object and field, either way round', async () => {
  await using(async (server) => {
    const from = await versionNow(server);
    const id = await job(server, { name: 'one' });
    await change(server, id, { name: 'two' });
    await server.call('PUT', '/v1/accounts/a1', { body: { limits: { weight: 3 } } });
    await server.call('PUT', '/v1/accounts/a9', { body: {} });
    await server.call('DELETE', '/v1/accounts/a9');
    const to = await versionNow(server);
    const diff = (await server.call('GET', `/v1/config/diff?from=${from}&to=${to}`)).body;
    const how = diff.objects.map((one: { kind: string; id: string; how: string }) =>
      [one.kind, one.id, one.how].join(' '),
    );
    assert.deepEqual(how.toSorted(), ['account a1 changed', `job ${id} added`]);
    const account = diff.objects.find((one: { kind: string }) => one.kind === 'account');
    assert.deepEqual(account.fields, [{ path: 'limits.weight', after: 3 }]);
    const back = (await server.call('GET', `/v1/config/diff?from=${to}&to=${from}`)).body;
    assert.ok(back.objects.some((one: { how: string }) => one.how === 'removed'));
    const none = await server.call('GET', `/v1/config/diff?from=${to}&to=${to + 5}`);
    assert.deepEqual([none.status, none.body.error.code], [404, 'history_gone']);
  });
});

test('one change is taken back as a change of its own, and refused when somebody built on it', async () => {
  await using(async (server) => {
    const id = await job(server, { filter: '' });
    await change(server, id, { output_options: { sample_rate: 0.5 } });
    const wrong = await versionNow(server);
    const dry = await rollback(server, { change: wrong, dryRun: true });
    assert.equal(dry.status, 200, dry.text);
    assert.equal(dry.body.dryRun, true);
    assert.equal(dry.body.guard, null);
    assert.equal(await versionNow(server), wrong, 'a dry run changes nothing');
    const back = await rollback(server, { change: wrong });
    assert.equal(back.status, 200, back.text);
    assert.equal(back.body.version, wrong + 1);
    const now = server.published.at(-1)!.jobs[0]!;
    assert.equal(now.outputOptions, null);
    assert.equal(now.contentVersion, 3, 'what plans name is never given to another content');
    const again = await rollback(server, { change: wrong });
    assert.equal(again.body.version, wrong + 1, 'it stands so already');

    await change(server, id, { name: 'first' });
    const first = await versionNow(server);
    await change(server, id, { name: 'second' });
    const refused = await rollback(server, { change: first });
    assert.deepEqual([refused.status, refused.body.error.code], [409, 'rollback_conflict']);
    assert.match(refused.body.error.message, new RegExp(`job ${id} was changed since`));
  });
});

test('no old secret comes back unless it is asked for', async () => {
  await using(async (server) => {
    const id = await job(server, { name: 'one' });
    const good = await versionNow(server);
    await change(server, id, { name: 'two', destination_conf: OTHER });
    const revoked = await tokenFor(server, {
      kind: 'account',
      permissions: ['logs_read'],
      scopes: [{ kind: 'account', id: 'a1' }],
    });
    const withToken = await versionNow(server);
    const { tokens } = (await server.call('GET', '/v1/tokens')).body;
    const token = tokens.find((one: { kind: string }) => one.kind === 'account');
    await server.call('DELETE', `/v1/tokens/${token.id}`);

    const plain = await rollback(server, { version: good });
    assert.equal(plain.status, 200, plain.text);
    assert.equal(confOf(server, id), OTHER);
    assert.equal(server.published.at(-1)!.jobs[0]!.name, 'one');
    assert.match(JSON.stringify(plain.body.left), /destination stays as it is/);

    const asked = await rollback(server, { version: good, withSecrets: true });
    assert.equal(asked.status, 200, asked.text);
    assert.equal(confOf(server, id), S3);
    assert.equal((await server.call('GET', '/v1/accounts/a1', { token: revoked })).status, 401);
    const tokensBack = await rollback(server, { version: withToken, withSecrets: true });
    assert.equal(tokensBack.status, 200, tokensBack.text);
    assert.equal((await server.call('GET', '/v1/accounts/a1', { token: revoked })).status, 200);
    assert.equal(confOf(server, id), OTHER);
  });
});

test('one account goes back and the others stay; what is deleted comes back with its place', async () => {
  await using(async (server) => {
    const mine = await job(server, { name: 'mine' });
    const theirs = await job(server, { name: 'theirs' }, 'z2');
    const good = await versionNow(server);
    const put = (id: number, zone: string, name: string) =>
      server.call('PUT', `/client/v4/zones/${zone}/logpush/jobs/${id}`, { body: { name } });
    await put(mine, 'z1', 'mine-changed');
    await put(theirs, 'z2', 'theirs-changed');
    const later = await job(server, { name: 'made-later' });
    await server.call('DELETE', `/client/v4/zones/z1/logpush/jobs/${mine}`);
    const back = await rollback(server, { version: good, account: 'a1' });
    assert.equal(back.status, 200, back.text);
    const jobs = new Map(server.published.at(-1)!.jobs.map((one) => [one.id, one.name]));
    assert.deepEqual(
      jobs,
      new Map([
        [theirs, 'theirs-changed'],
        [mine, 'mine'],
      ]),
    );
    assert.equal(confOf(server, mine), S3, 'its secret never went');
    assert.ok(!jobs.has(later));
    const { changes } = (await server.call('GET', '/v1/changes?limit=1')).body;
    assert.deepEqual([changes[0].what, changes[0].voice], ['config.rollback', 'document']);
  });
});

test('what would not fit is refused as a whole, and says what', async () => {
  await using(async (server) => {
    await server.call('PUT', '/v1/accounts/fresh', { body: {} });
    const made = await versionNow(server);
    await server.call('PUT', '/v1/zones/fz', { body: { account: 'fresh', name: 'fresh.example' } });
    const refused = await rollback(server, { change: made });
    assert.deepEqual([refused.status, refused.body.error.code], [409, 'rollback_conflict']);
    assert.match(refused.body.error.message, /zone fz belongs to account fresh/);
    for (const body of [{}, { change: 1, version: 1 }, { account: 'a1' }]) {
      assert.equal((await rollback(server, body)).status, 400);
    }
    const account = await tokenFor(server, {
      kind: 'account',
      permissions: ['logs_write'],
      scopes: [{ kind: 'account', id: 'a1' }],
    });
    const others = await server.call('POST', '/v1/config/rollback', { token: account, body: {} });
    assert.equal(others.status, 403);
  });
});

test('the guard judges a roll-back like any document: one that ends everybody is refused', async () => {
  await using(async (server) => {
    const empty = await versionNow(server);
    for (let n = 0; n < 3; n++) {
      await job(server, { name: `a${n}`, dataset: 'http_requests' });
      await job(server, { name: `b${n}`, dataset: 'http_requests' }, 'z2');
    }
    const now = await versionNow(server);
    const dry = await rollback(server, { version: empty, dryRun: true });
    assert.equal(dry.body.guard?.code, 'guard_refused', dry.text);
    const refused = await rollback(server, { version: empty });
    assert.equal(refused.body.error.code, 'guard_refused', refused.text);
    assert.equal(await versionNow(server), now);
    assert.equal(server.published.at(-1)!.jobs.length, 6);
  });
});

test('a roll-back that other changes overtake is worked out anew, and both stand', async () => {
  await using(async (server) => {
    const id = await job(server, { name: 'one' });
    const other = await job(server, { name: 'neighbour' }, 'z2');
    await change(server, id, { name: 'wrong' });
    const wrong = await versionNow(server);
    const meanwhile = [1, 2, 3].map((n) =>
      server.call('PUT', `/client/v4/zones/z2/logpush/jobs/${other}`, { body: { name: `n${n}` } }),
    );
    const back = await rollback(server, { change: wrong });
    assert.equal(back.status, 200, back.text);
    for (const answer of await Promise.all(meanwhile)) assert.equal(answer.status, 200);
    const jobs = new Map(server.published.at(-1)!.jobs.map((one) => [one.id, one]));
    assert.deepEqual([jobs.get(id)!.name, jobs.get(other)!.name], ['one', 'n3']);
  });
});
