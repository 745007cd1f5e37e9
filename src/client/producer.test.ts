import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import { createProducer } from './producer.ts';
import type { BodyResult, ProducerOptions } from './contract.ts';

interface Seen {
  readonly path: string;
  readonly key: string;
  readonly body: string;
}

/** A server that answers as it is told, and what it saw. */
async function serverOf(
  answer: (seen: Seen, number: number, response: ServerResponse, request: IncomingMessage) => void,
) {
  const requests: Seen[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const raw = Buffer.concat(pieces);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      const seen = {
        path: request.url!,
        key: String(request.headers['idempotency-key']),
        body: body.toString(),
      };
      requests.push(seen);
      answer(seen, requests.length, response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    requests,
    url: `http://127.0.0.1:${port}`,
    close: () => (server.closeAllConnections(), server.close()),
  };
}

const lineCount = (text: string) => text.split('\n').filter((line) => line !== '').length;
const take = (seen: Seen, response: ServerResponse) => {
  response.end(
    JSON.stringify({
      durability: 'disk',
      accepted: lineCount(seen.body),
      unwanted: 0,
      streams: [],
    }),
  );
};
/** Waits are over at once, so that retries cost no time. */
const hasty: Clock = { ...systemClock, sleep: () => Promise.resolve() };
const target = { scope: { kind: 'zone', id: 'z1' }, dataset: 'http_requests' } as const;
const producerTo = (url: string, more: Partial<ProducerOptions> = {}) =>
  createProducer({ url, token: 't', target, clock: hasty, ...more });

test('lines written one by one go out together, in order, under one key', async () => {
  const server = await serverOf((seen, _number, response) => take(seen, response));
  const producer = producerTo(server.url);
  for (let n = 0; n < 5; n++) await producer.write(`{"n":${n}}`);
  await producer.close();
  assert.equal(server.requests.length, 1);
  assert.equal(server.requests[0]!.body, '{"n":0}\n{"n":1}\n{"n":2}\n{"n":3}\n{"n":4}\n');
  assert.equal(server.requests[0]!.path, '/v1/ingest/zones/z1/http_requests');
  assert.deepEqual(producer.totals(), {
    written: 5,
    accepted: 5,
    unwanted: 0,
    quarantined: 0,
    refused: 0,
    bodies: 1,
    retries: 0,
  });
  server.close();
});

test('a body without an answer is sent again under the same key (I7)', async () => {
  const server = await serverOf((seen, number, response, request) => {
    if (number === 1) request.socket.destroy();
    else if (number === 2) response.writeHead(503, { 'retry-after': '1' }).end('{}');
    else take(seen, response);
  });
  const producer = producerTo(server.url);
  await producer.write('{"a":1}\n');
  await producer.close();
  assert.equal(server.requests.length, 3);
  assert.equal(new Set(server.requests.map((request) => request.key)).size, 1);
  assert.equal(new Set(server.requests.map((request) => request.body)).size, 1);
  assert.equal(producer.totals().accepted, 1);
  server.close();
});

test('one stream refused for the time being has the whole body sent again', async () => {
  const wait = {
    stream: 'zones/b/d',
    lines: 1,
    refused: { code: 'over_fair_share', message: 'wait', retryAfterS: 1 },
  };
  const server = await serverOf((seen, number, response) => {
    if (number === 1)
      response.end(
        JSON.stringify({ accepted: 1, streams: [{ stream: 'zones/a/d', accepted: 1 }, wait] }),
      );
    else take(seen, response);
  });
  const producer = producerTo(server.url, { target: { by: 'ZoneName', dataset: 'd' } });
  await producer.write('{"ZoneName":"a"}\n{"ZoneName":"b"}\n');
  await producer.close();
  assert.equal(server.requests.length, 2);
  assert.equal(server.requests[0]!.path, '/v1/ingest/d?by=ZoneName');
  assert.equal(producer.totals().accepted, 2);
  server.close();
});

test('a refusal that will not pass is reported with its lines, and not repeated', async () => {
  const error = { code: 'line_shape', message: 'bad', line: 1 };
  const server = await serverOf((_seen, _number, response) => {
    response.writeHead(400, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error }));
  });
  const results: BodyResult[] = [];
  const producer = producerTo(server.url, { onResult: (result) => results.push(result) });
  await producer.write('nonsense\n');
  await producer.close();
  assert.equal(server.requests.length, 1);
  assert.equal(results[0]!.kind, 'refused');
  assert.equal(results[0]!.body.toString(), 'nonsense\n');
  assert.deepEqual(results[0]!.error, error);
  assert.equal(producer.totals().refused, 1);
  server.close();
});

test('bodies are cut behind newlines, and compressed ones hold the same lines', async () => {
  const server = await serverOf((seen, _number, response) => take(seen, response));
  const producer = producerTo(server.url, { bodyBytes: 100, compression: 'gzip' });
  const lines = Array.from({ length: 50 }, (_, n) => `{"n":${n},"pad":"xxxxxxxx"}\n`);
  await producer.write(lines.join(''));
  await producer.close();
  assert.ok(server.requests.length > 10);
  for (const request of server.requests) {
    assert.ok(request.body.length <= 100);
    assert.ok(request.body.endsWith('\n'));
  }
  const arrived = server.requests.flatMap((request) =>
    request.body.split('\n').filter((line) => line !== ''),
  );
  assert.deepEqual(new Set(arrived), new Set(lines.map((line) => line.trimEnd())));
  assert.equal(arrived.length, 50);
  server.close();
});

test('writing waits while too much is unanswered (I5)', async () => {
  let release = () => {};
  const server = await serverOf((seen, number, response) => {
    if (number === 1) release = () => take(seen, response);
    else take(seen, response);
  });
  const producer = producerTo(server.url, { bodyBytes: 10, heldBytes: 20, connections: 1 });
  await producer.write('{"a":11}\n{"a":12}\n');
  let second = false;
  const blocked = producer.write('{"a":13}\n').then(() => (second = true));
  while (server.requests.length === 0) await systemClock.sleep(1);
  assert.equal(second, false);
  release();
  await blocked;
  await producer.close();
  assert.equal(producer.totals().accepted, 3);
  server.close();
});
