/** The description of the API is what the server does: every route documented, every documented answer as it comes. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { idleDataPlane, S3, startControl, withScopes } from '../../../test/support/control.ts';
import type { TestControl } from '../../../test/support/control.ts';
import { documentChecksum } from '../../model/config-document.ts';
import { allRoutes } from '../control.ts';
import type { DataPlane } from '../data-plane.ts';
import type { Context } from './context.ts';
import type { OpenApi, Operation } from './openapi.ts';

/** Something to show in every answer. */
const WEBHOOK = {
  id: 1,
  account: null,
  form: 'json',
  url: 'https://hooks.example/***',
  isSigned: false,
  sent: 1,
  givenUp: 0,
  queued: 0,
  last: { atMs: 1, outcome: 'accepted', status: 200, error: null },
} as const;

const busy: DataPlane = {
  ...idleDataPlane(),
  live: {
    create: (wish) => ({
      kind: 'created',
      session: { ...wish, id: 'c'.repeat(32), listening: false },
    }),
    ofZone: (zone) => ({
      id: 'c'.repeat(32),
      zone,
      fields: 'RayID',
      filter: '',
      sample: 1,
      listening: true,
    }),
    admit: () => 404,
    attach: () => undefined,
  },
  alerts: {
    list: () => [
      {
        id: 1,
        kind: 'job_failing',
        severity: 'warning',
        title: 'A job does not get through',
        advice: 'Correct it.',
        state: 'firing',
        subject: 'job 1',
        stream: 'zones/z1/http_requests',
        job: 1,
        sinceMs: 1,
        resolvedMs: null,
        times: 1,
        toldMs: 1,
        text: '6 attempts in a row have failed.',
        facts: { failures: 6 },
      },
    ],
    webhooks: () => ({
      list: () => [WEBHOOK],
      problem: () => undefined,
      add: () => WEBHOOK,
      remove: () => true,
      test: () => Promise.resolve({ delivered: true, detail: 'the receiver took it' }),
    }),
  },
  pull: {
    admit: () => true,
    received: () => Promise.resolve({ kind: 'lines', chunks: oneLine() }),
    ray: () => Promise.resolve({ kind: 'found', lines: Buffer.from('{}\n') }),
  },
  attempts: (job) =>
    Promise.resolve([
      {
        job,
        plan: 'p',
        range: { from: 0, to: 5 },
        number: 1,
        atMs: 1,
        durationMs: 2.5,
        stage: 'destination',
        outcome: 'retry',
        status: 503,
        error: 'status 503',
        lines: 5,
        plainBytes: 50,
        sentBytes: 20,
      },
    ]),
  usage: () =>
    Promise.resolve([
      {
        day: '2026-11-23',
        acceptedLines: 1,
        acceptedBytes: 2,
        deliveredLines: 1,
        deliveredBytes: 2,
        sentBytes: 1,
      },
    ]),
  lines: {
    ...idleDataPlane().lines,
    place: (_stream, asked) => {
      const offset = asked.kind === 'offset' ? asked.offset : 10;
      const place = { epoch: '00000000000000e1', offset };
      return Promise.resolve({ kind: 'place', place, oldest: 0, head: 10 });
    },
  },
  keptLines: () => Promise.resolve([KEPT]),
  keptLine: () => Promise.resolve(KEPT),
  status: () =>
    Promise.resolve({
      version: 'test',
      durability: 'disk' as const,
      startedMs: 0,
      shards: [{ shard: 0, state: 'running', ingestAddress: null }],
    }),
};
async function* oneLine(): AsyncGenerator<Buffer, void, void> {
  yield Buffer.from('{}\n');
}

const KEPT = {
  id: 1,
  account: 'a1',
  stream: 'zones/z1/http_requests',
  reason: 'malformed' as const,
  job: 1,
  offset: 3,
  detail: 'no JSON',
  atMs: 1,
  bytes: new Uint8Array([1]),
};

const DOCUMENT = {
  waybill: 1,
  accounts: [
    {
      id: 'a8',
      jobs: ['one', 'two'].map((name) => ({
        name,
        dataset: 'audit_logs',
        destination: S3,
        enabled: false,
      })),
    },
  ],
  expect: { accounts: 1, jobs: 2 },
};
/** Its second stage is left open, for the route that drops it. */
const APPLY = { document: DOCUMENT, checksum: documentChecksum(DOCUMENT), stage: 'first' };

const BODIES: Readonly<Record<string, unknown>> = {
  'POST /v1/webhooks': { url: 'https://hooks.example/x' },
  'POST /v1/accounts/{account}/webhooks': { url: 'https://hooks.example/x', form: 'slack' },
  'POST /client/v4/{scope}/logpush/jobs': { destination_conf: S3, DATASET: true },
  'PUT /client/v4/{scope}/logpush/jobs/{job}': { enabled: true },
  'POST /client/v4/{scope}/logpush/ownership': { destination_conf: S3 },
  'POST /client/v4/{scope}/logpush/ownership/validate': {
    destination_conf: S3,
    ownership_challenge: 'x',
  },
  'POST /client/v4/{scope}/logpush/validate/destination': { destination_conf: S3 },
  'POST /client/v4/{scope}/logpush/validate/destination/exists': { destination_conf: S3 },
  'POST /client/v4/{scope}/logpush/validate/origin': { logpull_options: '' },
  'POST /client/v4/{scope}/logs/control/retention/flag': { flag: true },
  'POST /client/v4/{scope}/logpush/edge/jobs': { fields: 'RayID,ClientIP', sample: 10 },
  'POST /client/v4/{scope}/logs/control/cmb/config': { regions: 'eu' },
  'POST /v1/accounts': { id: 'a9' },
  'PUT /v1/{scope}': { limits: { weight: 2 } },
  'POST /v1/{scope}/zones': { name: 'nine.example' },
  'PUT /v1/datasets/{dataset}': { scope: 'zone', fields: [{ name: 'a', type: 'int' }] },
  'POST /v1/jobs/{job}/restore': { from: 'now' },
  'POST /v1/{scope}/jobs': { destination_conf: S3, DATASET: true },
  'POST /v1/jobs/{job}/replays': { from: '0', to: '10' },
  'POST /v1/{scope}/erasures': { reason: 'asked for' },
  'POST /v1/{scope}/erasures/preview': { before: '2026-11-23T06:00:00Z' },
  'POST /v1/config/rollback': { version: 0, dryRun: true },
  'POST /v1/plan': APPLY,
  'POST /v1/apply': APPLY,
  'POST /v1/retention': { lines: 3 },
  'POST /v1/tokens': { kind: 'ingest', scopes: 'all' },
};
const WINDOW = new URLSearchParams({
  start: new Date(Date.now() - 180_000).toISOString(),
  end: new Date(Date.now() - 120_000).toISOString(),
});
/** What stands in a path where the usual would not do. */
const PATHS: Readonly<Record<string, string>> = {
  'GET /v1/config/diff': '/v1/config/diff?from=0',
  'GET /client/v4/zones/{zone}/logs/received': `/client/v4/zones/z1/logs/received?${WINDOW.toString()}`,
  'PUT /v1/zones/{zone}': '/v1/zones/z1',
  'PUT /v1/datasets/{dataset}': '/v1/datasets/mine',
  'DELETE /v1/datasets/{dataset}': '/v1/datasets/mine',
  'GET /v1/datasets/{dataset}': '/v1/datasets/http_requests',
  'DELETE /v1/accounts/{account}': '/v1/accounts/a9',
  'DELETE /v1/zones/{zone}': '/v1/zones/z2',
};

let server: TestControl;
let api: OpenApi;
before(async () => {
  server = await startControl({ dataPlane: busy });
  await withScopes(server);
  api = (await server.call('GET', '/openapi.json', { token: '' })).body as OpenApi;
});
after(() => server.close());

function operations(): [method: string, path: string, operation: Operation][] {
  return Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, string, Operation] => [
      method.toUpperCase(),
      path,
      operation,
    ]),
  );
}

test('every route is documented, and nothing else is', () => {
  const routes = allRoutes({} as unknown as Context).map(
    ({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`,
  );
  const documented = operations().map(([method, path]) => `${method} ${path}`);
  assert.deepEqual(documented.toSorted(), routes.toSorted());
  assert.equal(new Set(routes).size, routes.length, 'no route stands twice');
});

test('the document is one: references lead somewhere, ids are unique, parameters stand in their paths', () => {
  assert.equal(api.openapi, '3.1.0');
  const ids = operations().map(([, , { operationId }]) => operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const [, name] of JSON.stringify(api).matchAll(/"#\/components\/schemas\/([^"]+)"/g))
    assert.ok(api.components.schemas[name!], name);
  for (const [method, path, { parameters, responses }] of operations()) {
    const named = parameters.filter((one) => one.in === 'path').map(({ name }) => `{${name}}`);
    assert.deepEqual(path.match(/\{\w+\}/g) ?? [], named, `${method} ${path}`);
    for (const { name, in: where, description } of parameters)
      assert.ok(where === 'query' || description, name);
    assert.ok(responses['default']);
  }
});

/** A schema of the document as one that checks, with what it refers to. */
function checker(schema: unknown): z.ZodType {
  const local = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value).replaceAll('#/components/schemas/', '#/$defs/'));
  return z.fromJSONSchema({
    ...(local(schema) as object),
    $defs: local(api.components.schemas) as never,
  });
}

function holds(schema: unknown, value: unknown, where: string): void {
  const checked = checker(schema).safeParse(value);
  assert.ok(checked.success, `${where}: ${JSON.stringify(checked.error?.issues)}`);
}

/** The path with ids in it. */
async function placeOf(method: string, path: string): Promise<string> {
  const fixed = PATHS[`${method} ${path}`];
  if (fixed !== undefined) return fixed;
  let place = path;
  if (path.includes('{job}')) {
    const scope = path.includes('{account}') ? 'accounts/a1' : 'zones/z1';
    const dataset = scope === 'zones/z1' ? 'http_requests' : 'audit_logs';
    const body = { destination_conf: S3, dataset };
    const made = await server.call('POST', `/client/v4/${scope}/logpush/jobs`, { body });
    const { id } = made.body.result;
    place = place.replace('{job}', String(id));
    if (path.endsWith('/restore'))
      await server.call('DELETE', `/client/v4/${scope}/logpush/jobs/${id}`);
  }
  if (path.includes('{replay}')) {
    const { body } = await server.call('POST', '/client/v4/zones/z1/logpush/jobs', {
      body: { destination_conf: S3, dataset: 'http_requests' },
    });
    const made = await server.call('POST', `/v1/jobs/${body.result.id}/replays`, {
      body: BODIES['POST /v1/jobs/{job}/replays'],
    });
    place = place.replace('{replay}', String(made.body.id));
  }
  if (path.includes('{erasure}')) {
    const scope = path.includes('{account}') ? 'accounts/a1' : 'zones/z1';
    const made = await server.call('POST', `/v1/${scope}/erasures`, { body: {} });
    place = place.replace('{erasure}', made.body.id);
  }
  if (path.includes('{token}')) {
    const made = await server.call('POST', '/v1/tokens', { body: BODIES['POST /v1/tokens'] });
    place = place.replace('{token}', made.body.id);
  }
  return place
    .replace('{account}', 'a1')
    .replace('{zone}', 'z1')
    .replace('{dataset}', path.includes('{account}') ? 'audit_logs' : 'http_requests')
    .replaceAll(/\{(line|ray|transformer|version|webhook)\}/g, '1');
}

function bodyOf(method: string, path: string): unknown {
  const scope = path.replace(/(accounts\/\{account\}|zones\/\{zone\})/, '{scope}');
  const body = BODIES[`${method} ${path}`] ?? BODIES[`${method} ${scope}`];
  if (typeof body !== 'object' || body === null || !('DATASET' in body)) {
    return path === '/v1/zones/{zone}' ? { name: 'one.example' } : body;
  }
  return { destination_conf: S3, dataset: path.includes('{account}') ? 'audit_logs' : 'dns_logs' };
}

test('every documented route answers what is documented, and takes the body that is documented', async () => {
  const rank = (method: string): number => (method === 'DELETE' ? 1 : 0);
  const inOrder = operations().toSorted(([a], [b]) => rank(a) - rank(b));
  for (const [method, path, operation] of inOrder) {
    const where = `${method} ${path}`;
    const body = operation.requestBody ? bodyOf(method, path) : undefined;
    const input = operation.requestBody?.content['application/json']?.schema;
    if (input) holds(input, body, `${where} body`);
    const place = await placeOf(method, path);
    const answer = await server.call(method, place, body === undefined ? {} : { body });
    const answers = Object.keys(operation.responses).filter((status) => status !== 'default');
    if (answers.length === 0) {
      assert.equal(answer.status, 400, where);
      const refusal = operation.responses['default']?.content['application/json']?.schema;
      holds(refusal, answer.body, where);
      assert.match(answer.text, /not offered/);
      continue;
    }
    assert.ok(answers.includes(String(answer.status)), `${where}: ${answer.status} ${answer.text}`);
    const type = answer.headers.get('content-type')?.split(';', 1)[0] ?? '';
    const content = operation.responses[String(answer.status)]?.content[type];
    assert.ok(content, `${where} answers ${type}`);
    if (type === 'application/json' && path !== '/openapi.json')
      holds(content.schema, answer.body, where);
  }
});

test('refusals are as documented, in both dialects', async () => {
  for (const [method, path, operation] of operations()) {
    if (operation.security.length === 0) continue;
    const place = path.replaceAll(/\{\w+\}/g, 'x1');
    const answer = await server.call(method, place, { token: 'wb_op_unknown' });
    assert.equal(answer.status, 401, `${method} ${path}`);
    holds(operation.responses['default']?.content['application/json']?.schema, answer.body, place);
  }
});

test('the page for people names every route, runs nothing and fetches nothing', async () => {
  const page = await server.call('GET', '/docs', { token: '' });
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  for (const [method, path] of operations())
    assert.ok(page.text.includes(`<code>${method} ${path}</code>`), path);
  assert.doesNotMatch(page.text, /<script|src=|https?:\/\/(?!logs|host)[a-z.]*cdn/i);
});
