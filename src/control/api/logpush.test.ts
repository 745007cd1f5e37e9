/** Logpush's API: envelope, field rules, what is refused and how. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { S3, startControl, tokenFor, withScopes } from '../../../test/support/control.ts';
import type { Answered, TestControl } from '../../../test/support/control.ts';

let server: TestControl;
const JOBS = '/client/v4/zones/z1/logpush/jobs';

before(async () => {
  server = await startControl();
  await withScopes(server);
});
after(() => server.close());

const create = (
  body: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Answered> =>
  server.call('POST', JOBS, { body: { destination_conf: S3, ...body }, headers });

async function newJob(body: Record<string, unknown> = {}): Promise<number> {
  const made = await create(body);
  assert.equal(made.status, 201, made.text);
  return Number(made.body.result.id);
}

const put = (id: number, body: unknown): Promise<Answered> =>
  server.call('PUT', `${JOBS}/${id}`, { body });

function refusedWith(answer: Answered, status: number, code: number, pattern: RegExp): void {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.body.success, false);
  assert.equal(answer.body.result, null);
  assert.equal(answer.body.errors[0].code, code, answer.text);
  assert.match(answer.body.errors[0].message, pattern);
}

test('a new job has every field with its default, is disabled, and stands in the envelope', async () => {
  const { status, body } = await create();
  assert.equal(status, 201);
  assert.deepEqual([body.success, body.errors, body.messages], [true, [], []]);
  const { id, ...rest } = body.result;
  assert.ok(id >= 1);
  assert.deepEqual(rest, {
    dataset: 'http_requests',
    name: '',
    kind: '',
    enabled: false,
    destination_conf: S3,
    filter: '',
    output_options: null,
    logpull_options: '',
    frequency: 'high',
    max_upload_bytes: 0,
    max_upload_records: 0,
    max_upload_interval_seconds: 0,
    filter_attack_traffic: false,
    last_complete: null,
    last_error: null,
    error_message: null,
  });
});

test('what GET answers can be PUT back whole, and changes nothing', async () => {
  const id = await newJob({
    enabled: true,
    name: 'a.b-c',
    output_options: { sample_rate: 0.5 },
    kind: '',
  });
  const got = await server.call('GET', `${JOBS}/${id}`);
  const versions = server.published.length;
  const back = await put(id, got.body.result);
  assert.deepEqual(back.body, got.body);
  assert.equal(server.published.length, versions, 'no new version');
});

test('a PUT changes what it names and leaves the rest; null brings the default back', async () => {
  const filter = '{"where":{"key":"ClientIP","operator":"eq","value":"192.0.2.1"}}';
  const id = await newJob({
    name: 'n',
    filter,
    max_upload_bytes: 5_000_000,
    output_options: { field_names: ['RayID'] },
  });
  const first = (await put(id, { enabled: true, max_upload_bytes: null })).body.result;
  assert.deepEqual(
    [first.enabled, first.name, first.filter, first.max_upload_bytes, first.output_options],
    [true, 'n', filter, 0, { field_names: ['RayID'] }],
  );
  const second = (
    await put(id, { name: null, filter: null, output_options: null, frequency: 'low' })
  ).body.result;
  assert.deepEqual(
    [second.name, second.filter, second.output_options, second.frequency],
    ['', '', null, 'low'],
  );
  assert.equal((await put(id, {})).status, 200);
});

test('fields that only the server sets are taken and ignored', async () => {
  const id = await newJob({ id: 999, last_complete: '2020-01-01T00:00:00Z' });
  const answer = await put(id, { id: 1, last_complete: null, last_error: 'x', error_message: 'y' });
  assert.equal(answer.status, 200);
  assert.equal(answer.body.result.id, id);
  assert.equal(answer.body.result.error_message, null);
});

test('each bad field is refused with 400, code 1002, its name, and without what was sent', async () => {
  const cases: readonly [Record<string, unknown>, RegExp][] = [
    [{ destination_conf: undefined }, /destination_conf/],
    [{ destination_conf: null }, /destination_conf/],
    [{ destination_conf: 'ftp://MARKER' }, /error validating destination/],
    [{ destination_conf: `s3://b/${'x'.repeat(5_000)}` }, /destination_conf/],
    [{ name: 'with space' }, /name/],
    [{ name: 'x'.repeat(513) }, /name/],
    [{ name: 7 }, /name/],
    [{ enabled: 'yes' }, /enabled/],
    [{ dataset: 'no_such' }, /no dataset no_such for zones/],
    [{ dataset: 'audit_logs' }, /one of accounts/],
    [{ dataset: '../x' }, /dataset/],
    [{ filter: '{"where":{"key":"Nope","operator":"eq","value":1}}' }, /`filter\.where/],
    [{ filter: 'not json' }, /filter/],
    [{ filter: {} }, /filter/],
    [{ output_options: { field_names: ['Nope'] } }, /`output_options\.field_names\[0\]`/],
    [{ output_options: { sample_rate: 0 } }, /sample_rate/],
    [{ output_options: [] }, /output_options/],
    [{ logpull_options: 'fields=Nope' }, /logpull_options/],
    [{ max_upload_bytes: 4_999_999 }, /max_upload_bytes.*5000000/],
    [{ max_upload_records: 1.5 }, /max_upload_records/],
    [{ max_upload_interval_seconds: 301 }, /max_upload_interval_seconds/],
    [{ frequency: 'often' }, /frequency/],
    [{ enable: true }, /`enable` is not known/],
    [{ kind: 'edge' }, /Edge Log Delivery is not offered/],
    [{ kind: 'instant-logs' }, /kind/],
    [{ filter_attack_traffic: true }, /filter_attack_traffic/],
    [{ output_options: { merge_subrequests: true } }, /merged/],
    [{ subrequest_merging: true }, /merged/],
    [{ transformer_id: 3 }, /transformer/],
  ];
  const before = (await server.call('GET', JOBS)).body.result.length;
  for (const [body, pattern] of cases) {
    const answer = await create(body);
    refusedWith(answer, 400, 1002, pattern);
    assert.doesNotMatch(answer.text, /MARKER/);
  }
  for (const body of [
    '{',
    '',
    '[]',
    '3',
    'null',
    '"x"',
    Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1'),
  ]) {
    refusedWith(await server.call('POST', JOBS, { body }), 400, 1002, /./);
  }
  assert.equal((await server.call('GET', JOBS)).body.result.length, before);
});

test('values of "nothing" that clients send for features not offered are taken', async () => {
  await newJob({
    kind: null,
    filter_attack_traffic: false,
    ownership_challenge: 'a.b-c_d',
    output_options: { merge_subrequests: false, field_names: null },
  });
});

test('dataset and kind of a job cannot be changed', async () => {
  const id = await newJob();
  refusedWith(await put(id, { dataset: 'dns_logs' }), 400, 1002, /dataset/);
  refusedWith(await put(id, { kind: 'edge' }), 400, 1002, /kind/);
  assert.equal((await put(id, { dataset: 'http_requests', kind: '' })).status, 200);
});

test('a PUT that does not touch the destination is not failed by it; the mask of a secret is not taken for one', async () => {
  const id = await newJob();
  const { body } = await server.call('GET', `/v1/jobs/${id}`);
  refusedWith(await put(id, { destination_conf: body.destination }), 400, 1002, /\*\*\*/);
  refusedWith(await put(id, { destination_conf: '' }), 400, 1002, /destination_conf/);
  assert.equal((await put(id, { destination_conf: S3, enabled: true })).status, 200);
  const moved = S3.replace('MARKERsecretMARKER', 'rotated');
  assert.equal((await put(id, { destination_conf: moved })).body.result.destination_conf, moved);
  assert.equal(server.published.at(-1)?.jobs.find((job) => job.id === id)?.destinationConf, moved);
});

test('a change is in force with its answer, and only what shapes content bumps the content version', async () => {
  const id = await newJob();
  const config = () => server.published.at(-1)!.jobs.find((job) => job.id === id)!;
  assert.deepEqual(
    [config().contentVersion, config().enabled, config().stream],
    [1, false, 'zones/z1/http_requests'],
  );
  await put(id, { enabled: true, max_upload_records: 2_000 });
  assert.deepEqual(
    [config().contentVersion, config().enabled, config().maxUploadRecords],
    [1, true, 2_000],
  );
  await put(id, { output_options: { field_names: ['RayID'] } });
  assert.equal(config().contentVersion, 2);
  await put(id, { filter: '{"where":{"key":"RayID","operator":"eq","value":"x"}}' });
  assert.equal(config().contentVersion, 3);
  assert.deepEqual(config().outputOptions, { field_names: ['RayID'] });
  assert.equal(config().version, server.published.at(-1)!.version);
  await put(id, {
    output_options: null,
    logpull_options: 'fields=RayID,ClientIP&timestamps=rfc3339&sample=0.5',
  });
  assert.deepEqual(config().outputOptions, {
    field_names: ['RayID', 'ClientIP'],
    timestamp_format: 'rfc3339',
    sample_rate: 0.5,
  });
  await server.call('DELETE', `${JOBS}/${id}`);
  assert.equal(
    server.published.at(-1)!.jobs.find((job) => job.id === id),
    undefined,
  );
});

test('I7: what a job delivered before a change stays known, sixteen contents back', async () => {
  const id = await newJob({ logpull_options: 'fields=RayID' });
  const config = () => server.published.at(-1)!.jobs.find((job) => job.id === id)!;
  assert.deepEqual(config().olderContents, []);
  const filter = '{"where":{"key":"RayID","operator":"eq","value":"x"}}';
  await put(id, { filter });
  await put(id, { enabled: true, name: 'unrelated' });
  await put(id, { output_options: { sample_rate: 0.5 } });
  assert.deepEqual(config().olderContents, [
    { contentVersion: 2, filter, outputOptions: { field_names: ['RayID'] } },
    { contentVersion: 1, filter: '', outputOptions: { field_names: ['RayID'] } },
  ]);
  for (let n = 1; n <= 20; n++) await put(id, { output_options: { sample_rate: n / 100 } });
  assert.equal(config().contentVersion, 23);
  assert.deepEqual(
    config().olderContents?.map(({ contentVersion }) => contentVersion),
    Array.from({ length: 16 }, (_, index) => 22 - index),
  );
  const changes = (await server.call('GET', '/v1/changes?limit=1')).body.changes;
  assert.equal('olderContents' in changes[0].edits[0].after, false, 'the log shows it once');
});

test('everything that is no route answers 404 with code 7003', async () => {
  for (const path of [
    '/client/v4',
    '/client/v4/zones/z1/logpush',
    `${JOBS}/1/2`,
    '/client/v4/zones/z1/logpush/jobs/%zz',
  ]) {
    refusedWith(await server.call('GET', path), 404, 7003, /No route for the URI/);
  }
  refusedWith(await server.call('DELETE', JOBS), 404, 7003, /No route for the URI/);
  refusedWith(
    await server.call('GET', '/client/v4/zones/none/logpush/jobs'),
    404,
    7003,
    /no account or zone/,
  );
});

test('a job that is not there is 404 with code 1000, whatever stands for its id', async () => {
  for (const id of ['123456', '0', '-1', '1.5', 'x', '99999999999999999999', '1e3', '%20']) {
    refusedWith(await server.call('GET', `${JOBS}/${id}`), 404, 1000, /job not found/);
    refusedWith(await server.call('DELETE', `${JOBS}/${id}`), 404, 1000, /job not found/);
    refusedWith(
      await server.call('PUT', `${JOBS}/${id}`, { body: {} }),
      404,
      1000,
      /job not found/,
    );
  }
});

test('a job is seen under its own scope only, and deleting it says which it was', async () => {
  const id = await newJob();
  for (const scope of ['zones/z2', 'accounts/a1']) {
    const path = `/client/v4/${scope}/logpush/jobs/${id}`;
    refusedWith(await server.call('GET', path), 404, 1000, /job not found/);
    refusedWith(await server.call('DELETE', path), 404, 1000, /job not found/);
  }
  assert.deepEqual((await server.call('DELETE', `${JOBS}/${id}`)).body.result, { id });
  const next = await newJob();
  assert.ok(next > id, 'ids do not come back');
});

test('jobs over the limit of a scope are refused as Logpush does', async () => {
  const jobs = '/client/v4/accounts/a2/logpush/jobs';
  const body = { destination_conf: S3, dataset: 'audit_logs' };
  for (let made = 0; made < 100; made++) {
    assert.equal((await server.call('POST', jobs, { body })).status, 201);
  }
  const full = await server.call('POST', jobs, { body });
  refusedWith(
    full,
    403,
    1004,
    /creating a new job \(for audit_logs dataset\) is not allowed: exceeded max jobs allowed/,
  );
});

test('only the same create, said to be sent again, by the same token, finds the first one', async () => {
  const first = await newJob({ name: 'same' });
  const again = { 'x-stainless-retry-count': '1' };
  assert.equal((await create({ name: 'same' }, again)).body.result.id, first);
  assert.notEqual((await create({ name: 'other' }, again)).body.result.id, first);
  assert.notEqual((await create({ name: 'same' })).body.result.id, first);
  const token = await tokenFor(server, { kind: 'operator' });
  const stranger = await server.call('POST', JOBS, {
    token,
    body: { destination_conf: S3, name: 'same' },
    headers: again,
  });
  assert.notEqual(stranger.body.result.id, first);
});

test('refusals that cannot get better by themselves tell the SDK not to try again', async () => {
  const conflict = await server.call('DELETE', '/v1/zones/z1');
  assert.equal(conflict.status, 409);
  assert.equal(conflict.headers.get('x-should-retry'), 'false');
});

test('fields of a dataset come as name and description; of an unknown one as 404', async () => {
  const fields = await server.call('GET', '/client/v4/zones/z1/logpush/datasets/dns_logs/fields');
  assert.deepEqual(Object.keys(fields.body.result).slice(0, 2), ['ColoCode', 'EDNSSubnet']);
  const unknown = await server.call('GET', '/client/v4/zones/z1/logpush/datasets/nope/fields');
  refusedWith(unknown, 404, 1002, /no dataset/);
  refusedWith(
    await server.call('GET', '/client/v4/zones/z1/logpush/datasets/nope/jobs'),
    404,
    1002,
    /no dataset/,
  );
});
