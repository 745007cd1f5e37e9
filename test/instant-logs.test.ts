/** Instant Logs at the real server, with the official SDK and a WebSocket client; and `waybill tail`. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import Cloudflare from 'cloudflare';
import { sendTo } from './support/customer.ts';
import type { Sent } from './support/customer.ts';
import { listenTo, until, weightOf } from './support/live.ts';
import { lastingPorts } from './support/ports.ts';
import { LOCAL_DESTINATIONS, MAIN, startServer, temporaryFolder } from './support/server.ts';
import type { Server } from './support/server.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: Server;
let client: Cloudflare;
let ingestToken: string;
let nextZone = 1;

before(async () => {
  folder = await temporaryFolder('live');
  server = await startServer({ dataDir: folder.path, flags: LOCAL_DESTINATIONS });
  await server.call('PUT', '/v1/accounts/a1', { name: 'One' });
  const made = await server.call<{ token: string }>('POST', '/v1/tokens', {
    kind: 'ingest',
    scopes: 'all',
  });
  ingestToken = made.token;
  client = new Cloudflare({
    apiToken: server.operatorToken,
    baseURL: `${server.controlUrl}/client/v4`,
    maxRetries: 0,
  });
});
after(async () => {
  await server.end('SIGTERM');
  await folder.remove();
});

/** A zone that nobody has a job for. */
async function newZone(): Promise<string> {
  const zone = `live${nextZone++}`;
  await server.call('PUT', `/v1/zones/${zone}`, { account: 'a1', name: `${zone}.example` });
  return zone;
}

async function send(path: string, lines: readonly object[]): Promise<Sent['body']> {
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const sent = await sendTo(server, ingestToken, path, body);
  assert.equal(sent.status, 200);
  return sent.body;
}

const requests = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) => ({
    RayID: `r${from + n}`,
    ClientIP: '192.0.2.1',
    EdgeResponseStatus: n % 4 === 0 ? 500 : 200,
    EdgeStartTimestamp: 1_732_000_000_123_456_789n.toString(),
  }));

/** Lines begin to be seen a moment after the connection stands. */
async function seen(zone: string, records: readonly unknown[]): Promise<void> {
  await until(async () => {
    await send(`zones/${zone}/http_requests`, [{ RayID: 'first', EdgeResponseStatus: 500 }]);
    return records.length > 0;
  });
}

/** What came besides those: one of them may be on its way yet when the first is seen. */
const sentOnPurpose = (records: readonly Record<string, unknown>[]) =>
  records.filter((record) => record['RayID'] !== 'first');

async function begin(zone: string, wish: Cloudflare.Logpush.EdgeCreateParams) {
  const made = await client.logpush.edge.create({ ...wish, zone_id: zone });
  return { made, listener: await listenTo(made!.destination_conf!) };
}

test('the SDK begins and lists a session; lines that no job wants arrive with their fields', async () => {
  const zone = await newZone();
  const listed = async () => {
    const found = [];
    for await (const one of client.logpush.edge.get({ zone_id: zone })) found.push(one);
    return found;
  };
  assert.deepEqual(await listed(), []);
  const { made, listener } = await begin(zone, {
    zone_id: zone,
    fields: 'RayID,EdgeResponseStatus',
    sample: 1,
    filter: '',
  });
  const { destination_conf: url, ...rest } = made!;
  const id = (rest as { session_id?: string }).session_id!;
  assert.match(id, /^[0-9a-f]{32}$/);
  assert.equal(url, `${server.controlUrl.replace('http', 'ws')}/instant-logs/ws/sessions/${id}`);
  assert.deepEqual(rest, {
    fields: 'RayID,EdgeResponseStatus',
    filter: '',
    kind: 'instant-logs',
    sample: 1,
    session_id: id,
  });
  assert.deepEqual(await listed(), [rest]);
  await seen(zone, listener.records);
  const answer = await send(`zones/${zone}/http_requests`, requests(3));
  assert.equal(answer['unwanted'], 3);
  await until(() => sentOnPurpose(listener.records).length >= 3);
  assert.deepEqual(sentOnPurpose(listener.records), [
    { RayID: 'r0', EdgeResponseStatus: 500, sampleInterval: 1 },
    { RayID: 'r1', EdgeResponseStatus: 200, sampleInterval: 1 },
    { RayID: 'r2', EdgeResponseStatus: 200, sampleInterval: 1 },
  ]);
  listener.socket.close();
});

test('of a body for many zones a listener sees his own; a filter decides, and one in so many of what passes is shown', async () => {
  const [zone, other] = [await newZone(), await newZone()];
  const { listener } = await begin(zone, {
    zone_id: zone,
    fields: 'RayID,EdgeResponseStatus',
    sample: 5,
    filter: '{"where":{"key":"EdgeResponseStatus","operator":"eq","value":500}}',
  });
  await seen(zone, listener.records);
  const mixed = requests(800).map((line, n) => ({
    ...line,
    ZoneName: `${n < 400 ? zone : other}.example`,
  }));
  await send('http_requests?by=ZoneName', mixed);
  // A hundred pass the filter, and one in five of those is shown: which ones begins anywhere.
  await until(() => sentOnPurpose(listener.records).length >= 19);
  const found = sentOnPurpose(listener.records);
  assert.ok(found.every((record) => record['EdgeResponseStatus'] === 500));
  assert.ok(found.every(({ sampleInterval }) => sampleInterval === 5));
  assert.ok(found.every((record) => Number(String(record['RayID']).slice(1)) < 400));
  listener.socket.close();
});

test('under load fewer records come, and their intervals sum to about the truth', async () => {
  const zone = await newZone();
  const { listener } = await begin(zone, { zone_id: zone, fields: 'RayID' });
  await seen(zone, listener.records);
  // What is on its way yet belongs to the truth as well.
  await until(async () => {
    const heard = weightOf(listener.records);
    await new Promise((resolve) => setTimeout(resolve, 300));
    return weightOf(listener.records) === heard;
  });
  const before = weightOf(listener.records);
  const count = listener.records.length;
  const bodies = 60;
  const each = 2_000;
  await Promise.all(
    [0, 1, 2].map(async (lane) => {
      for (let body = lane; body < bodies; body += 3)
        await send(`zones/${zone}/http_requests`, requests(each, body * each));
    }),
  );
  const truth = bodies * each;
  const enough = () => weightOf(listener.records) - before > truth * 0.9;
  await until(enough);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const sum = weightOf(listener.records) - before;
  const shown = listener.records.length - count;
  assert.ok(Math.abs(sum - truth) < truth * 0.1, `${sum} for ${truth}`);
  assert.ok(shown < truth / 5, `${shown} records`);
  listener.socket.close();
});

test('a client that reads nothing delays no answer, and is told off in the end by nobody but its own silence', async () => {
  const zone = await newZone();
  const made = await client.logpush.edge.create({ zone_id: zone, fields: 'RayID,ClientIP' });
  const url = new URL(made!.destination_conf!);
  const deaf = connect(Number(url.port), url.hostname);
  deaf.on('error', () => {});
  const greeting = new Promise((resolve) => deaf.once('data', resolve));
  deaf.write(
    `GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  assert.match(String(await greeting), /^HTTP\/1\.1 101 /);
  deaf.pause();
  for (let body = 0; body < 100; body++) {
    const answer = await send(`zones/${zone}/http_requests`, requests(2_000, body * 2_000));
    assert.equal(answer['unwanted'], 2_000);
  }
  // The control API is as well as it was.
  const status = await server.call<{ ready: boolean }>('GET', '/v1/status');
  assert.equal(status.ready, true);
  deaf.destroy();
});

test('refusals: an unknown session, a bad field or filter, a zone whose session somebody listens to, no right to read', async () => {
  const zone = await newZone();
  const ended = `${server.controlUrl.replace('http', 'ws')}/instant-logs/ws/sessions/${'0'.repeat(32)}`;
  await assert.rejects(listenTo(ended));
  const edge = (wish: object) =>
    client.logpush.edge.create({ zone_id: zone, ...wish }).then(
      () => assert.fail('it was not refused'),
      (error: unknown) => error,
    );
  const field = await edge({ fields: 'RayID,Nothing' });
  assert.ok(field instanceof Cloudflare.BadRequestError);
  assert.match(field.errors[0]!.message!, /fields.*no field "Nothing"/);
  const bad = await edge({
    filter: '{"where":{"key":"EdgeResponseStatus","operator":"in","value":"200,201"}}',
  });
  assert.ok(bad instanceof Cloudflare.BadRequestError);
  assert.match(bad.errors[0]!.message!, /bad predicate: where\.value must be an array/);
  assert.ok((await edge({ sample: 0 })) instanceof Cloudflare.BadRequestError);
  const { listener } = await begin(zone, { zone_id: zone });
  const taken = await edge({});
  assert.ok(taken instanceof Cloudflare.PermissionDeniedError);
  assert.equal(taken.errors[0]!.code, 1004);
  listener.socket.close();
  const { token } = await server.call<{ token: string }>('POST', '/v1/tokens', {
    kind: 'account',
    permissions: ['logs_read'],
    scopes: [{ kind: 'zone', id: zone }],
  });
  const reader = new Cloudflare({
    apiToken: token,
    baseURL: `${server.controlUrl}/client/v4`,
    maxRetries: 0,
  });
  const elsewhere = await newZone();
  await assert.rejects(
    reader.logpush.edge.create({ zone_id: elsewhere }),
    Cloudflare.PermissionDeniedError,
  );
});

test('a session ends when the token that made it is revoked', async () => {
  const zone = await newZone();
  const made = await server.call<{ id: string; token: string }>('POST', '/v1/tokens', {
    kind: 'account',
    permissions: ['logs_read'],
    scopes: [{ kind: 'zone', id: zone }],
  });
  const reader = new Cloudflare({
    apiToken: made.token,
    baseURL: `${server.controlUrl}/client/v4`,
    maxRetries: 0,
  });
  const session = await reader.logpush.edge.create({ zone_id: zone });
  const listener = await listenTo(session!.destination_conf!);
  await server.call('DELETE', `/v1/tokens/${made.id}`);
  assert.equal((await listener.closed).code, 1008);
});

test('`waybill tail` prints lines, says when the connection is lost, goes on when the server is back, and ends by Ctrl-C', async () => {
  const data = await temporaryFolder('tail');
  const options = { dataDir: data.path, ...(await lastingPorts()) };
  let own = await startServer(options);
  await own.call('PUT', '/v1/accounts/a1', { name: 'One' });
  await own.call('PUT', '/v1/zones/z1', { account: 'a1', name: 'one.example' });
  const { token } = await own.call<{ token: string }>('POST', '/v1/tokens', {
    kind: 'ingest',
    scopes: 'all',
  });
  const args = ['tail', '--zone', 'z1', '--fields', 'RayID', '--url', own.controlUrl];
  const tail = spawn(process.execPath, [MAIN, ...args, '--token', own.operatorToken], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, note] = ['', ''];
  tail.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  tail.stderr.setEncoding('utf8').on('data', (text: string) => (note += text));
  const exited = new Promise<number | null>((resolve) => tail.once('exit', resolve));
  const shows = (ray: string) =>
    until(async () => {
      await fetch(`${own.ingestUrl}/v1/ingest/zones/z1/http_requests`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: `{"RayID":"${ray}"}\n`,
      });
      return out.includes(`{"RayID":"${ray}","sampleInterval":1}\n`);
    });
  await until(() => note.includes('listening'));
  await shows('before');
  await own.end('SIGTERM');
  await until(() => /the connection is lost; trying again/.test(note));
  own = await startServer(options);
  await until(() => note.split('listening').length === 3);
  await shows('after');
  tail.kill('SIGINT');
  assert.equal(await exited, 0);
  await own.end('SIGTERM');
  await data.remove();
});
