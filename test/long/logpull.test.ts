/** Logpull at the real server, whose windows must lie a minute back: that is why it is long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Cloudflare from 'cloudflare';
import { startServer, temporaryFolder } from '../support/server.ts';
import type { Server } from '../support/server.ts';

const SECOND = 1_000;

test('a zone with the flag and without a job: seconds pulled one by one give each line once, before and after a kill', async () => {
  const folder = await temporaryFolder('pull');
  let server = await startServer({ dataDir: folder.path });
  await server.call('PUT', '/v1/accounts/a1', { name: 'One' });
  await server.call('PUT', '/v1/zones/z1', { account: 'a1', name: 'one.example' });
  const client = (at: Server) =>
    new Cloudflare({
      apiToken: at.operatorToken,
      baseURL: `${at.controlUrl}/client/v4`,
      maxRetries: 0,
    });
  await client(server).logs.control.retention.create({ zone_id: 'z1', flag: true });
  const { token } = await server.call<{ token: string }>('POST', '/v1/tokens', {
    kind: 'ingest',
    scopes: 'all',
  });

  const begin = Math.floor(Date.now() / SECOND) * SECOND;
  let sent = 0;
  while (Date.now() < begin + 8 * SECOND) {
    const lines = Array.from({ length: 500 }, () => `{"RayID":"r${sent++}"}\n`).join('');
    const answer = await fetch(`${server.ingestUrl}/v1/ingest/zones/z1/http_requests`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: lines,
    });
    assert.equal(((await answer.json()) as { accepted: number }).accepted, 500);
  }
  const end = Math.ceil(Date.now() / SECOND) * SECOND;
  const found = await client(server).logs.RayID.get(`r${sent - 1}`, {
    zone_id: 'z1',
    fields: 'RayID',
  });
  assert.equal(found, `{"RayID":"r${sent - 1}"}\n`);

  await new Promise((resolve) => setTimeout(resolve, end + 61 * SECOND - Date.now()));
  const windows: string[] = [];
  for (let start = begin; start < end; start += SECOND) {
    windows.push(await pulled(client(server), start));
  }
  const numbers = [...windows.join('').matchAll(/"r(\d+)"/g)].map(([, n]) => Number(n));
  assert.deepEqual(
    numbers.toSorted((a, b) => a - b),
    Array.from({ length: sent }, (_, n) => n),
  );

  await server.end('SIGKILL');
  server = await startServer({ dataDir: folder.path });
  for (const [index, text] of windows.slice(0, 4).entries())
    assert.equal(await pulled(client(server), begin + index * SECOND), text);
  await server.end('SIGTERM');
  await folder.remove();
});

async function pulled(client: Cloudflare, start: number): Promise<string> {
  const answer = await client.logs.received.get({
    zone_id: 'z1',
    start: String(start / SECOND),
    end: String(start / SECOND + 1),
    fields: 'RayID',
  });
  return String(answer);
}
