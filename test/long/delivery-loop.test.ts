/** Two servers whose jobs deliver to each other: the loop is found and told, and nothing grows. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ledgerOf, makeCustomer, makeJob, sendTo } from '../support/customer.ts';
import { eventually, startReceiver } from '../support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from '../support/server.ts';
import type { Server } from '../support/server.ts';

const folder = await temporaryFolder('loop');
after(() => folder.remove());

const FLAGS = [
  ...LOCAL_DESTINATIONS,
  '--deliver-interval-ms',
  '200',
  '--buffer-low-watermark',
  '0.97',
  '--buffer-high-watermark',
  '0.98',
];

const STREAM = 'zones/z/http_requests';
const SECRET = 'header_Authorization=Bearer%20';

/** Either kind of destination that leads to another Waybill. */
const CONFS = {
  http: ({ ingestUrl }: Server, token: string) =>
    `${ingestUrl}/v1/ingest/${STREAM}?${SECRET}${token}`,
  waybill: ({ ingestUrl }: Server, token: string) =>
    `waybill://${new URL(ingestUrl).host}?tls=false&token=${token}`,
};

interface JobStatus {
  readonly result: { readonly error_message: string | null };
}

for (const [kind, conf] of Object.entries(CONFS)) {
  test(`${kind}: a loop over two servers ends after one lap, and the job's status says so`, async (t) => {
    const elsewhere = await startReceiver();
    const a = await startServer({ dataDir: join(folder.path, `${kind}-a`), flags: FLAGS });
    const b = await startServer({ dataDir: join(folder.path, `${kind}-b`), flags: FLAGS });
    t.after(() => {
      elsewhere.close();
      for (const { child } of [a, b]) child.kill('SIGKILL');
    });
    const [tokenA, tokenB] = [await makeCustomer(a, 'x', 'z'), await makeCustomer(b, 'x', 'z')];
    const toB = await makeJob(a, 'z', conf(b, tokenB));
    const toA = await makeJob(b, 'z', conf(a, tokenA));
    const lines = Array.from({ length: 40 }, (_, n) => `{"n":${n}}`);
    const sent = await sendTo(a, tokenA, STREAM, lines.join('\n'));
    assert.equal(sent.body.accepted, 40);

    const statusOf = async (server: Server, job: number) =>
      (await server.call<JobStatus>('GET', `/client/v4/zones/z/logpush/jobs/${job}`)).result;
    await eventually('the loop is told', async () =>
      /a delivery loop/.test((await statusOf(b, toA)).error_message ?? ''),
    );
    // More of the same for some attempts.
    await sendTo(a, tokenA, STREAM, lines.join('\n'));
    await eventually(
      'the second request went its way',
      async () => (await ledgerOf(b, toA)).total.accepted === 80,
    );
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const [there, back] = [(await ledgerOf(a, toB)).total, (await ledgerOf(b, toA)).total];
    assert.deepEqual([there.accepted, there.delivered, there.waiting], [80, 80, 0]);
    assert.deepEqual([back.accepted, back.delivered, back.waiting], [80, 0, 80]);

    // Nothing of it is lost: once the job points elsewhere, the lines go there.
    await b.call('PUT', `/client/v4/zones/z/logpush/jobs/${toA}`, {
      destination_conf: elsewhere.url,
    });
    await eventually('all lines are elsewhere', () => elsewhere.lines().length >= 80);
    assert.deepEqual(new Set(elsewhere.lines()), new Set(lines));
    for (const server of [a, b]) assert.equal(await server.end('SIGTERM'), 0);
  });
}
