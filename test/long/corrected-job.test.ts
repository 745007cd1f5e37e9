/** A wrong key, for as long as it takes: nothing is lost, nobody else waits, and the edit that corrects it is tried at once. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import Cloudflare from 'cloudflare';
import { ledgerOf, makeCustomer, makeJob, sendTo } from '../support/customer.ts';
import { eventually, startReceiver } from '../support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from '../support/server.ts';

const REQUESTS = 60;
const KEY = 'Bearer right';

/** Takes what comes with the right key, and answers 403 to everything else. */
async function startLocked() {
  const lines: string[] = [];
  let refused = 0;
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const isRight = request.headers.authorization === KEY;
      if (isRight) {
        const body = gunzipSync(Buffer.concat(pieces)).toString();
        lines.push(...body.split('\n').filter((line) => line.includes('RayID')));
      } else refused += 1;
      response.writeHead(isRight ? 204 : 403).end();
    });
  });
  server.unref();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const conf = (key: string) =>
    `http://127.0.0.1:${port}/in?header_Authorization=${encodeURIComponent(key)}`;
  return { conf, lines, refused: () => refused, close: () => void server.close() };
}

test('I3, I6: a key that is wrong while the queue fills is corrected by the SDK, also after a restart; the backlog follows at once, whole and once', async () => {
  const folder = await temporaryFolder('corrected');
  const [locked, other] = [await startLocked(), await startReceiver()];
  const flags = [...LOCAL_DESTINATIONS, '--deliver-interval-ms', '200'];
  let server = await startServer({ dataDir: folder.path, flags });
  try {
    const broken = await makeCustomer(server, 'broken', 'shop');
    const well = await makeCustomer(server, 'well', 'blog');
    const job = await makeJob(server, 'shop', locked.conf('Bearer right'));
    await makeJob(server, 'blog', other.url);
    const client = () =>
      new Cloudflare({
        apiToken: server.operatorToken,
        baseURL: `${server.controlUrl}/client/v4`,
        maxRetries: 0,
      });
    const edit = (key: string) =>
      client().logpush.jobs.update(job, { zone_id: 'shop', destination_conf: locked.conf(key) });
    await edit('Bearer wrong');
    const line = (n: number) => `{"RayID":"ray${n}"}\n`;
    const sent: string[] = [];
    for (let n = 0; n < REQUESTS; n += 1) {
      if (n === REQUESTS / 2) {
        assert.equal(await server.end('SIGKILL'), 'SIGKILL');
        server = await startServer({ dataDir: folder.path, flags });
      }
      assert.equal((await sendTo(server, broken, 'zones/shop/http_requests', line(n))).status, 200);
      assert.equal((await sendTo(server, well, 'zones/blog/http_requests', line(n))).status, 200);
      sent.push(line(n).trim());
    }
    await eventually('the neighbour has everything', () => other.lines().length === REQUESTS);
    assert.deepEqual(locked.lines, []);
    await eventually('it is refused', () => locked.refused() > 0);
    assert.ok(locked.refused() < REQUESTS / 3, `no hammering: ${locked.refused()}`);
    await edit(KEY);
    await eventually('the backlog is there', () => locked.lines.length >= REQUESTS);
    assert.equal(locked.lines.length, REQUESTS);
    assert.deepEqual(new Set(locked.lines), new Set(sent));
    // The receiver has a batch a moment before its receipt is on disk.
    await eventually(
      'all receipts are there',
      async () => (await ledgerOf(server, job)).total.waiting === 0,
    );
    const { total } = await ledgerOf(server, job);
    assert.deepEqual([total.delivered, total.waiting, total.balanced], [REQUESTS, 0, true]);
  } finally {
    await server.end('SIGTERM');
    other.close();
    locked.close();
    await folder.remove();
  }
});
