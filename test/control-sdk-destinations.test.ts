/** The official `cloudflare` SDK against the real process: what it says of destinations is what happens there. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import Cloudflare from 'cloudflare';
import { startS3 } from './servers/s3.ts';
import { makeCustomer, sendTo } from './support/customer.ts';
import { eventually, startReceiver } from './support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from './support/server.ts';

const folder = await temporaryFolder('sdk');
const out = join(folder.path, 'out');
await mkdir(out);
const server = await startServer({
  dataDir: join(folder.path, 'data'),
  flags: [
    ...LOCAL_DESTINATIONS,
    '--destinations-file-roots',
    out,
    '--destinations-ownership-challenge',
    'all',
    '--deliver-interval-ms',
    '200',
  ],
});
const receiver = await startReceiver();
after(async () => {
  await server.end('SIGKILL');
  receiver.close();
  await folder.remove();
});
const ingestToken = await makeCustomer(server, 'a1', 'z1');
const client = new Cloudflare({
  apiToken: server.operatorToken,
  baseURL: `${server.controlUrl}/client/v4`,
  maxRetries: 0,
});
const zone = { zone_id: 'z1' };

test('a job begins only after what was written to its bucket has been read there, then it delivers', async (t) => {
  const s3 = await startS3({ bucket: 'owned-logs' });
  if ('skipped' in s3) return t.skip(s3.skipped);
  try {
    const destination_conf = `s3://${s3.bucket}/logs/{DATE}?region=${s3.region}&endpoint=${encodeURIComponent(s3.endpoint)}&access-key-id=${s3.accessKey}&secret-access-key=${encodeURIComponent(s3.secretKey)}`;
    const body = { ...zone, destination_conf, enabled: true };
    await assert.rejects(client.logpush.jobs.create(body), Cloudflare.BadRequestError);

    const asked = await client.logpush.ownership.create({ ...zone, destination_conf });
    assert.equal(asked?.valid, true);
    assert.match(asked.filename!, /^logs\/\d{8}\/ownership-challenge-[0-9a-f]{8}\.txt$/);
    const ownership_challenge = (await s3.objects()).get(asked.filename!)?.toString('utf8');
    assert.ok(ownership_challenge, 'the object stands where the answer says, as plain text');
    const proven = { ...zone, destination_conf, ownership_challenge };
    assert.equal((await client.logpush.ownership.validate(proven))?.valid, true);

    assert.equal(
      (await client.logpush.validate.destination({ ...zone, destination_conf }))?.valid,
      true,
    );
    const made = await client.logpush.jobs.create({ ...body, ownership_challenge });
    const exists = await client.logpush.validate.destinationExists({ ...zone, destination_conf });
    assert.equal(exists?.exists, true);
    await sendTo(server, ingestToken, 'zones/z1/http_requests', '{"RayID":"one"}\n');
    await eventually('the line is in the bucket', async () =>
      [...(await s3.objects()).keys()].some((key) => key.endsWith('.log.gz')),
    );
    await client.logpush.jobs.delete(made!.id!, zone);
  } finally {
    await s3.stop();
  }
});

test('a receiver sees one marked line when it is tried, and its refusal is told in words without secrets', async () => {
  const destination_conf = `${receiver.url}?header_Authorization=Bearer%20hidden-word`;
  const tried = await client.logpush.validate.destination({ ...zone, destination_conf });
  assert.deepEqual(tried, { valid: true, message: '' });
  assert.deepEqual(receiver.lines(), ['{"content":"tests"}']);
  const headers = new Map(receiver.headers[0]);
  assert.equal(headers.get('waybill-job'), '0');
  assert.equal(headers.get('waybill-stream'), 'test');
  assert.equal(headers.get('authorization'), 'Bearer hidden-word');
  receiver.answer(403);
  const refused = await client.logpush.validate.destination({ ...zone, destination_conf });
  assert.equal(refused?.valid, false);
  assert.match(refused.message!, /status 403/);
  assert.doesNotMatch(refused.message!, /hidden-word/);
  receiver.answer(204);
});

test('nothing of a trial reaches the books, and inner addresses stay closed', async () => {
  const destination_conf = 'http://10.255.255.1:9/in';
  const refused = await client.logpush.validate.destination({ ...zone, destination_conf });
  assert.equal(refused?.valid, false);
  assert.match(refused.message!, /not allowed/);
  const attempts = await server.call<{ error?: unknown }>('GET', '/v1/zones/z1/usage');
  assert.ok(!JSON.stringify(attempts).includes('"test"'));
});

test('a folder of this machine is tried and proven like a bucket', async () => {
  const destination_conf = `file://${out}/a/{DATE}`;
  const asked = await client.logpush.ownership.create({ ...zone, destination_conf });
  assert.ok(asked?.filename?.startsWith(`${out}/a/`));
  const outside = { ...zone, destination_conf: `file://${folder.path}/data` };
  const refused = await client.logpush.validate.destination(outside);
  assert.equal(refused?.valid, false);
  await assert.rejects(client.logpush.ownership.create(outside), Cloudflare.BadRequestError);
});
