/** Webhooks over the real server and a real receiver: who is told of what, signed, repeated, and never to an inner address. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { makeCustomer, makeJob, sendTo } from './support/customer.ts';
import { eventually, startReceiver } from './support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from './support/server.ts';

interface Told {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface View {
  readonly id: number;
  readonly url: string;
  readonly sent: number;
  readonly last: { readonly outcome: string; readonly status: number | null } | null;
}

/** Takes messages; the first to `/flaky` is refused. */
async function startListener() {
  const told: Told[] = [];
  let refusals = 1;
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const path = request.url ?? '';
      const refuses = path.startsWith('/flaky') && refusals-- > 0;
      told.push({ path, headers: request.headers, body: Buffer.concat(pieces).toString() });
      response.writeHead(refuses ? 503 : 200).end();
    });
  });
  server.unref();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const of = (path: string) => told.filter((each) => each.path.startsWith(path));
  return { url: `http://127.0.0.1:${port}`, of, close: () => void server.close() };
}

test('alerts reach the webhooks of the operator and of the account concerned, signed and repeated, and nobody else’s', async () => {
  const folder = await temporaryFolder('webhooks');
  const [receiver, listener] = [await startReceiver(), await startListener()];
  const flags = [...LOCAL_DESTINATIONS, '--deliver-interval-ms', '200'];
  const server = await startServer({ dataDir: folder.path, flags });
  try {
    const shop = await makeCustomer(server, 'acme', 'shop');
    await makeCustomer(server, 'other', 'elsewhere');
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const add = (path: string, body: object) => server.call<View>('POST', path, body);
    const operators = await add('/v1/webhooks', {
      url: `${listener.url}/signed?key=MARKER`,
      secret,
    });
    assert.equal(operators.url, `${listener.url}/***`);
    await add('/v1/webhooks', { url: `${listener.url}/flaky`, form: 'json' });
    await add('/v1/accounts/acme/webhooks', { url: `${listener.url}/slack`, form: 'slack' });
    await add('/v1/accounts/other/webhooks', { url: `${listener.url}/others` });
    const tested = await server.call<{ delivered: boolean }>(
      'POST',
      `/v1/webhooks/${operators.id}/test`,
    );
    assert.equal(tested.delivered, true);
    const filter = '{"where":{"key":"EdgeResponseStatus","operator":"eq","value":200}}';
    await makeJob(server, 'shop', receiver.url, { filter });
    await sendTo(server, shop, 'zones/shop/http_requests', '{"EdgeResponseStatus":}\n');
    await eventually('all are told', () => {
      const counts = ['/signed', '/flaky', '/slack'].map((path) => listener.of(path).length);
      return counts[0] === 2 && counts[1]! >= 2 && counts[2] === 1;
    });
    const { headers, body } = listener.of('/signed')[1]!;
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
    const key = Buffer.alloc(32, 7);
    assert.equal(
      headers['webhook-signature'],
      `v1,${createHmac('sha256', key).update(signed).digest('base64')}`,
    );
    const { alerts } = JSON.parse(body) as {
      alerts: { reason: string; kind: string; text: string }[];
    };
    assert.equal(alerts[0]?.reason, 'firing');
    assert.equal(alerts[0]?.kind, 'lines_lost');
    // A repeat is the same message.
    const [first, second] = listener.of('/flaky');
    assert.equal(first?.body, second?.body);
    assert.equal(first?.headers['webhook-id'], second?.headers['webhook-id']);
    const { text } = JSON.parse(listener.of('/slack')[0]!.body) as { text: string };
    assert.match(
      text,
      /^\*FIRING\* \(critical\) job 1: malformed: Lines were dropped\n1 line received/,
    );
    assert.deepEqual(listener.of('/others'), []);
    const { webhooks } = await server.call<{ webhooks: View[] }>('GET', '/v1/webhooks');
    assert.equal(webhooks.length, 2, "an account's are its own");
    assert.ok(webhooks.every(({ last }) => last?.outcome === 'accepted'));
    await server.call('DELETE', `/v1/webhooks/${operators.id}`);
    assert.ok(!server.log().includes('MARKER'));
  } finally {
    await server.end('SIGTERM');
    receiver.close();
    listener.close();
    await folder.remove();
  }
});

test('a webhook goes to no inner address, speaks TLS unless the operator allows otherwise, and outlives a restart sealed', async () => {
  const folder = await temporaryFolder('webhooks-guard');
  let server = await startServer({ dataDir: folder.path });
  try {
    const post = (url: string) =>
      fetch(`${server.controlUrl}/v1/webhooks`, {
        method: 'POST',
        headers: { authorization: `Bearer ${server.operatorToken}` },
        body: JSON.stringify({ url }),
      });
    for (const url of [
      'http://hooks.example/x',
      'https://user:pw@hooks.example/',
      'file:///etc/passwd',
      'x',
    ]) {
      assert.equal((await post(url)).status, 400, url);
    }
    assert.equal((await post('https://169.254.169.254/latest/MARKER')).status, 201);
    assert.equal(await server.end('SIGTERM'), 0);
    server = await startServer({ dataDir: folder.path });
    const tested = await server.call<{ delivered: boolean; detail: string }>(
      'POST',
      '/v1/webhooks/1/test',
    );
    assert.equal(tested.delivered, false);
    assert.match(tested.detail, /not allowed/);
    assert.ok(!server.log().includes('MARKER'));
  } finally {
    await server.end('SIGTERM');
    await folder.remove();
  }
});
