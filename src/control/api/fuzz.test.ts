/** Whatever is sent: never a 500, never without an answer, never a broken envelope. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { S3, startControl, tokenFor, withScopes } from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';

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
  await server.call('POST', '/client/v4/zones/z2/logpush/jobs', {
    body: { destination_conf: S3, name: 'foreign' },
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
  ),
);
const query = fc.oneof(
  fc.constant(''),
  fc
    .dictionary(
      fc.constantFrom('limit', 'after', 'before', 'hours', 'days', 'scope', '__proto__'),
      fc.string({ maxLength: 6 }),
      { maxKeys: 3 },
    )
    .map((pairs) => `?${new URLSearchParams(pairs).toString()}`),
);

test('any body, path, query and method gets an answer in its form, and none is a fault of ours', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'),
      path,
      query,
      fc.oneof(
        body.map((value) => JSON.stringify(value)),
        fc.string(),
      ),
      fc.boolean(),
      async (method, where, search, text, asOperator) => {
        const takesBody = method === 'POST' || method === 'PUT' || method === 'PATCH';
        const answer = await server.call(method, `${where}${search}`, {
          token: asOperator ? server.operator : token,
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
    { numRuns: 250 },
  );
  assert.equal(server.logged.filter((line) => line.includes('met a fault')).length, 0);
});
