import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
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
  await eventually('the rest gets through', () => sink.linesOnce().length >= 60);
  assert.deepEqual(
    numbers(sink.linesOnce()),
    Array.from({ length: 60 }, (_, n) => n),
  );
  assert.equal((await forwarder.status()).lines.delivered, 60);
  await Promise.all([forwarder.end('SIGTERM'), server.end('SIGTERM')]);
  between.close();
  sink.close();
  await folder.remove();
});

test('a receiver that is away costs disk within the bound, then producers are refused; back again, all of it arrives and nothing was dropped (I3, I5)', async () => {
  // The least that can be set.
  const spoolBytes = 256 * 1024 * 1024;
  const folder = await temporaryFolder('forward-full');
  const sink = await startReceiver();
  const dataDir = join(folder.path, 'server');
  let server = await startServer({ dataDir, flags: FAST });
  const token = await makeCustomer(server, 'a1', 'z1');
  // Only the numbers go on, so that the sink need not hold it all.
  await makeJob(server, 'z1', sink.url, {
    output_options: { field_names: ['EdgeResponseStatus'] },
  });
  const ports = {
    ingestPort: Number(new URL(server.ingestUrl).port),
    controlPort: Number(new URL(server.controlUrl).port),
  };
  const forwarder = await startForwarder({
    dataDir: join(folder.path, 'forward'),
    token,
    receivers: [server.ingestUrl],
    wantedUrl: server.controlUrl,
    flags: ['--buffer-spool-bytes', String(spoolBytes), '--buffer-segment-bytes', '1048576'],
  });
  await eventually('it has a wanted set', async () => {
    return (await forwarder.status()).wanted.state === 'current';
  });
  await server.end('SIGKILL');
  const path = 'zones/z1/http_requests';
  const sent: number[] = [];
  let refusal: number | undefined;
  while (refusal === undefined && sent.length < 10_000) {
    const own = Array.from({ length: 40 }, (_, n) => sent.length + n);
    // Random bytes: deflated they take nearly as much disk as they look.
    const body = own.map(
      (n) => `{"EdgeResponseStatus":${n},"pad":"${randomBytes(150_000).toString('base64')}"}\n`,
    );
    const { status } = await sendTo(forwarder, '', path, body.join(''));
    if (status === 200) sent.push(...own);
    else refusal = status;
  }
  assert.ok(refusal === 503 || refusal === 429, `it was refused: ${refusal}`);
  const full = await forwarder.status();
  assert.ok(full.spool.heldBytes <= spoolBytes, `${full.spool.heldBytes} bytes`);
  assert.equal(full.spool.waitingLines, sent.length);
  assert.deepEqual(full.lines.dropped, {});

  server = await startServer({ dataDir, flags: FAST, ...ports });
  // A quarter of a gigabyte: as long as it gets on.
  for (let now = 0; now < sent.length; now = sink.linesOnce().length) {
    await eventually('more of it arrives', () => sink.linesOnce().length > now);
  }
  const arrived = sink
    .linesOnce()
    .map((line) => (JSON.parse(line) as { EdgeResponseStatus: number }).EdgeResponseStatus);
  assert.deepEqual(arrived, sent);
  await eventually('it takes lines again', async () => {
    return (await sendTo(forwarder, '', path, '{"n":-1}\n')).status === 200;
  });
  await Promise.all([forwarder.end('SIGTERM'), server.end('SIGTERM')]);
  sink.close();
  await folder.remove();
});
