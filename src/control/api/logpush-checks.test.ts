/** Logpush's questions about destinations and options: ownership, trials, existence, origin. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { idleDataPlane, S3, startControl, withScopes } from '../../../test/support/control.ts';
import type { Answered, TestControl } from '../../../test/support/control.ts';
import { manualClock } from '../../lib/clock-manual.ts';
import type { DestinationTrial, TrialOutcome } from '../data-plane.ts';

const LOGPUSH = '/client/v4/zones/z1/logpush';
const HTTPS = 'https://logs.example.com/in?header_Authorization=Bearer%20SECRETMARK';

let tried: DestinationTrial[] = [];
let answers: () => Promise<TrialOutcome>;
const clock = manualClock(Date.UTC(2026, 10, 23, 7));
const dataPlane = {
  ...idleDataPlane(),
  tryDestination: (trial: DestinationTrial) => {
    tried.push(trial);
    return answers();
  },
};

let server: TestControl;
before(async () => {
  server = await startControl({ clock, dataPlane, ownershipChallenge: 'all' });
  await withScopes(server);
});
after(() => server.close());
beforeEach(() => {
  tried = [];
  answers = () => Promise.resolve({ kind: 'accepted' });
  clock.advance(60_000);
});

const post = (path: string, body: unknown, scope = LOGPUSH): Promise<Answered> =>
  server.call('POST', `${scope}/${path}`, { body });

async function tokenOf(conf: string, scope = LOGPUSH): Promise<string> {
  const answer = await post('ownership', { destination_conf: conf }, scope);
  assert.equal(answer.status, 200, answer.text);
  const { text } = tried.at(-1)!;
  return text.startsWith('{') ? String(JSON.parse(text).ownership_challenge) : text;
}

function refused(answer: Answered, status: number, code: number, message: RegExp): void {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.body.errors[0].code, code);
  assert.match(answer.body.errors[0].message, message);
  assert.doesNotMatch(answer.text, /SECRETMARK/);
}

test('a challenge is written as a text of its own to an object store, and as a line to a receiver of lines', async () => {
  const answer = await post('ownership', { destination_conf: S3 });
  const { name, gzip, text, account, destinationConf } = tried[0]!;
  assert.deepEqual(answer.body.result, {
    filename: `logs/20261123/${name}`,
    message: '',
    valid: true,
  });
  assert.deepEqual([gzip, account, destinationConf], [false, 'a1', S3]);
  assert.match(text, /^[a-zA-Z0-9.\-_]+$/);
  assert.ok(!answer.text.includes(text), 'the answer does not hold what is to be read there');
  await post('ownership', { destination_conf: HTTPS });
  assert.equal(tried[1]?.gzip, true);
  assert.deepEqual(Object.keys(JSON.parse(tried[1]?.text ?? '')), ['ownership_challenge']);
});

test('a challenge that cannot be written is refused with what the destination said', async () => {
  answers = () => Promise.resolve({ kind: 'failed', reason: 'status 403: access is denied' });
  const answer = await post('ownership', { destination_conf: HTTPS });
  refused(answer, 400, 1002, /error writing object: status 403: access is denied/);
  refused(await post('ownership', { destination_conf: 'ftp://x' }), 400, 1002, /validating/);
});

test('a challenge is valid for its scope and place, also with other credentials, and for seven days', async () => {
  const token = await tokenOf(S3);
  const check = async (conf: string, challenge: string, scope = LOGPUSH): Promise<boolean> => {
    const body = { destination_conf: conf, ownership_challenge: challenge };
    return (await post('ownership/validate', body, scope)).body.result.valid;
  };
  assert.equal(await check(S3, token), true);
  assert.equal(await check(S3.replace('MARKERsecretMARKER', 'rotated'), token), true);
  assert.equal(await check(S3.replace('bucket', 'other-bucket'), token), false);
  assert.equal(await check(S3, token, '/client/v4/zones/z2/logpush'), false);
  assert.equal(await check(S3, token, '/client/v4/accounts/a1/logpush'), false);
  assert.equal(await check(S3, `${token}x`), false);
  assert.equal(await check(S3, ''), false);
  clock.setWall(clock.wallMs() + 7 * 86_400_000);
  assert.equal(await check(S3, token), false);
});

test('where ownership is to be proven, a job needs it for each new place, and not for new credentials', async () => {
  const conf = HTTPS.replace('/in', '/owned');
  const make = (body: object) => post('jobs', { destination_conf: conf, ...body });
  refused(await make({}), 400, 1002, /ownership challenge/);
  refused(
    await make({ ownership_challenge: 'a.b.c' }),
    400,
    1002,
    /^incorrect ownership challenge$/,
  );
  const made = await make({ ownership_challenge: await tokenOf(conf) });
  assert.equal(made.status, 201, made.text);
  assert.equal('ownership_challenge' in made.body.result, false);
  const path = `${LOGPUSH}/jobs/${made.body.result.id}`;
  const put = (body: object) => server.call('PUT', path, { body });
  const rotated = conf.replace('SECRETMARK', 'rotated');
  assert.equal((await put({ destination_conf: rotated, enabled: true })).status, 200);
  const moved = conf.replace('logs.', 'other.');
  refused(await put({ destination_conf: moved }), 400, 1002, /ownership challenge/);
  const proven = { destination_conf: moved, ownership_challenge: await tokenOf(moved) };
  assert.equal((await put(proven)).status, 200);
});

test('switching to the server’s own credentials needs a proof even for the same place', async () => {
  const ambient = await startControl({ dataPlane });
  try {
    await withScopes(ambient);
    await ambient.call('PUT', '/v1/accounts/a1', { body: { ambientCredentials: true } });
    const own = 's3://b-1/x?region=eu-west-1&access-key-id=K&secret-access-key=S';
    const made = await ambient.call('POST', `${LOGPUSH}/jobs`, { body: { destination_conf: own } });
    assert.equal(made.status, 201, made.text);
    const servers = { destination_conf: 's3://b-1/x?region=eu-west-1' };
    const path = `${LOGPUSH}/jobs/${made.body.result.id}`;
    refused(await ambient.call('PUT', path, { body: servers }), 400, 1002, /ownership challenge/);
    refused(await ambient.call('POST', `${LOGPUSH}/jobs`, { body: servers }), 400, 1002, /owner/);
    await ambient.call('POST', `${LOGPUSH}/ownership`, { body: servers });
    const body = { ...servers, ownership_challenge: tried.at(-1)!.text };
    assert.equal((await ambient.call('PUT', path, { body })).status, 200);
  } finally {
    await ambient.close();
  }
});

test('a destination is tried with one line that is marked, and its answer is told', async () => {
  const validate = (conf: string) => post('validate/destination', { destination_conf: conf });
  assert.deepEqual((await validate(HTTPS)).body.result, { valid: true, message: '' });
  assert.deepEqual(
    [tried[0]?.text, tried[0]?.gzip, tried[0]?.account],
    ['{"content":"tests"}\n', true, 'a1'],
  );
  answers = () => Promise.resolve({ kind: 'failed', reason: 'status 401: no' });
  assert.deepEqual((await validate(HTTPS)).body.result, {
    valid: false,
    message: 'error validating destination: status 401: no',
  });
  const wrong = await validate('https://u:SECRETMARK@x/');
  assert.equal(wrong.body.result.valid, false);
  assert.match(wrong.body.result.message, /must not hold a user name/);
  assert.doesNotMatch(wrong.text, /SECRETMARK/);
  assert.equal(tried.length, 2, 'what is wrong by its form is not tried');
});

test('I5: trials are bounded for one account, by the minute and at once, and other accounts go on', async () => {
  const ask = (scope = LOGPUSH) => post('validate/destination', { destination_conf: HTTPS }, scope);
  const held: ((outcome: TrialOutcome) => void)[] = [];
  answers = () => new Promise((resolve) => held.push(resolve));
  const underWay = [ask(), ask(), ask(), ask()];
  while (held.length < 4) await new Promise((resolve) => setImmediate(resolve));
  const fifth = await ask();
  refused(fifth, 429, 1002, /more often than allowed/);
  assert.ok(Number(fifth.headers.get('retry-after')) > 0);
  const other = ask('/client/v4/zones/z2/logpush');
  while (held.length < 5) await new Promise((resolve) => setImmediate(resolve));
  for (const resolve of held) resolve({ kind: 'accepted' });
  for (const answer of await Promise.all([...underWay, other])) assert.equal(answer.status, 200);
  answers = () => Promise.resolve({ kind: 'accepted' });
  const statuses: number[] = [];
  for (let n = 0; n < 30; n++) statuses.push((await ask()).status);
  assert.deepEqual(statuses.slice(25), [200, 429, 429, 429, 429]);
  clock.advance(60_000);
  assert.equal((await ask()).status, 200);
});

test('whether a place is used already is told for the account’s own jobs alone', async () => {
  const conf = HTTPS.replace('/in', '/used');
  const body = { destination_conf: conf, ownership_challenge: await tokenOf(conf) };
  assert.equal((await post('jobs', body)).status, 201);
  const exists = async (scope: string): Promise<boolean> =>
    (
      await post(
        'validate/destination/exists',
        { destination_conf: conf.replace('SECRETMARK', 'other') },
        `/client/v4/${scope}/logpush`,
      )
    ).body.result.exists;
  assert.equal(await exists('zones/z1'), true);
  assert.equal(await exists('accounts/a1'), true);
  assert.equal(await exists('zones/z2'), false);
});

test('logpull_options are judged against the dataset', async () => {
  const origin = async (body: object) => (await post('validate/origin', body)).body.result;
  assert.deepEqual(await origin({ logpull_options: 'fields=RayID&timestamps=rfc3339' }), {
    valid: true,
    message: '',
  });
  const bad = await origin({ logpull_options: 'fields=Nope', dataset: 'dns_logs' });
  assert.equal(bad.valid, false);
  assert.match(bad.message, /dns_logs has no field "Nope"/);
  const unknown = await post('validate/origin', { logpull_options: '', dataset: 'nope' });
  refused(unknown, 404, 1002, /no dataset/);
});

test('an account is held to the destinations that its operator allows', async () => {
  const limits = { destinations: ['s3'] };
  await server.call('PUT', '/v1/accounts/a2', { body: { limits } });
  const scope = '/client/v4/zones/z2/logpush';
  const answer = await post('jobs', { destination_conf: HTTPS }, scope);
  refused(answer, 400, 1002, /may not deliver to https:\/\/; it may to s3/);
  refused(await post('ownership', { destination_conf: HTTPS }, scope), 400, 1002, /may not/);
});
