/** Whatever is sent: never a 500, never without an answer, never a broken envelope, never another scope's data. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { S3, startControl, tokenFor, withScopes } from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';
import { runs } from '../../lib/testing/depth.ts';

let server: TestControl;
let token: string;
before(async () => {
  server = await startControl();
  await withScopes(server);
  token = await tokenFor(server, {
    kind: 'account',
    permissions: ['logs_write'],
    scopes: [{ kind: 'account', id: 'a1' }],
  });
  await server.call('PUT', '/v1/accounts/a2', { body: { name: 'foreign account' } });
  await server.call('PUT', '/v1/zones/z2', { body: { name: 'foreign.example' } });
  await server.call('POST', '/client/v4/zones/z2/logpush/jobs', {
    body: { destination_conf: S3, name: 'foreign' },
  });
  await server.call('POST', '/client/v4/accounts/a2/logs/control/cmb/config', {
    body: { regions: 'foreign' },
  });
});
after(() => server.close());

const field = fc.constantFrom(
  'name',
  'enabled',
  'dataset',
  'kind',
  'destination_conf',
  'ownership_challenge',
  'logpull_options',
  'output_options',
  'filter',
  'frequency',
  'max_upload_bytes',
  'max_upload_records',
  'max_upload_interval_seconds',
  'id',
  'last_complete',
  'filter_attack_traffic',
  'transformer_id',
  '__proto__',
  'constructor',
  'scopes',
  'permissions',
  'account',
  'fields',
  'strict',
  'flag',
  'regions',
  'limits',
  'sample',
);
const likely = fc.constantFrom<unknown>(
  S3,
  'https://h/?header_A=%',
  's3://',
  'file:///tmp/../etc',
  'http_requests',
  '',
  '{"where":{}}',
  '{"where":{"and":[]}}',
  'fields=&sample=NaN',
  0,
  -1,
  1e308,
  5_000_000,
  null,
  true,
  [],
  {},
  { field_names: [1] },
  { record_template: '{{' },
  '\ud800',
);
const body = fc.dictionary(field, fc.oneof(likely, fc.jsonValue({ maxDepth: 3 })), { maxKeys: 6 });
const piece = fc.oneof(
  fc.constantFrom(
    'client',
    'v4',
    'v1',
    'zones',
    'accounts',
    'z1',
    'z2',
    'a1',
    'a2',
    'logpush',
    'jobs',
    'datasets',
    'http_requests',
    'fields',
    'ledger',
    'usage',
    'kept-lines',
    'tokens',
    'changes',
    'status',
    'ownership',
    'validate',
    'destination',
    'exists',
    'origin',
    'default',
    'transformers',
    'edge',
    'logs',
    'control',
    'retention',
    'flag',
    'cmb',
    'config',
    'received',
    'rayids',
    'openapi.json',
    'docs',
    '1',
    '0',
    '..',
    '.',
    '%00',
    '%2f',
    '%',
    '',
    '__proto__',
  ),
  fc.string({ maxLength: 8 }).map((text) => encodeURIComponent(text.toWellFormed())),
);
const path = fc.oneof(
  fc.array(piece, { maxLength: 7 }).map((pieces) => `/${pieces.join('/')}`),
  fc.constantFrom(
    '/client/v4/zones/z1/logpush/jobs',
    '/client/v4/zones/z1/logpush/jobs/1',
    '/client/v4/zones/z1/logpush/jobs/2',
    '/client/v4/accounts/a1/logpush/jobs',
    '/v1/accounts/a1',
    '/v1/zones/z1',
    '/v1/datasets/mine',
    '/v1/tokens',
    '/v1/jobs',
    '/v1/jobs/2',
    '/v1/jobs/2/pause',
    '/v1/zones/z1/ledger',
    '/v1/zones/z1/kept-lines/1',
    '/v1/changes',
    '/v1/accounts/a1/changes',
    '/v1/accounts/a2/changes',
    '/client/v4/zones/z1/logpush/ownership',
    '/client/v4/zones/z1/logpush/ownership/validate',
    '/client/v4/zones/z1/logpush/validate/destination',
    '/client/v4/zones/z1/logpush/validate/destination/exists',
    '/client/v4/zones/z1/logpush/validate/origin',
    '/client/v4/zones/z1/logpush/edge/jobs',
    '/client/v4/zones/z1/logs/received',
    '/client/v4/zones/z1/logs/rayids/abc',
    '/client/v4/zones/z1/logs/control/retention/flag',
    '/client/v4/accounts/a1/logs/control/cmb/config',
    '/client/v4/accounts/a2/logs/control/cmb/config',
  ),
);
const query = fc.oneof(
  fc.constant(''),
  fc
    .dictionary(
      fc.constantFrom(
        'limit',
        'after',
        'before',
        'hours',
        'days',
        'scope',
        'start',
        'end',
        'count',
        'sample',
        'fields',
        'timestamps',
        '__proto__',
      ),
      fc.oneof(
        fc.string({ maxLength: 6 }),
        fc.constantFrom('1', '0', '-1', '1e9', '1700000000', '2026-11-23T00:00:00Z', 'RayID', ''),
      ),
      { maxKeys: 3 },
    )
    .map((pairs) => `?${new URLSearchParams(pairs).toString()}`),
);

/** Headers that the server looks at, with what it does not expect in them. */
const headers = fc.dictionary(
  fc.constantFrom(
    'x-stainless-retry-count',
    'content-type',
    'accept',
    'x-auth-key',
    'x-auth-email',
    'x-forwarded-for',
    'api-version',
  ),
  fc.oneof(
    fc.constantFrom('1', '-1', '1e99', 'application/json', 'text/plain; charset=utf-16', '*/*'),
    fc.stringMatching(/^[\x20-\x7e]{0,12}$/),
  ),
  { maxKeys: 3 },
);

test('any body, path, query, header and method gets an answer in its form, and none is a fault of ours', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'),
      path,
      query,
      fc.oneof(
        body.map((value) => JSON.stringify(value)),
        fc.string(),
      ),
      headers,
      fc.boolean(),
      async (method, where, search, text, sent, asOperator) => {
        const takesBody = method === 'POST' || method === 'PUT' || method === 'PATCH';
        const answer = await server.call(method, `${where}${search}`, {
          token: asOperator ? server.operator : token,
          headers: sent,
          ...(takesBody ? { body: text } : {}),
        });
        assert.ok(
          answer.status < 500,
          `${method} ${where}${search}: ${answer.status} ${answer.text}`,
        );
        if (answer.status >= 400) {
          const v4 = answer.body.errors;
          assert.ok(
            v4 ? answer.body.success === false && v4[0].code >= 1000 : answer.body.error.message,
            answer.text,
          );
        }
        if (!asOperator) assert.ok(!answer.text.includes('foreign'), 'nothing of another scope');
      },
    ),
    { numRuns: runs(250) },
  );
  assert.equal(server.logged.filter((line) => line.includes('met a fault')).length, 0);
});

/** Sends bytes as they are and resolves with what came back when the server closes, or when nothing comes any more. */
function raw(bytes: Buffer): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => socket.end(bytes));
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket.on('error', () => resolve(answer));
    socket.on('close', () => resolve(answer));
  });
}

test('bytes that are hardly HTTP get a refusal or a closed connection, and the next request an answer', async () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(
      'GET /v1/status HTTP/1.1',
      'GET /client/v4/zones/%ff%00/logpush/jobs HTTP/1.1',
      'POST /v1/tokens HTTP/1.1',
      'GET http://elsewhere/v1/status HTTP/1.1',
      'PRI * HTTP/2.0',
      'Host: x',
      'Content-Length: 10',
      'Content-Length: -1',
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: chunked, identity',
      `Authorization: Bearer ${'x'.repeat(300)}`,
      'Connection: close',
      '',
      'zz',
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
      const answer = await raw(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'utf8'));
      assert.ok(!/^HTTP\/1\.1 (2|5)/.test(answer), answer.slice(0, 200));
      assert.ok(!answer.includes('foreign'));
    }),
    { numRuns: runs(40) },
  );
  assert.equal((await server.call('GET', '/healthz')).status, 200);
});
