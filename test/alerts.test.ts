/** Watchdogs over the real server: a dropped line is an alert in the API, in the metrics, and after a restart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCustomer, makeJob, sendTo } from './support/customer.ts';
import { eventually, startReceiver } from './support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from './support/server.ts';
import type { Server } from './support/server.ts';

interface Alerts {
  readonly alerts: readonly {
    readonly kind: string;
    readonly subject: string;
    readonly account: string | null;
    readonly text: string;
    readonly times: number;
  }[];
}

const alertsOf = (server: Server, token?: string) =>
  server.call<Alerts>('GET', '/v1/alerts', undefined, token);

test('a line that is dropped is an alert for the operator and for the account concerned, and a restart neither forgets nor repeats it', async () => {
  const folder = await temporaryFolder('alerts');
  const receiver = await startReceiver();
  const start = () =>
    startServer({
      dataDir: folder.path,
      flags: [...LOCAL_DESTINATIONS, '--deliver-interval-ms', '200'],
    });
  let server = await start();
  try {
    const shop = await makeCustomer(server, 'acme', 'shop');
    await makeCustomer(server, 'other', 'elsewhere');
    const filter = '{"where":{"key":"EdgeResponseStatus","operator":"eq","value":200}}';
    const job = await makeJob(server, 'shop', receiver.url, { filter });
    const tokenOf = async (account: string) =>
      (
        await server.call<{ token: string }>('POST', '/v1/tokens', {
          kind: 'account',
          name: account,
          permissions: ['logs_read'],
          scopes: [{ kind: 'account', id: account }],
        })
      ).token;
    const acme = await tokenOf('acme');
    const other = await tokenOf('other');
    assert.deepEqual((await alertsOf(server)).alerts, []);
    // Braces are all that ingest asks for; the filter has to look inside.
    const lines =
      '{"EdgeResponseStatus":200}\n{"EdgeResponseStatus":}\n{"EdgeResponseStatus":200}\n';
    assert.equal((await sendTo(server, shop, 'zones/shop/http_requests', lines)).status, 200);
    await eventually('the loss is told', async () => (await alertsOf(server)).alerts.length > 0);
    const [alert] = (await alertsOf(server)).alerts;
    assert.equal(alert?.kind, 'lines_lost');
    assert.equal(alert?.subject, `job ${job}: malformed`);
    assert.equal(alert?.account, 'acme');
    assert.match(alert?.text ?? '', /^1 line received in the hour of .* was dropped as malformed/);
    assert.equal((await alertsOf(server, acme)).alerts.length, 1);
    assert.deepEqual((await alertsOf(server, other)).alerts, [], "others' alerts are not shown");
    const metrics = await (await fetch(`${server.controlUrl}/metrics`)).text();
    assert.match(metrics, /^waybill_alerts_firing\{kind="lines_lost"\} 1$/m);
    assert.match(metrics, /^waybill_alerts_firing\{kind="nothing_settles"\} 0$/m);
    assert.equal(await server.end('SIGKILL'), 'SIGKILL');
    server = await start();
    assert.deepEqual((await alertsOf(server)).alerts, [alert]);
  } finally {
    await server.end('SIGTERM');
    receiver.close();
    await folder.remove();
  }
});
