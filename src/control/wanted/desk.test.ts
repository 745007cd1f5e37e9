import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { S3, startControl, tokenFor, withScopes } from '../../../test/support/control.ts';
import type { Answered, TestControl } from '../../../test/support/control.ts';
import { readWanted, wantedKey } from '../../model/wanted-set.ts';

let server: TestControl;
let all: string;
let own: string;
before(async () => {
  server = await startControl();
  await withScopes(server);
  all = await tokenFor(server, { kind: 'ingest', name: 'all', scopes: 'all' });
  const scopes = [{ kind: 'account', id: 'a1' }];
  own = await tokenFor(server, { kind: 'ingest', name: 'a1', scopes });
});
after(() => server.close());

const ask = (token: string, wait = 0, tag?: string): Promise<Answered> =>
  server.call('GET', `/v1/wanted?wait=${wait}`, {
    token,
    ...(tag === undefined ? {} : { headers: { 'if-none-match': tag } }),
  });
const makeJob = async (zone: string): Promise<number> => {
  const body = { destination_conf: S3, dataset: 'http_requests', enabled: true };
  const made = await server.call('POST', `/client/v4/zones/${zone}/logpush/jobs`, { body });
  return made.body.result.id as number;
};
const streams = (answer: Answered) =>
  (answer.body.streams as { stream: string }[]).map(({ stream }) => stream);

test('each token gets what it may send to, sealed for it; account tokens get nothing', async () => {
  await makeJob('z1');
  await makeJob('z2');
  assert.deepEqual(streams(await ask(all)), ['zones/z1/http_requests', 'zones/z2/http_requests']);
  const answer = await ask(own);
  assert.deepEqual(streams(answer), ['zones/z1/http_requests']);
  assert.equal(readWanted(answer.text, wantedKey(own)).kind, 'set');
  assert.equal(readWanted(answer.text, wantedKey(all)).kind, 'fault');
  const account = await tokenFor(server, {
    kind: 'account',
    scopes: [{ kind: 'account', id: 'a1' }],
    permissions: ['logs_read'],
  });
  assert.equal((await ask(account)).status, 403);
  assert.equal((await ask('')).status, 401);
});

test('who knows the set waits until what he may see has changed, and is told what was ended on purpose', async () => {
  const job = await makeJob('z1');
  const known = (await ask(all)).headers.get('etag')!;
  assert.equal((await ask(all, 0, known)).status, 304);
  const waiting = ask(all, 30, known);
  await server.call('PUT', '/v1/accounts/a2', { body: { name: 'Another name' } });
  const first = await server.call('GET', '/client/v4/zones/z2/logpush/jobs');
  await server.call('DELETE', `/client/v4/zones/z2/logpush/jobs/${first.body.result[0].id}`);
  const answer = await waiting;
  assert.equal(answer.status, 200);
  assert.deepEqual(streams(answer), ['zones/z1/http_requests']);
  assert.deepEqual(
    (answer.body.ended as { stream: string }[]).map(({ stream }) => stream),
    ['zones/z2/http_requests'],
  );
  // Another job of the stream goes on.
  await server.call('DELETE', `/client/v4/zones/z1/logpush/jobs/${job}`);
  assert.deepEqual(streams(await ask(all)), ['zones/z1/http_requests']);
});
