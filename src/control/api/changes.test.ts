/** The log of changes as customers see it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { S3, startControl, tokenFor, withScopes } from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';

interface Entry {
  readonly version: number;
  readonly what: string;
  readonly who: string;
  readonly address: string | null;
  readonly edits: readonly { kind: string; id: string; before: unknown; after: unknown }[];
}

let server: TestControl;
const tokens: Record<string, string> = {};
before(async () => {
  server = await startControl();
  await withScopes(server);
  await server.call('PUT', '/v1/zones/z3', { body: { account: 'a1', name: 'three.example' } });
  const tokenOf = (...scopes: object[]) =>
    tokenFor(server, { kind: 'account', permissions: ['logs_write'], scopes });
  tokens['a1'] = await tokenOf({ kind: 'account', id: 'a1' });
  tokens['z1'] = await tokenOf({ kind: 'zone', id: 'z1' });
  tokens['both'] = await tokenOf({ kind: 'zone', id: 'z1' }, { kind: 'account', id: 'a2' });
});
after(() => server.close());

async function changesOf(scope: string, token: string, query = ''): Promise<Entry[]> {
  const answer = await server.call('GET', `/v1/${scope}/changes${query}`, { token });
  assert.equal(answer.status, 200, answer.text);
  return answer.body.changes;
}

test('a customer sees who changed what in its own scope, with the scope of its zones', async () => {
  const jobs = '/client/v4/zones/z1/logpush/jobs';
  const made = await server.call('POST', jobs, {
    token: tokens['z1']!,
    body: { destination_conf: S3, name: 'seen' },
  });
  const id = made.body.result.id;
  await server.call('PUT', `${jobs}/${id}`, { body: { enabled: true } });
  for (const [scope, token] of [
    ['zones/z1', 'z1'],
    ['accounts/a1', 'a1'],
  ] as const) {
    const [update, create] = await changesOf(scope, tokens[token]!);
    assert.deepEqual([update?.what, create?.what], ['job.update', 'job.create']);
    assert.notEqual(update?.who, create?.who);
    assert.match(create?.address ?? '', /127\.0\.0\.1/);
    const enabled = (record: unknown): unknown => Reflect.get(record as object, 'enabled');
    assert.equal(enabled(update?.edits[0]?.before), false);
    assert.equal(enabled(update?.edits[0]?.after), true);
  }
  assert.ok(!(await changesOf('zones/z3', tokens['a1']!)).some(({ what }) => what.includes('job')));
});

test('nothing of others is seen: not their entries, nor where else a shared token is bound', async () => {
  for (const scope of ['accounts/a2', 'zones/z2']) {
    assert.equal(
      (await server.call('GET', `/v1/${scope}/changes`, { token: tokens['a1']! })).status,
      403,
    );
  }
  const own = JSON.stringify(await changesOf('accounts/a1', tokens['a1']!));
  assert.ok(own.includes('"z1"') && !own.includes('"a2"') && !own.includes('"z2"'), own);
  const theirs = JSON.stringify(await changesOf('accounts/a2', server.operator));
  assert.ok(theirs.includes('token.create') && !theirs.includes('"z1"'), theirs);
  assert.ok(!/"hash"|"mark"|MARKERsecret/.test(own + theirs));
});

test('pages go back in time', async () => {
  const all = await changesOf('accounts/a1', tokens['a1']!);
  const first = await server.call('GET', '/v1/accounts/a1/changes?limit=2', {
    token: tokens['a1']!,
  });
  const rest = await changesOf('accounts/a1', tokens['a1']!, `?before=${first.body.next}`);
  assert.deepEqual([...first.body.changes, ...rest], all);
});

test('who gets the id of a deleted account does not see what was before', async () => {
  await server.call('PUT', '/v1/accounts/gone', { body: { name: 'Former' } });
  await server.call('DELETE', '/v1/accounts/gone');
  await server.call('PUT', '/v1/accounts/gone', { body: { name: 'Later' } });
  const seen = await changesOf('accounts/gone', server.operator);
  assert.equal(seen.length, 1);
  assert.ok(!JSON.stringify(seen).includes('Former'));
  const all = await server.call('GET', '/v1/changes?limit=1000');
  assert.ok(all.text.includes('Former'), 'the operator’s log forgets nothing');
});

test('of two accounts that are made at once with one id, the second is refused with 409', async () => {
  const make = () => server.call('POST', '/v1/accounts', { body: { id: 'twin', name: 'T' } });
  const statuses = (await Promise.all([make(), make(), make()])).map(({ status }) => status);
  assert.deepEqual(
    statuses.toSorted((a, b) => a - b),
    [201, 409, 409],
  );
  const zone = (name: string) =>
    server.call('POST', '/v1/accounts/twin/zones', { body: { id: 'ztwin', name } });
  const zones = (await Promise.all([zone('one'), zone('two')])).map(({ status }) => status);
  assert.deepEqual(
    zones.toSorted((a, b) => a - b),
    [201, 409],
  );
});
