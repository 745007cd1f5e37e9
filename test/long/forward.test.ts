import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { forwardLoop } from '../kill/forward-loop.ts';
import { makeCustomer, makeJob, sendTo } from '../support/customer.ts';
import { startForwarder } from '../support/forwarder.ts';
import { lastingPorts } from '../support/ports.ts';
import { eventually, startReceiver } from '../support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from '../support/server.ts';
import { startSwallow } from '../support/swallow.ts';

const FAST = [...LOCAL_DESTINATIONS, '--deliver-interval-ms', '200'] as const;
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `{"n":${from + n}}\n`).join('');
const numbers = (got: readonly string[]) =>
  got.map((line) => (JSON.parse(line) as { n: number }).n);

test('30 kills of forwarder and server under load: every promised line stands at the destination once (I1, I7)', async () => {
  const { kills, verdict, repeats, problems } = await forwardLoop({
    kills: 30,
    mostMs: 5 * 60_000,
    producers: 4,
  });
  assert.deepEqual(problems, []);
  assert.ok(kills >= 10 && verdict.promised > 1_000, `${kills} kills, ${verdict.promised} lines`);
  assert.ok(repeats > 0, 'a batch was sent again after a lost answer');
  const { missing, spurious, damaged, repeated } = verdict;
  assert.deepEqual(
    [missing, spurious, damaged, repeated],
    [0, 0, 0, 0],
    verdict.examples.join('\n'),
  );
});

test('a batch whose answer was lost is known after a restart of both sides (I7)', async () => {
  const folder = await temporaryFolder('forward-repeat');
  const sink = await startReceiver();
  const dataDir = join(folder.path, 'server');
  const ports = await lastingPorts();
  let server = await startServer({ dataDir, flags: FAST, ...ports });
  const token = await makeCustomer(server, 'a1', 'z1');
  await makeJob(server, 'z1', sink.url);
  const between = await startSwallow(() => server.ingestUrl);
  const options = {
    dataDir: join(folder.path, 'forward'),
    token,
    receivers: [between.url],
    wantedUrl: server.controlUrl,
  };
  let forwarder = await startForwarder(options);
  between.swallow(true);
  await sendTo(forwarder, '', 'zones/z1/http_requests', lines(0, 50));
  await eventually('an answer is lost', () => between.lost > 0);
  await eventually('the lines got through', () => sink.lines().length === 50);
  await Promise.all([forwarder.end('SIGKILL'), server.end('SIGKILL')]);
  server = await startServer({ dataDir, flags: FAST, ...ports });
  between.swallow(false);
  forwarder = await startForwarder(options);
  await sendTo(forwarder, '', 'zones/z1/http_requests', lines(50, 60));
  await eventually('the rest gets through', () => sink.lines().length >= 60);
  assert.deepEqual(
    numbers(sink.lines()),
    Array.from({ length: 60 }, (_, n) => n),
  );
  assert.equal((await forwarder.status()).lines.delivered, 60);
  await Promise.all([forwarder.end('SIGTERM'), server.end('SIGTERM')]);
  between.close();
  sink.close();
  await folder.remove();
});
