import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { AppendRequest, AppendResult } from '../buffer/index.ts';
import { eventually, heard, openDoor, sampleSnapshot } from './testing.ts';

const PATH = '/v1/ingest/zones/z1/http';
const BODY = '{"a":1}\n\n{"b":2}\r\n{"c":3}';
const STORED = '{"a":1}\n{"b":2}\r\n{"c":3}\n';

test('I1: an answer says what was accepted, where it stands and what that rests on', async () => {
  await using door = await openDoor();
  const { status, json } = await door.post(PATH, BODY);
  assert.equal(status, 200);
  assert.deepEqual(json, {
    durability: 'disk',
    accepted: 3,
    unwanted: 0,
    quarantined: 0,
    streams: [
      {
        stream: 'zones/z1/http',
        accepted: 3,
        epoch: '00000000000000aa',
        offsets: { from: 0, to: 3 },
      },
    ],
    keysReachBackS: 3600,
  });
  assert.equal(door.stored('zones/z1/http'), STORED);
  assert.equal(door.appended[0]?.account, 'a1');
  assert.equal(door.appended[0]?.identity, undefined);
  const second = await door.post(PATH, BODY);
  assert.deepEqual(second.json.streams?.[0]?.offsets, { from: 3, to: 6 });
});

test('I1: there is no answer before the lines are on stable storage', async () => {
  const durable = Promise.withResolvers<AppendResult>();
  await using door = await openDoor({ deps: { append: () => durable.promise } });
  let answered = false;
  const answer = door.post(PATH, BODY).finally(() => (answered = true));
  await eventually(() => door.ingest.stats().uploads === 0 && door.ingest.stats().bodyBytes > 0);
  assert.equal(answered, false);
  durable.resolve({ kind: 'stored', epoch: 'e', range: { from: 0, to: 3 }, repeat: true });
  assert.equal((await answer).json.streams?.[0]?.repeat, true);
  assert.equal(door.ingest.stats().repeatedLines, 3);
  assert.equal(door.ingest.stats().acceptedLines, 0);
});

test('gzip, zstd and identity give the same lines, whole or in chunks', async () => {
  await using door = await openDoor();
  for (const [coding, body] of [
    ['gzip', gzipSync(BODY)],
    ['GZip', Buffer.concat([gzipSync(BODY.slice(0, 10)), gzipSync(BODY.slice(10))])],
    ['zstd', zstdCompressSync(BODY)],
    ['identity', Buffer.from(BODY)],
  ] as const) {
    door.appended.length = 0;
    const whole = await door.post(PATH, body, { 'Content-Encoding': coding });
    assert.equal(whole.status, 200, coding);
    const chunked = await door.post(PATH, body, {
      'Content-Encoding': coding,
      'Content-Length': '',
      'Transfer-Encoding': 'chunked',
    });
    assert.equal(chunked.status, 200, coding);
    assert.equal(door.stored('zones/z1/http'), STORED + STORED);
  }
});

test('account scopes have their own datasets', async () => {
  await using door = await openDoor();
  const { json } = await door.post('/v1/ingest/accounts/a1/audit', '{}\n');
  assert.equal(json.streams?.[0]?.stream, 'accounts/a1/audit');
});

test('a body without lines is taken, and appends nothing', async () => {
  await using door = await openDoor();
  for (const body of ['', '\n \r\n']) {
    const { status, json } = await door.post(PATH, body);
    assert.deepEqual([status, json.accepted, json.streams], [200, 0, []]);
  }
  assert.equal(door.appended.length, 0);
});

test('lines that nobody wants are counted, not accepted, and reach no buffer', async () => {
  await using door = await openDoor();
  const { status, json } = await door.post('/v1/ingest/zones/z2/http', BODY);
  assert.equal(status, 200);
  assert.deepEqual([json.accepted, json.unwanted], [0, 3]);
  assert.deepEqual(json.streams, [{ stream: 'zones/z2/http', unwanted: 3 }]);
  assert.equal(door.appended.length, 0);
  assert.deepEqual([...door.ingest.stats().unwantedByStream], [['zones/z2/http', 3]]);
});

test('I5: streams with unwanted lines are counted one by one up to a bound', async () => {
  const snapshot = { ...sampleSnapshot(), jobs: [] };
  await using door = await openDoor({ snapshot, limits: { unwantedStreams: 1 } });
  await door.post('/v1/ingest/zones/z1/http', BODY);
  await door.post('/v1/ingest/zones/z2/http', BODY);
  assert.equal(door.ingest.stats().unwantedLines, 6);
  assert.deepEqual([...door.ingest.stats().unwantedByStream.keys()], ['zones/z1/http']);
});

test('a key becomes an identity of its own per token and stream', async () => {
  await using door = await openDoor();
  const send = async (path: string, token: string, key: string): Promise<string> => {
    await door.post(path, '{"Zone":"z1"}\n', {
      Authorization: `Bearer ${token}`,
      'Idempotency-Key': key,
    });
    const identity = door.appended.at(-1)?.identity;
    assert.equal(identity?.kind, 'key');
    assert.equal(identity.hash.length, 16);
    return identity.hash.toString('hex');
  };
  const first = await send(PATH, 'secret-a1', 'k1');
  assert.equal(await send(PATH, 'secret-a1', 'k1'), first);
  assert.notEqual(await send(PATH, 'secret-z1', 'k1'), first);
  assert.notEqual(await send(PATH, 'secret-a1', 'k2'), first);
  assert.notEqual(await send('/v1/ingest/zones/z1/exact', 'secret-a1', 'k1'), first);
  assert.equal(await send('/v1/ingest/http?by=Zone', 'secret-a1', 'k1'), first);
});

test('a producer says who it is, and how far it has come', async () => {
  await using door = await openDoor();
  await door.post(PATH, BODY, { 'Waybill-Producer': '00f3a1c2d4e5f607;epoch=3;seq=1812' });
  const expected: AppendRequest['identity'] = {
    kind: 'producer',
    producer: 0x00f3a1c2d4e5f607n,
    epoch: 3,
    sequence: 1812,
  };
  assert.deepEqual(door.appended[0]?.identity, expected);
});

test('?invalid=quarantine keeps bad lines apart, and accepts the others', async () => {
  await using door = await openDoor();
  const { status, json } = await door.post(
    `${PATH}?invalid=quarantine`,
    '{"a":1}\noops\n\n{"b":2}\n{"c"\n',
  );
  assert.equal(status, 200);
  assert.deepEqual([json.accepted, json.quarantined, json.streams?.[0]?.quarantined], [2, 2, 2]);
  assert.equal(door.stored('zones/z1/http'), '{"a":1}\n{"b":2}\n');
  const [entry] = door.kept;
  assert.deepEqual(
    {
      ...entry,
      lines: entry?.lines.map(({ line, bytes, problem }) => [line, bytes.toString(), problem]),
    },
    {
      stream: 'zones/z1/http',
      account: 'a1',
      reason: 'quarantined',
      lines: [
        [2, 'oops', 'line_shape'],
        [5, '{"c"', 'line_shape'],
      ],
    },
  );
});

test('a body of 2,000 lines over many zones is answered stream by stream', async () => {
  await using door = await openDoor({ snapshot: sampleSnapshot(700) });
  const lines = Array.from(
    { length: 2_000 },
    (_, index) => `{"n":${index},"Zone":"m${index % 700}.example"}\n`,
  );
  const { status, json } = await door.post('/v1/ingest/http?by=Zone', lines.join(''), {
    Authorization: 'Bearer secret-all',
  });
  assert.equal(status, 200);
  assert.equal(json.accepted, 2_000);
  assert.equal(json.streams?.length, 700);
  assert.equal(door.appended.length, 700);
  assert.equal(
    door.stored('zones/m5/http'),
    lines.filter((_, index) => index % 700 === 5).join(''),
  );
  assert.equal(door.appended[8]?.account, 'b1');
});

test('I6: in a ?by= body one stream’s refusal is not another’s', async () => {
  const append = async (request: AppendRequest): Promise<AppendResult> =>
    request.stream === 'zones/z3/http'
      ? { kind: 'refused', reason: 'over_fair_share', retryAfterMs: 1_500 }
      : { kind: 'stored', epoch: 'e', range: { from: 5, to: 6 }, repeat: false };
  await using door = await openDoor({ deps: { append } });
  const body =
    '{"Zone":"one.example"}\n{"Zone":"z2"}\n{"Zone":"z3"}\n{"Zone":"z3"}\n{"x":1}\n{"Zone":"nobody"}\n';
  const { status, json, headers } = await door.post('/v1/ingest/http?by=Zone', body, {
    Authorization: 'Bearer secret-all',
  });
  assert.equal(status, 200);
  assert.equal(headers['retry-after'], undefined);
  assert.deepEqual([json.accepted, json.unwanted], [1, 1]);
  const refused = json.streams
    ?.slice(2)
    .map((part) => [
      part.stream,
      part.refused?.code,
      part.refused?.retryAfterS,
      part.refused?.line,
      part.lines,
    ]);
  assert.deepEqual(refused, [
    ['zones/z3/http', 'over_fair_share', 2, undefined, 2],
    [undefined, 'routing_field_missing', undefined, 5, 2],
  ]);
  assert.deepEqual(json.streams?.slice(0, 2), [
    { stream: 'zones/z1/http', accepted: 1, epoch: 'e', offsets: { from: 5, to: 6 } },
    { stream: 'zones/z2/http', unwanted: 1 },
  ]);
  assert.deepEqual(
    door.refusals.map(({ stream, reason, requests, lines }) => [stream, reason, requests, lines]),
    [['zones/z3/http', 'over_fair_share', 1, 2]],
  );
});

test('Expect: 100-continue is told to go on, and its lines are taken', async () => {
  await using door = await openDoor();
  const socket = await door.socket();
  const first = heard(socket, '100 Continue');
  socket.write(
    `POST ${PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret-a1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n`,
  );
  assert.match(await first, /^HTTP\/1.1 100 Continue\r\n/);
  const second = heard(socket, 'keysReachBackS');
  socket.write('{}\n');
  assert.match(await second, /^HTTP\/1.1 200 /);
});

test('one connection takes one request after the other', async () => {
  await using door = await openDoor();
  const socket = await door.socket();
  const request = (token: string): string =>
    `POST ${PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 3\r\n\r\n{}\n`;
  const text = heard(socket);
  socket.write(request('secret-a1') + request('wrong') + request('secret-a1'));
  await eventually(() => door.appended.length === 2);
  socket.end();
  assert.deepEqual((await text).match(/HTTP\/1.1 \d+/g), [
    'HTTP/1.1 200',
    'HTTP/1.1 401',
    'HTTP/1.1 200',
  ]);
});
