import assert from 'node:assert/strict';
import type { OutgoingHttpHeaders } from 'node:http';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { AppendResult } from '../buffer/index.ts';
import { ERRORS } from '../model/errors.ts';
import type { ErrorCode } from '../model/errors.ts';
import { openDoor } from './testing.ts';
import type { DoorOptions } from './testing.ts';

const PATH = '/v1/ingest/zones/z1/http';

interface Case {
  readonly code: ErrorCode;
  readonly path?: string;
  readonly body?: string | Buffer;
  readonly headers?: OutgoingHttpHeaders;
  readonly door?: DoorOptions;
  readonly line?: number;
  readonly at?: string;
  readonly retryAfterS?: number;
  /** What the customer's books are told: the number of lines; undefined when they are told nothing. */
  readonly counted?: number;
}

const appendGives = (result: AppendResult): DoorOptions => ({
  deps: { append: async () => result },
});
const refusedFor = (reason: Extract<AppendResult, { kind: 'refused' }>['reason']): DoorOptions =>
  appendGives({ kind: 'refused', reason, retryAfterMs: 2_500 });

const cases: readonly Case[] = [
  { code: 'token_missing', headers: { Authorization: '' } },
  { code: 'token_missing', headers: { Authorization: 'Basic c2VjcmV0' } },
  { code: 'token_unknown', headers: { Authorization: 'Bearer secret-a1x' } },
  { code: 'scope_not_allowed', headers: { Authorization: 'Bearer secret-a2' } },
  { code: 'scope_not_allowed', path: '/v1/ingest/zones/nowhere/http' },
  {
    code: 'scope_unknown',
    path: '/v1/ingest/zones/nowhere/http',
    headers: { Authorization: 'Bearer secret-all' },
  },
  { code: 'dataset_unknown', path: '/v1/ingest/zones/z1/audit' },
  { code: 'dataset_unknown', path: '/v1/ingest/audit?by=Zone' },
  { code: 'route_unknown', path: '/v1/ingest/' },
  { code: 'route_unknown', path: '/v1/ingest/zones/z1' },
  { code: 'route_unknown', path: '/v1/ingest/planets/z1/http' },
  { code: 'route_unknown', path: '/' },
  {
    code: 'delivery_loop',
    headers: { 'Waybill-Via': 'me' },
    door: { deps: { instance: 'me' } },
    counted: 0,
  },
  {
    code: 'delivery_loop',
    headers: { 'Waybill-Via': 'other, me' },
    door: { deps: { instance: 'me' } },
    counted: 0,
  },
  { code: 'method_not_allowed', headers: { method: 'PUT' } },
  { code: 'query_invalid', path: `${PATH}?colour=red` },
  { code: 'query_invalid', path: `${PATH}?invalid=drop`, at: 'invalid' },
  { code: 'query_invalid', path: `${PATH}?by=Zone`, at: 'by' },
  { code: 'query_invalid', path: '/v1/ingest/http', at: 'by' },
  { code: 'query_invalid', path: '/v1/ingest/http?by=', at: 'by' },
  { code: 'query_invalid', path: '/v1/ingest/http?by=a&by=b', at: 'by' },
  { code: 'key_invalid', headers: { 'Idempotency-Key': 'a b' }, at: 'Idempotency-Key', counted: 0 },
  {
    code: 'key_invalid',
    headers: { 'Idempotency-Key': 'k'.repeat(257) },
    at: 'Idempotency-Key',
    counted: 0,
  },
  {
    code: 'key_invalid',
    headers: { 'Waybill-Producer': 'me;epoch=1;seq=1' },
    at: 'Waybill-Producer',
    counted: 0,
  },
  {
    code: 'encoding_unknown',
    headers: { 'Content-Encoding': 'br' },
    at: 'Content-Encoding',
    counted: 0,
  },
  {
    code: 'encoding_unknown',
    headers: { 'Content-Encoding': 'gzip, gzip' },
    at: 'Content-Encoding',
    counted: 0,
  },
  {
    code: 'encoding_broken',
    headers: { 'Content-Encoding': 'gzip' },
    at: 'Content-Encoding',
    counted: 0,
  },
  {
    code: 'decompressed_too_large',
    body: gzipSync('{}\n'.repeat(1_000)),
    headers: { 'Content-Encoding': 'gzip' },
    door: { limits: { plainBytes: 2_999 } },
    counted: 0,
  },
  {
    code: 'body_too_large',
    body: '{}\n'.repeat(4),
    door: { limits: { bodyBytes: 11 } },
    counted: 0,
  },
  {
    code: 'body_too_large',
    body: '{}\n'.repeat(4),
    door: { limits: { bodyBytes: 11 } },
    headers: { 'Content-Length': '', 'Transfer-Encoding': 'chunked' },
    counted: 0,
  },
  {
    code: 'line_too_long',
    body: '{}\n\n{"abc":1}\n{}\n',
    door: { limits: { lineBytes: 8 } },
    line: 3,
    counted: 3,
  },
  { code: 'line_shape', body: '{}\n[]\n{}\n', line: 2, counted: 3 },
  { code: 'line_shape', body: '{}\n{"a":"\0"}\n', line: 2, counted: 2 },
  {
    code: 'line_json',
    path: '/v1/ingest/zones/z1/exact',
    body: '{}\n{"a":}\n',
    line: 2,
    counted: 2,
  },
  {
    code: 'line_shape',
    path: `${PATH}?invalid=quarantine`,
    body: 'a\nb\n{}\n',
    door: { limits: { quarantinedPerRequest: 1 } },
    line: 2,
    counted: 3,
  },
  {
    code: 'line_shape',
    path: `${PATH}?invalid=quarantine`,
    body: '{}\nb\n',
    door: { deps: { keepLines: async () => 'full' } },
    line: 2,
    counted: 2,
  },
  {
    code: 'disk_full',
    path: `${PATH}?invalid=quarantine`,
    body: '{}\nb\n',
    door: { deps: { keepLines: async () => 'failed' } },
    retryAfterS: 5,
    counted: 2,
  },
  {
    code: 'routing_field_missing',
    path: '/v1/ingest/http?by=Zone',
    body: '\n{"Zone":"nowhere"}\n',
    line: 2,
  },
  {
    code: 'over_fair_share',
    door: { limits: { heldBytesPerAccount: 2 } },
    retryAfterS: 1,
    counted: 0,
  },
  { code: 'overloaded', door: { limits: { heldBytes: 2 } }, retryAfterS: 1, counted: 0 },
  { code: 'over_fair_share', door: refusedFor('over_fair_share'), retryAfterS: 3, counted: 1 },
  { code: 'too_many_streams', door: refusedFor('too_many_streams'), retryAfterS: 3, counted: 1 },
  { code: 'disk_full', door: refusedFor('disk_full'), retryAfterS: 3, counted: 1 },
  { code: 'not_durable', door: refusedFor('not_durable'), retryAfterS: 3, counted: 1 },
  {
    code: 'disk_full',
    path: '/v1/ingest/http?by=Zone',
    body: '{"Zone":"z1"}\n',
    door: refusedFor('disk_full'),
    retryAfterS: 3,
    counted: 1,
  },
  {
    code: 'key_conflict',
    door: appendGives({ kind: 'key_conflict' }),
    at: 'Idempotency-Key',
    counted: 1,
  },
  { code: 'starting', door: { deps: { route: () => undefined } }, retryAfterS: 2 },
];

for (const one of cases) {
  const { code, path = PATH, body = '{}\n', headers = {}, line, at, retryAfterS } = one;
  test(`${code}: ${path} ${JSON.stringify(headers)}`, async () => {
    await using door = await openDoor(one.door);
    const answer = await door.post(path, body, headers);
    assert.equal(answer.status, ERRORS[code].status);
    const { error } = answer.json;
    assert.equal(error?.code, code);
    assert.ok(error?.message.startsWith(ERRORS[code].text));
    assert.deepEqual([error?.line, error?.path, error?.retryAfterS], [line, at, retryAfterS]);
    assert.equal(answer.headers['retry-after'], retryAfterS?.toString());
    assert.equal(door.appended.length, 0);
    const counted = door.refusals.map(({ reason, requests, lines }) => ({
      reason,
      requests,
      lines,
    }));
    const lines = one.counted;
    assert.deepEqual(counted, lines === undefined ? [] : [{ reason: code, requests: 1, lines }]);
    assert.equal(door.ingest.stats().refusals.get(code), 1);
  });
}

test('what to do instead is told in headers', async () => {
  await using door = await openDoor();
  const wrongMethod = await door.post(PATH, '', { method: 'DELETE' });
  assert.equal(wrongMethod.headers.allow, 'POST');
  const noToken = await door.post(PATH, '', { Authorization: '' });
  assert.equal(noToken.headers['www-authenticate'], 'Bearer');
  const coding = await door.post(PATH, '', { 'Content-Encoding': 'br' });
  assert.equal(coding.headers['accept-encoding'], 'identity, gzip, zstd');
});

test('a ?by= body of which nothing is taken has the status of what will not pass by itself', async () => {
  await using door = await openDoor(refusedFor('over_fair_share'));
  const body = '{"Zone":"z1"}\n{"Zone":"z3"}\n';
  const answer = await door.post('/v1/ingest/http?by=Zone', body);
  assert.equal(answer.status, 403);
  assert.deepEqual(
    answer.json.streams?.map((part) => part.refused?.code),
    ['over_fair_share', 'scope_not_allowed'],
  );
  assert.equal(answer.headers['retry-after'], undefined);
});

test('refusals of streams that nobody wants, or that the token may not write to, fill no books', async () => {
  await using door = await openDoor();
  await door.post('/v1/ingest/zones/z2/http', 'oops\n');
  await door.post('/v1/ingest/zones/z3/http', 'oops\n');
  await door.post('/v1/ingest/http?by=Zone', '{"Zone":"z3"}\n{"Zone":"nobody"}\n');
  assert.deepEqual(door.refusals, []);
});

test('a fault of ours is answered with an id that is logged, and with nothing of what went wrong', async () => {
  for (const deps of [
    { append: () => Promise.reject(new Error('inner secret')) },
    {
      route: () => {
        throw new Error('inner secret');
      },
    },
  ]) {
    await using door = await openDoor({ deps });
    const { status, json } = await door.post(PATH, '{}\n');
    assert.equal(status, 500);
    assert.equal(json.error?.code, 'internal');
    const id = /id is ([0-9a-f]{16})/.exec(json.error?.message ?? '')?.[1];
    assert.ok(id !== undefined);
    assert.match(door.logged.join(), new RegExp(`ingest.fault .*${id}.*inner secret`));
    assert.ok(!JSON.stringify(json).includes('inner secret'));
    assert.equal(door.ingest.stats().heldBytes, 0);
  }
});
