/** A forwarder before a server, whole processes: lines get through once, whichever of them goes away meanwhile. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeCustomer, makeJob, sendTo } from './support/customer.ts';
import { startForwarder } from './support/forwarder.ts';
import { lastingPorts } from './support/ports.ts';
import { eventually, startReceiver } from './support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from './support/server.ts';

const FAST = [...LOCAL_DESTINATIONS, '--deliver-interval-ms', '200'] as const;
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `{"n":${from + n}}\n`).join('');
const numbers = (got: readonly string[]) =>
  got.map((line) => (JSON.parse(line) as { n: number }).n);

test('lines wait for the first wanted set, survive a killed forwarder and a receiver that is away, and arrive once (I1, I4, I7)', async () => {
  const folder = await temporaryFolder('forward');
  const sink = await startReceiver();
  const dataDir = join(folder.path, 'server');
  const ports = await lastingPorts();
  let server = await startServer({ dataDir, flags: FAST, ...ports });
  const token = await makeCustomer(server, 'a1', 'z1');
  const options = {
    dataDir: join(folder.path, 'forward'),
    token,
    receivers: [server.ingestUrl],
    wantedUrl: server.controlUrl,
  };
  let forwarder = await startForwarder(options);
  const path = 'zones/z1/http_requests';
  const early = await sendTo(forwarder, '', path, lines(0, 10));
  assert.equal(early.body.accepted, 10);
  await eventually('the blank set is refused', async () =>
    /names no stream/.test((await forwarder.status()).wanted.problem ?? ''),
  );
  assert.equal((await forwarder.status()).wanted.state, 'none');
  const sorted = await sendTo(forwarder, '', 'http_requests?by=Zone', '{"Zone":"z1"}\n');
  assert.equal(sorted.status, 503, 'nobody can sort yet');

  await makeJob(server, 'z1', sink.url);
  await eventually('the spooled lines are delivered', () => sink.lines().length === 10);
  const unwanted = await sendTo(forwarder, '', 'zones/z9/http_requests', lines(0, 3));
  assert.deepEqual([unwanted.body.accepted, unwanted.body.unwanted], [0, 3]);

  await server.end('SIGKILL');
  assert.equal((await sendTo(forwarder, '', path, lines(10, 20))).body.accepted, 10);
  await forwarder.end('SIGKILL');
  forwarder = await startForwarder(options);
  assert.equal((await forwarder.status()).wanted.state, 'last_good');
  const mixed = '{"Zone":"z1","n":20}\n{"Zone":"nobody","n":-1}\n{"Zone":"z1.example","n":21}\n';
  const split = await sendTo(forwarder, '', 'http_requests?by=Zone', mixed);
  assert.deepEqual([split.body.accepted, split.body.unwanted], [2, 1]);
  await eventually('the receiver is missed', async () => !(await forwarder.status()).ok);

  server = await startServer({ dataDir, flags: FAST, ...ports });
  await eventually('everything is delivered', () => sink.linesOnce().length >= 22);
  // The kill may have come between a batch's arrival and its waybill: then it comes again, and is known by its id.
  assert.deepEqual(
    numbers(sink.linesOnce()),
    Array.from({ length: 22 }, (_, n) => n),
  );
  await eventually('all is well', async () => (await forwarder.status()).ok);
  const { lines: counted } = await forwarder.status();
  assert.equal(counted.delivered, 22);
  assert.equal(await forwarder.end('SIGTERM'), 0);
  assert.equal(await server.end('SIGTERM'), 0);
  sink.close();
  await folder.remove();
});
