/** The official SDK's ways to look at lines, against the real process: Instant Logs, ray ids, Logpull. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import Cloudflare from 'cloudflare';
import { idleDataPlane, startControl, tokenFor, withScopes } from './support/control.ts';
import { makeCustomer, sendTo } from './support/customer.ts';
import { eventually } from './support/receiver.ts';
import { startServer, temporaryFolder } from './support/server.ts';

const folder = await temporaryFolder('sdk-logs');
const server = await startServer({ dataDir: join(folder.path, 'data') });
after(async () => {
  await server.end('SIGKILL');
  await folder.remove();
});
const ingestToken = await makeCustomer(server, 'a1', 'z1');
const { token: apiToken } = await server.call<{ token: string }>('POST', '/v1/tokens', {
  kind: 'account',
  permissions: ['logs_read', 'logs_write'],
  scopes: [{ kind: 'zone', id: 'z1' }],
});
const client = new Cloudflare({
  apiToken,
  baseURL: `${server.controlUrl}/client/v4`,
  maxRetries: 0,
});
const zone = { zone_id: 'z1' };
const send = (line: string) => sendTo(server, ingestToken, 'zones/z1/http_requests', `${line}\n`);

test('the SDK begins a live look; its WebSocket shows what comes in, also of lines that nobody keeps', async () => {
  assert.deepEqual((await client.logpush.edge.get(zone)).result, []);
  const filter = '{"where":{"key":"ClientRequestHost","operator":"eq","value":"b.example"}}';
  const session = await client.logpush.edge.create({
    ...zone,
    fields: 'RayID,ClientRequestHost',
    sample: 1,
    filter,
  });
  assert.equal(Reflect.get(session!, 'kind'), 'instant-logs');
  const listed = (await client.logpush.edge.get(zone)).result;
  assert.equal(listed.length, 1);
  assert.equal(listed[0]?.destination_conf, undefined, 'the list does not give the way in');
  const socket = new WebSocket(session!.destination_conf!);
  const records: Record<string, unknown>[] = [];
  socket.addEventListener('message', ({ data }) => {
    for (const row of String(data).split('\n')) if (row !== '') records.push(JSON.parse(row));
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', reject);
  });
  await eventually('a record was shown', async () => {
    await send('{"RayID":"no","ClientRequestHost":"a.example"}');
    await send('{"RayID":"yes","ClientRequestHost":"b.example","ClientIP":"hidden"}');
    return records.length > 0;
  });
  socket.close();
  assert.ok(records.every(({ RayID }) => RayID === 'yes'));
  assert.deepEqual(Object.keys(records[0]!).toSorted(), [
    'ClientRequestHost',
    'RayID',
    'sampleInterval',
  ]);
  await assert.rejects(
    client.logpush.edge.create({ ...zone, filter: '{"where":{"key":"Nope"}}' }),
    Cloudflare.APIError,
  );
});

test('the SDK finds a ray that Logpull’s flag kept, and says so of one that is not there', async () => {
  await client.logs.control.retention.create({ ...zone, flag: true });
  await send(
    '{"RayID":"7aaaaaaaaaaaaaa1","ClientIP":"192.0.2.1","EdgeStartTimestamp":1732000000123456789}',
  );
  const fields = { fields: 'RayID,EdgeStartTimestamp' };
  const found = await client.logs.RayID.get('7aaaaaaaaaaaaaa1', { ...zone, ...fields });
  assert.equal(
    found,
    '{"RayID":"7aaaaaaaaaaaaaa1","EdgeStartTimestamp":1732000000123456789}\n',
    'as text, with every digit',
  );
  assert.equal(await client.logs.RayID.get('7aaaaaaaaaaaaaa2', zone), '');
});

test('the SDK lists the fields that can be pulled, and gets windows that are too young refused', async () => {
  const fields = (await client.logs.received.fields.get(zone)) as Record<string, string>;
  assert.equal(typeof fields['RayID'], 'string');
  const now = Math.floor(Date.now() / 1000);
  await assert.rejects(
    client.logs.received.get({ ...zone, start: now - 60, end: now }),
    Cloudflare.BadRequestError,
  );
});

test('what Logpull streams arrives at the SDK as one text of lines, never as JSON', async () => {
  async function* chunks(): AsyncGenerator<Buffer, void, void> {
    yield Buffer.from('{"RayID":"a"}\n');
    yield Buffer.from('{"RayID":"b"}\n');
  }
  const asked: unknown[] = [];
  const plane = idleDataPlane();
  const control = await startControl({
    dataPlane: {
      ...plane,
      pull: {
        ...plane.pull,
        received: (request) => {
          asked.push(request);
          return Promise.resolve({ kind: 'lines', chunks: chunks() });
        },
      },
    },
  });
  try {
    await withScopes(control);
    const reader = await tokenFor(control, {
      kind: 'account',
      permissions: ['logs_read'],
      scopes: [{ kind: 'zone', id: 'z1' }],
    });
    const puller = client.withOptions({
      apiToken: reader,
      baseURL: `${control.url}/client/v4`,
    });
    const end = Math.floor(Date.now() / 1000) - 120;
    const window = { ...zone, start: end - 60, end, fields: 'RayID', count: 5, sample: 0.5 };
    const lines = await puller.logs.received.get({ ...window, timestamps: 'rfc3339' });
    assert.equal(lines, '{"RayID":"a"}\n{"RayID":"b"}\n');
    const { startMs, endMs, count, outputOptions } = asked[0] as Record<string, unknown>;
    assert.deepEqual(
      { startMs, endMs, count, outputOptions },
      {
        startMs: (end - 60) * 1000,
        endMs: end * 1000,
        count: 5,
        outputOptions: { field_names: ['RayID'], timestamp_format: 'rfc3339', sample_rate: 0.5 },
      },
    );
    await assert.rejects(
      puller.logs.received.get({ ...window, zone_id: 'z2' }),
      Cloudflare.PermissionDeniedError,
    );
  } finally {
    await control.close();
  }
});
