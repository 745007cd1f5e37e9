/** Plan, apply and the guard over HTTP: who is refused what, and how an operator insists. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startControl, tokenFor } from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import { documentChecksum } from '../../model/config-document.ts';

let server: TestControl;
before(async () => void (server = await startControl()));
after(() => server.close());

const destination = 'https://receiver.example/in';

function documentOf(accounts: number, jobs: number, more: object = {}): object {
  return {
    waybill: 1,
    ...more,
    accounts: Array.from({ length: accounts }, (_, index) => ({
      id: `acc${index}`,
      zones: Array.from({ length: jobs }, (_unused, zone) => ({
        id: `z${index}-${zone}`,
        jobs: [{ name: 'requests', destination }],
      })),
    })),
    expect: { accounts, jobs: accounts * jobs },
  };
}

const send = (path: string, document: object, more: object = {}, headers = {}) =>
  server.call('POST', path, {
    body: { document, checksum: documentChecksum(document), ...more },
    headers,
  });
const version = async (): Promise<number> => (await server.call('GET', '/v1/config')).body.version;

test('a document is planned without a change, applied in one, and a second time changes nothing', async () => {
  const document = documentOf(2, 2);
  const base = await version();
  const plan = await send('/v1/plan', document);
  assert.deepEqual(plan.body.counts, { create: 10, update: 0, delete: 0, unchanged: 0 });
  assert.equal(plan.body.guard, null);
  assert.equal(await version(), base);
  const made = await send('/v1/apply', document, { planned: plan.body.planned });
  assert.equal(made.status, 200, made.text);
  assert.equal(await version(), base + 1);
  const again = await send('/v1/apply', document);
  assert.deepEqual(again.body.counts, { create: 0, update: 0, delete: 0, unchanged: 10 });
  assert.equal(await version(), base + 1);
});

test('I4: blank, half-read and damaged documents are refused always, and there is no insisting', async () => {
  const base = await version();
  const blank = { waybill: 1, complete: true, accounts: [], expect: { accounts: 0, jobs: 0 } };
  const half = { ...documentOf(2, 2), accounts: [{ id: 'acc0' }] };
  for (const document of [blank, half]) {
    const answer = await send(
      '/v1/apply',
      document,
      {},
      { 'waybill-insist': 'aa', 'waybill-reason': 'x' },
    );
    assert.equal(answer.status, 422);
    assert.equal(answer.body.error.code, 'document_refused');
  }
  const whole = documentOf(2, 2);
  const damaged = await server.call('POST', '/v1/apply', {
    body: { document: documentOf(1, 1), checksum: documentChecksum(whole) },
  });
  assert.equal(damaged.body.error.code, 'document_refused');
  assert.equal(await version(), base);
});

test('I4: a shrunken document is refused with its blast radius; an operator insists once, with a reason, on what he has seen', async () => {
  const less = documentOf(1, 2, { complete: true });
  const refused = await send('/v1/apply', less);
  assert.equal(refused.status, 422);
  const { guard } = refused.body.error;
  assert.equal(guard.streamsEnded, 2);
  assert.equal(guard.streams, 4);
  assert.equal(guard.streamsUnknown, 2);
  const insist = { 'waybill-insist': guard.token };
  const unexplained = await send('/v1/apply', less, {}, insist);
  assert.equal(unexplained.body.error.code, 'body_invalid');
  const reasoned = { ...insist, 'waybill-reason': encodeURIComponent('verträglich') };
  // Looking again uses the token up for nobody.
  await send('/v1/plan', less, {}, reasoned);
  const other = await send('/v1/apply', documentOf(1, 1, { complete: true }), {}, reasoned);
  assert.equal(other.body.error.code, 'guard_refused');
  const spent = await send('/v1/apply', less, {}, reasoned);
  assert.equal(spent.body.error.code, 'guard_refused', 'a token that was shown is used up');
  const fresh = {
    'waybill-insist': spent.body.error.guard.token,
    'waybill-reason': reasoned['waybill-reason'],
  };
  await server.call('PUT', '/v1/accounts/elsewhere', { body: {} });
  const older = await send('/v1/apply', less, {}, fresh);
  assert.match(older.body.error.message, /has changed since the token/);
  await server.call('DELETE', '/v1/accounts/elsewhere');
  const now = (await send('/v1/apply', less)).body.error.guard.token;
  const made = await send('/v1/apply', less, {}, { ...fresh, 'waybill-insist': now });
  assert.equal(made.status, 200, made.text);
  const { changes } = (await server.call('GET', '/v1/changes?limit=1')).body;
  assert.equal(changes[0].reason, 'verträglich');
  assert.equal(changes[0].voice, 'document');
});

test('I9: while a document is planned and applied, others are answered: the work is done in turns', async () => {
  // A clock by which every look takes longer than a turn: however fast the machine, each job is a turn of its own.
  let atMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => (atMs += 10) };
  const other = await startControl({ clock });
  try {
    const document = documentOf(3, 20);
    for (const path of ['/v1/plan', '/v1/apply']) {
      let [isAnswered, answered] = [false, 0];
      const sent = other
        .call('POST', path, { body: { document, checksum: documentChecksum(document) } })
        .finally(() => (isAnswered = true));
      for (; !isAnswered; answered += 1)
        assert.equal((await other.call('GET', '/v1/jobs?limit=1')).status, 200);
      assert.equal((await sent).body.counts.create, 123);
      assert.ok(answered > 5, `${answered} others were answered while ${path} was at work`);
    }
  } finally {
    await other.close();
  }
});

test('a staged apply makes a tenth, waits for the same document, and can be dropped', async () => {
  const document = documentOf(5, 4);
  const first = await send('/v1/apply', document, { stage: 'first' });
  assert.equal(first.body.stage.jobsDone, 2);
  assert.equal(first.body.stage.jobsLeft, 16);
  assert.equal((await send('/v1/apply', document)).body.error.code, 'conflict');
  assert.equal((await send('/v1/apply', documentOf(5, 3), { stage: 'rest' })).status, 409);
  assert.equal((await server.call('DELETE', '/v1/apply')).body.stage.jobsLeft, 16);
  assert.equal((await server.call('GET', '/v1/apply')).body.stage, null);
  assert.equal((await send('/v1/apply', document, { stage: 'first' })).body.stage.jobsDone, 2);
  const rest = await send('/v1/apply', document, { stage: 'rest' });
  assert.equal(rest.body.counts.create, 14);
  assert.equal(rest.body.stage, null);
});

test('a staged apply outlives a restart, knows its document by a keyed hash alone, and ends with a roll-back past it', async () => {
  const first = await startControl();
  const document = documentOf(5, 4);
  const body = (what: object, more: object = {}) => ({
    body: { document: what, checksum: documentChecksum(what), ...more },
    token: first.operator,
  });
  const begun = await first.call('POST', '/v1/apply', body(document, { stage: 'first' }));
  assert.equal(begun.body.stage.jobsLeft, 18);
  await first.control.close();
  const { directory } = first;
  const keys = { kind: 'file', path: join(directory, 'secrets.key') } as const;
  const second = await startControl({ directory, keys });
  try {
    const open = await second.call('GET', '/v1/apply', { token: first.operator });
    assert.deepEqual(open.body.stage, begun.body.stage);
    const kept = readFileSync(join(directory, 'control.db'));
    assert.equal(kept.includes('jobsLeft'), true);
    assert.equal(kept.includes(documentChecksum(document)), false);
    const other = await second.call('POST', '/v1/apply', body(documentOf(5, 3), { stage: 'rest' }));
    assert.equal(other.status, 409);
    const whole = await second.call('POST', '/v1/apply', body(document));
    assert.equal(whole.status, 409);
    const rest = await second.call('POST', '/v1/apply', body(document, { stage: 'rest' }));
    assert.equal(rest.body.counts.create, 18);
    assert.equal(rest.body.stage, null);

    const before = rest.body.version as number;
    const more = documentOf(5, 6);
    await second.call('POST', '/v1/apply', body(more, { stage: 'first' }));
    const back = await second.call('POST', '/v1/config/rollback', {
      body: { version: before },
      token: first.operator,
    });
    assert.equal(back.status, 200, back.text);
    const after = await second.call('GET', '/v1/apply', { token: first.operator });
    assert.equal(after.body.stage, null, 'what it had begun is no more');
  } finally {
    await second.close();
  }
});

test('a script with an operator token is refused in the form of the path; the customer deletes all of his own', async () => {
  const own = await tokenFor(server, {
    kind: 'account',
    permissions: ['logs_write'],
    scopes: [{ kind: 'account', id: 'acc4' }],
  });
  const jobs = (await server.call('GET', '/v1/jobs?limit=1000')).body.jobs as {
    readonly id: number;
    readonly account: string;
    readonly scope: { readonly id: string };
  }[];
  let refusal;
  for (const { id, account, scope } of jobs.filter((job) => job.account !== 'acc4')) {
    assert.notEqual(account, 'acc4');
    const answer = await server.call('DELETE', `/client/v4/zones/${scope.id}/logpush/jobs/${id}`);
    if (answer.status === 200) continue;
    refusal = answer;
    break;
  }
  assert.equal(refusal?.status, 422);
  assert.equal(refusal?.body.success, false);
  assert.equal(refusal?.body.errors[0].code, 1022);
  assert.equal(refusal?.body.errors[0].guard.hour.streams, 11);
  for (const { id, scope } of jobs.filter((job) => job.account === 'acc4')) {
    const path = `/client/v4/zones/${scope.id}/logpush/jobs/${id}`;
    assert.equal((await server.call('DELETE', path, { token: own })).status, 200);
  }
});
