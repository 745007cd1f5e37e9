import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { AppendRequest, AppendResult } from '../buffer/index.ts';
import { eventually, heard, openDoor } from './testing.ts';

const PATH = '/v1/ingest/zones/z1/http';

function head(more: string, token = 'secret-a1', path = PATH): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${more}\r\n\r\n`;
}

test('a connection cut in mid-body stores nothing and gives its memory back', async () => {
  await using door = await openDoor();
  for (const framing of ['Content-Length: 1000', 'Transfer-Encoding: chunked']) {
    const socket = await door.socket();
    socket.write(`${head(framing)}${framing.startsWith('T') ? '8\r\n{"a":1}\n\r\n' : '{"a":1}\n'}`);
    await eventually(() => door.ingest.stats().heldBytes === 8);
    socket.destroy();
    await eventually(() => door.ingest.stats().underWay === 0);
    assert.equal(door.ingest.stats().heldBytes, 0);
  }
  assert.equal(door.appended.length, 0);
  assert.equal(door.ingest.stats().cut, 2);
});

test('an upload that stalls is told so, and its connection ends', async () => {
  await using door = await openDoor({ limits: { stallMs: 40 } });
  const socket = await door.socket();
  const text = heard(socket);
  socket.write(`${head('Content-Length: 1000')}{"a":1}\n`);
  const answer = await text;
  assert.match(answer, /^HTTP\/1.1 408 /);
  assert.match(answer, /upload_stalled/);
  assert.match(answer, /Connection: close/i);
  assert.equal(door.appended.length, 0);
  await eventually(() => door.ingest.stats().heldBytes === 0);
  assert.equal(door.refusals[0]?.reason, 'upload_stalled');
});

test('an upload that trickles on is bounded as a whole', async () => {
  await using door = await openDoor({ limits: { stallMs: 1_000, requestMs: 60 } });
  const socket = await door.socket();
  const text = heard(socket);
  socket.write(head('Content-Length: 1000'));
  const drip = setInterval(() => socket.write(' '), 5);
  assert.match(await text, /^HTTP\/1.1 408 /);
  clearInterval(drip);
});

test('a body that is refused while it is being sent is answered, though the sender goes on for a while', async () => {
  await using door = await openDoor({ limits: { bodyBytes: 10_000, discardBytes: 1 << 20 } });
  const big = Buffer.alloc(900_000, '{}\n');
  const announced = await door.post(PATH, big);
  assert.deepEqual([announced.status, announced.json.error?.code], [413, 'body_too_large']);
  const chunked = await door.post(PATH, big, {
    'Content-Length': '',
    'Transfer-Encoding': 'chunked',
  });
  assert.deepEqual([chunked.status, chunked.json.error?.code], [413, 'body_too_large']);
  assert.equal(chunked.headers.connection, 'close');
  assert.equal(door.ingest.stats().heldBytes, 0);
});

test('I5: of a refused body only so much is read before the connection ends', async () => {
  await using door = await openDoor({ limits: { discardBytes: 100_000, discardMs: 60_000 } });
  const socket = await door.socket();
  const text = heard(socket);
  socket.on('error', () => {});
  socket.write(head('Content-Length: 900000000', 'wrong'));
  const pump = setInterval(() => socket.writable && socket.write(Buffer.alloc(20_000, 'x')), 1);
  assert.match(await text, /^HTTP\/1.1 401 /);
  clearInterval(pump);
});

test('a refused sender that sends nothing more is let go after a bounded time', async () => {
  await using door = await openDoor({ limits: { discardMs: 30 } });
  const socket = await door.socket();
  const text = heard(socket);
  socket.write(head('Content-Length: 900000000', 'wrong'));
  assert.match(await text, /^HTTP\/1.1 401 /);
});

test('Expect: 100-continue with a body too large is refused before the body is sent', async () => {
  await using door = await openDoor({ limits: { discardMs: 30 } });
  const socket = await door.socket();
  const text = heard(socket);
  socket.write(head('Expect: 100-continue\r\nContent-Length: 900000000'));
  assert.match(await text, /^HTTP\/1.1 413 /);
});

test('I5: 200 open uploads never hold more than the budget, and one account no more than its share', async () => {
  const heldBytes = 1_000_000;
  await using door = await openDoor({ limits: { heldBytes, heldBytesPerAccount: 600_000 } });
  const part = Buffer.alloc(20_000, '{"a":1}\n');
  const texts: Promise<string>[] = [];
  for (let index = 0; index < 200; index++) {
    const socket = await door.socket();
    texts.push(heard(socket));
    const [token, path] =
      index % 2 === 0 ? ['secret-a1', PATH] : ['secret-a2', '/v1/ingest/zones/z3/http'];
    socket.write(head('Content-Length: 40000', token, path));
    socket.write(part);
  }
  await eventually(() => door.ingest.stats().requests === 200);
  await eventually(() => {
    const { uploads, refusals } = door.ingest.stats();
    const refused = [...refusals.values()].reduce((sum, count) => sum + count, 0);
    return uploads + refused === 200 && door.ingest.stats().heldBytes >= uploads * 20_000;
  });
  const stats = door.ingest.stats();
  assert.ok(stats.heldBytesPeak <= heldBytes, `${stats.heldBytesPeak}`);
  assert.ok(stats.uploads >= 40 && stats.uploads <= 50, `${stats.uploads}`);
  assert.ok((stats.refusals.get('over_fair_share') ?? 0) > 0);
});

test('I6: one account over its share leaves room for another', async () => {
  await using door = await openDoor({
    limits: { heldBytes: 200_000, heldBytesPerAccount: 100_000 },
  });
  const socket = await door.socket();
  socket.write(head('Content-Length: 99000'));
  socket.write(Buffer.alloc(90_000, ' '));
  await eventually(() => door.ingest.stats().heldBytes === 90_000);
  const own = await door.post(PATH, Buffer.alloc(20_000, '{}\n'));
  assert.equal(own.json.error?.code, 'over_fair_share');
  const other = await door.post('/v1/ingest/zones/z3/http', Buffer.alloc(20_001, '{}\n'), {
    Authorization: 'Bearer secret-a2',
  });
  assert.equal(other.status, 200);
});

test('I5: a gzip bomb ends at the plain bound, and all memory comes back', async () => {
  await using door = await openDoor({ limits: { plainBytes: 1 << 20, heldBytes: 3 << 20 } });
  const bomb = gzipSync(Buffer.alloc(100 << 20, '{}\n'));
  const { status, json } = await door.post(PATH, bomb, { 'Content-Encoding': 'gzip' });
  assert.deepEqual([status, json.error?.code], [400, 'decompressed_too_large']);
  assert.equal(door.appended.length, 0);
  await eventually(() => door.ingest.stats().heldBytes === 0);
  assert.ok(door.ingest.stats().heldBytesPeak < 2 << 20);
});

test('memory is held until the answer, and is all given back', async () => {
  const append = async (_request: AppendRequest): Promise<AppendResult> => {
    assert.ok(door.ingest.stats().heldBytes >= 30_000);
    return { kind: 'stored', epoch: 'e', range: { from: 0, to: 1 }, repeat: false };
  };
  await using door = await openDoor({ deps: { append } });
  const body = '{"Zone":"z1","a":1}\n'.repeat(1_500);
  assert.equal((await door.post(PATH, body)).status, 200);
  assert.equal((await door.post('/v1/ingest/http?by=Zone', body)).status, 200);
  assert.equal((await door.post(PATH, gzipSync(body), { 'Content-Encoding': 'gzip' })).status, 200);
  await eventually(() => door.ingest.stats().heldBytes === 0);
});

test('draining refuses new requests and unfinished uploads, and finishes whole bodies', async () => {
  const durable = Promise.withResolvers<AppendResult>();
  await using door = await openDoor({ deps: { append: () => durable.promise } });
  const whole = door.post(PATH, '{}\n');
  const socket = await door.socket();
  const unfinished = heard(socket);
  socket.write(`${head('Content-Length: 1000')}{"a":1}\n`);
  await eventually(() => door.ingest.stats().uploads === 1 && door.ingest.stats().underWay === 2);
  let closed = false;
  const closing = door.ingest.close().then(() => (closed = true));
  const late = await door.post(PATH, '{}\n');
  assert.deepEqual(
    [late.status, late.json.error?.code, late.headers.connection],
    [503, 'draining', 'close'],
  );
  assert.ok(Number(late.headers['retry-after']) > 0);
  await eventually(() => door.ingest.stats().underWay === 1);
  assert.equal(closed, false);
  durable.resolve({ kind: 'stored', epoch: 'e', range: { from: 0, to: 1 }, repeat: false });
  const answer = await whole;
  assert.deepEqual([answer.status, answer.headers.connection], [200, 'close']);
  await closing;
  socket.end();
  assert.match(await unfinished, /^HTTP\/1.1 503 [^]*draining/);
});
