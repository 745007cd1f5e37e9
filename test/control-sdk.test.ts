/** The official `cloudflare` npm SDK against our API: jobs and fields, and its error classes. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Cloudflare from 'cloudflare';
import { S3, startControl, tokenFor, withScopes } from './support/control.ts';
import type { TestControl } from './support/control.ts';

let server: TestControl;
let client: Cloudflare;

before(async () => {
  server = await startControl();
  await withScopes(server);
  const apiToken = await tokenFor(server, {
    kind: 'account',
    permissions: ['logs_write'],
    scopes: [{ kind: 'account', id: 'a1' }],
  });
  client = new Cloudflare({ apiToken, baseURL: `${server.url}/client/v4`, maxRetries: 0 });
});
after(() => server.close());

test('the SDK creates, reads, lists, changes and deletes a job', async () => {
  const filter = '{"where":{"key":"EdgeResponseStatus","operator":"geq","value":500}}';
  const made = await client.logpush.jobs.create({
    zone_id: 'z1',
    destination_conf: S3,
    dataset: 'http_requests',
    name: 'errors',
    filter,
    output_options: { field_names: ['RayID', 'EdgeResponseStatus'], timestamp_format: 'rfc3339' },
    max_upload_records: 1000,
  });
  assert.ok(made);
  const id = made.id!;
  assert.ok(Number.isInteger(id) && id >= 1);
  assert.equal(made.enabled, false);
  assert.equal(made.destination_conf, S3);
  // The SDK's type leaves `filter` out of what comes back; the API does not.
  assert.equal(Reflect.get(made, 'filter'), filter);
  assert.equal(made.last_complete, null);

  assert.deepEqual(await client.logpush.jobs.get(id, { zone_id: 'z1' }), made);

  const changed = await client.logpush.jobs.update(id, {
    zone_id: 'z1',
    enabled: true,
    max_upload_records: null,
  });
  assert.equal(changed?.enabled, true);
  assert.equal(changed?.max_upload_records, 0);
  assert.equal(Reflect.get(changed!, 'filter'), filter);
  assert.deepEqual(changed?.output_options, made.output_options);

  const listed = [];
  for await (const job of client.logpush.jobs.list({ zone_id: 'z1' })) listed.push(job?.id);
  assert.deepEqual(listed, [id]);
  const ofDataset = [];
  for await (const job of client.logpush.datasets.jobs.get('http_requests', { zone_id: 'z1' }))
    ofDataset.push(job?.id);
  assert.deepEqual(ofDataset, [id]);

  const deleted = await client.logpush.jobs.delete(id, { zone_id: 'z1' });
  assert.deepEqual(deleted, { id });
  await assert.rejects(client.logpush.jobs.get(id, { zone_id: 'z1' }), Cloudflare.NotFoundError);
});

test('`terraform destroy` of a customer’s own jobs, as its provider does it, ends them all, the last one in the system too', async () => {
  const ids: number[] = [];
  for (let n = 0; n < 12; n += 1) {
    const scope = n < 8 ? { zone_id: 'z1' } : { account_id: 'a1' };
    const dataset = n < 8 ? 'http_requests' : 'audit_logs';
    const made = await client.logpush.jobs.create({
      ...scope,
      destination_conf: S3,
      dataset,
      enabled: true,
      name: `tf-${n}`,
    });
    ids.push(made!.id!);
  }
  // It refreshes each resource, then deletes them in the reverse order of their making, several at once.
  for (const [n, id] of ids.entries())
    await client.logpush.jobs.get(id, n < 8 ? { zone_id: 'z1' } : { account_id: 'a1' });
  const left = ids.map((id, n) => ({ id, n })).toReversed();
  while (left.length > 0)
    await Promise.all(
      left.splice(0, 10).map(async ({ id, n }) => {
        const scope = n < 8 ? { zone_id: 'z1' } : { account_id: 'a1' };
        await client.logpush.jobs.delete(id, scope);
        await assert.rejects(client.logpush.jobs.get(id, scope), Cloudflare.NotFoundError);
      }),
    );
  const listed = [];
  for await (const job of client.logpush.jobs.list({ zone_id: 'z1' })) listed.push(job);
  for await (const job of client.logpush.jobs.list({ account_id: 'a1' })) listed.push(job);
  assert.deepEqual(listed, []);
});

test('the SDK makes jobs of an account as well', async () => {
  const made = await client.logpush.jobs.create({
    account_id: 'a1',
    destination_conf: S3,
    dataset: 'audit_logs',
  });
  assert.equal(made?.dataset, 'audit_logs');
  assert.equal((await client.logpush.jobs.get(made!.id!, { account_id: 'a1' }))?.id, made?.id);
  await assert.rejects(
    client.logpush.jobs.get(made!.id!, { zone_id: 'z1' }),
    Cloudflare.NotFoundError,
  );
});

test('the SDK reads the fields of a dataset with what they hold', async () => {
  const fields = (await client.logpush.datasets.fields.get('http_requests', {
    zone_id: 'z1',
  })) as Record<string, string>;
  assert.ok(Object.keys(fields).length > 100);
  assert.equal(typeof fields['RayID'], 'string');
});

test('errors arrive as the classes that the SDK has for them, with their codes', async () => {
  const codeOf = async (
    promise: Promise<unknown>,
    kind: new (...args: never[]) => Error,
  ): Promise<number> => {
    try {
      await promise;
    } catch (error) {
      assert.ok(error instanceof kind, `${String(error)} is a ${kind.name}`);
      return (error as InstanceType<typeof Cloudflare.APIError>).errors[0]!.code!;
    }
    return assert.fail('it was not refused');
  };
  const { jobs } = client.logpush;
  assert.equal(await codeOf(jobs.get(99_999, { zone_id: 'z1' }), Cloudflare.NotFoundError), 1000);
  assert.equal(
    await codeOf(jobs.delete(99_999, { zone_id: 'z1' }), Cloudflare.NotFoundError),
    1000,
  );
  assert.equal(
    await codeOf(
      jobs.create({ zone_id: 'z1', destination_conf: 'nowhere' }),
      Cloudflare.BadRequestError,
    ),
    1002,
  );
  assert.equal(
    await codeOf(
      jobs.create({ zone_id: 'z1', destination_conf: S3, kind: 'edge' }),
      Cloudflare.BadRequestError,
    ),
    1002,
  );
  assert.equal(
    await codeOf(jobs.list({ zone_id: 'z2' }).asResponse(), Cloudflare.PermissionDeniedError),
    10_000,
  );
  assert.equal(
    await codeOf(jobs.list({ zone_id: 'none' }).asResponse(), Cloudflare.PermissionDeniedError),
    10_000,
  );

  const stranger = client.withOptions({ apiToken: 'wb_acct_nobody' });
  assert.equal(
    await codeOf(stranger.logpush.jobs.get(1, { zone_id: 'z1' }), Cloudflare.AuthenticationError),
    10_000,
  );

  const reader = client.withOptions({
    apiToken: await tokenFor(server, {
      kind: 'account',
      permissions: ['logs_read'],
      scopes: [{ kind: 'zone', id: 'z1' }],
    }),
  });
  assert.equal(
    await codeOf(reader.logpush.jobs.get(1, { zone_id: 'z1' }), Cloudflare.PermissionDeniedError),
    1004,
  );
  const notHere = client.get('/zones/z1/logpush/nothing');
  assert.equal(await codeOf(notHere, Cloudflare.NotFoundError), 7003);
});

test('a create that the SDK repeats after a lost answer finds the first one', async () => {
  let cut = true;
  const flaky = client.withOptions({
    maxRetries: 2,
    fetch: async (input, init) => {
      const response = await fetch(input as string, init);
      if (cut) {
        cut = false;
        await response.arrayBuffer();
        throw new TypeError('the connection was lost');
      }
      return response;
    },
  });
  const body = { zone_id: 'z1', destination_conf: S3, name: 'once' };
  const made = await flaky.logpush.jobs.create(body);
  const named = async (): Promise<number> => {
    const list = await client.logpush.jobs.list({ zone_id: 'z1' });
    return list.result.filter((job) => job?.name === 'once').length;
  };
  assert.equal(await named(), 1);
  const second = await client.logpush.jobs.create(body);
  assert.notEqual(second?.id, made?.id, 'a create that is no repetition makes another job');
  assert.equal(await named(), 2);
});

test('the SDK reads and sets the retention flag and the metadata boundary', async () => {
  const { retention, cmb } = client.logs.control;
  assert.deepEqual(await retention.get({ zone_id: 'z1' }), { flag: false });
  assert.deepEqual(await retention.create({ zone_id: 'z1', flag: true }), { flag: true });
  assert.deepEqual(await retention.get({ zone_id: 'z1' }), { flag: true });
  const account = { account_id: 'a1' };
  assert.equal(await cmb.config.get(account), null);
  const config = { regions: 'eu', allow_out_of_region_access: false };
  assert.deepEqual(await cmb.config.create({ ...account, ...config }), config);
  assert.deepEqual(await cmb.config.get(account), config);
  assert.equal(await cmb.config.delete(account), null);
  assert.equal(await cmb.config.get(account), null);
});

test('the SDK asks about destinations and options before it makes a job', async () => {
  const zone = { zone_id: 'z1' };
  const { ownership, validate } = client.logpush;
  const destination = { ...zone, destination_conf: S3.replace('bucket', 'asked-about') };
  const asked = await ownership.create(destination);
  assert.equal(asked?.valid, true);
  assert.match(asked.filename!, /^logs\/\d{8}\/ownership-challenge-.*\.txt$/);
  const wrong = await ownership.validate({ ...destination, ownership_challenge: 'a.b.c' });
  assert.equal(wrong?.valid, false);
  assert.deepEqual(await validate.destination(destination), { valid: true, message: '' });
  assert.equal((await validate.destinationExists(destination))?.exists, false);
  await client.logpush.jobs.create(destination);
  assert.equal((await validate.destinationExists(destination))?.exists, true);
  const options = await validate.origin({ ...zone, logpull_options: 'fields=RayID' });
  assert.deepEqual(options, { valid: true, message: '' });
  const bad = await validate.origin({ ...zone, logpull_options: 'fields=Nope' });
  assert.equal(bad?.valid, false);
  await assert.rejects(
    ownership.create({ ...zone, destination_conf: 'nowhere' }),
    Cloudflare.BadRequestError,
  );
});

test('the SDK is told that transformers are not offered, for each of its methods', async () => {
  const account = { account_id: 'a1' };
  const { transformers } = client.logpush;
  const calls = [
    () => transformers.create({ ...account, name: 'n', code: 'SELECT 1' }),
    () => transformers.update(1, { ...account, name: 'n' }),
    () => transformers.list(account).asResponse(),
    () => transformers.delete(1, account),
    () => transformers.get(1, account),
    () => transformers.preview({ ...account, sql: 'SELECT 1', input: {} } as never),
    () => transformers.content.get(1, account),
    () => transformers.versions.list(1, account).asResponse(),
  ];
  for (const call of calls) {
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof Cloudflare.BadRequestError, String(error));
      assert.equal(error.errors[0]?.code, 1002);
      assert.match(error.errors[0]?.message ?? '', /not offered here/);
      return true;
    });
  }
});

test('the SDK sends refusals that cannot get better only once', async () => {
  let sent = 0;
  const counting = client.withOptions({
    maxRetries: 2,
    apiToken: server.operator,
    fetch: (input, init) => {
      sent++;
      return fetch(input as string, init);
    },
  });
  const origin = { baseURL: server.url };
  await assert.rejects(
    counting.withOptions(origin).post('/v1/accounts', { body: { id: 'a1' } }),
    Cloudflare.ConflictError,
  );
  assert.equal(sent, 1);
});
