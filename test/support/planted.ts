/**
 * Marker secrets are planted wherever a secret goes in, and every way out of the real process is searched for them: answers to
 * every read, errors, command output, the log, metrics, files.
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { waybill } from './cli.ts';
import { markedConfs, secretIn } from '../servers/marked-confs.ts';
import { makeCustomer, makeJob, sendTo } from './customer.ts';
import { eventually } from './receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from './server.ts';
import type { Server } from './server.ts';

const MARK = 'pLaNtEdMaRkEr';
const KEY = Buffer.alloc(32, `${MARK}-sealing-key`);

/** As texts in which it could be found: itself, and how URLs and base64 write it. */
const FORMS = [MARK, encodeURIComponent(MARK), KEY.toString('base64'), KEY.toString('hex')];

interface Seen {
  readonly where: string;
  readonly text: string;
}

function assertClean(seen: readonly Seen[]): void {
  for (const { where, text } of seen) {
    for (const form of FORMS)
      assert.ok(!text.includes(form), `${where} shows a secret: …${around(text, form)}…`);
    const planted = secretIn(text);
    if (planted) assert.fail(`${where} shows a destination's secret: …${around(text, planted)}…`);
  }
}

function around(text: string, form: string): string {
  const at = text.indexOf(form);
  return text.slice(Math.max(0, at - 80), at + 80);
}

/** Every route that reads, with ids put in where its path has room for them. */
async function everyRead(server: Server, token: string, jobs: readonly number[]): Promise<Seen[]> {
  const api = await server.call<{ paths: Record<string, Record<string, unknown>> }>(
    'GET',
    '/openapi.json',
  );
  const seen: Seen[] = [];
  for (const [path, methods] of Object.entries(api.paths)) {
    if (!('get' in methods)) continue;
    for (const job of path.includes('{job}') ? jobs : [1]) {
      const place = path
        .replace('{account}', 'acme')
        .replace('{zone}', 'shop')
        .replace('{job}', String(job))
        .replace('{dataset}', 'http_requests')
        .replace('{version}', '6')
        .replaceAll(/\{\w+\}/g, '1');
      const query = path === '/v1/config/diff' ? '?from=0' : '';
      const signal = AbortSignal.timeout(5_000);
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`${server.controlUrl}${place}${query}`, { headers, signal });
      seen.push({ where: `GET ${place}`, text: await answer.text() });
    }
  }
  assert.ok(seen.length > 25, 'the routes were found');
  return seen;
}

async function everyWrong(server: Server, token: string): Promise<Seen[]> {
  const conf = `s3://bucket/?region=nowhere&access-key-id=A&secret-access-key=${MARK}&odd=1`;
  const bodies = [
    { destination_conf: conf },
    { destination_conf: `https://user:${MARK}@h/in?header_A=${MARK}`, filter: `{"bad":"${MARK}"` },
    { destination_conf: `nope://${MARK}`, output_options: { [MARK]: MARK } },
    `{"destination_conf":"${MARK}`,
  ];
  const seen: Seen[] = [];
  for (const path of ['logpush/jobs', 'logpush/validate/destination', 'logpush/ownership']) {
    for (const body of bodies) {
      const answer = await fetch(`${server.controlUrl}/client/v4/zones/shop/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      const text = await answer.text();
      assert.ok(answer.status >= 400 || text.includes('"valid":false'), `${path}: ${text}`);
      seen.push({ where: `POST ${path}`, text });
    }
  }
  return seen;
}

async function everyCommand(server: Server, jobs: readonly number[]): Promise<Seen[]> {
  const commands = [
    ['status'],
    ['jobs', 'list'],
    ...jobs.map((job) => ['jobs', 'show', String(job)]),
    ['ledger', '--job', '1'],
    ['alerts'],
    ['jobs', 'test', '1'],
    ['tokens', 'list'],
    ['config', 'history'],
    ['config', 'show', '6'],
    ['config', 'diff', '0'],
    ['config', 'rollback', '--to', '5', '--with-secrets', '--dry-run'],
    ['control', 'rotate-key'],
    [
      'jobs',
      'create',
      '--zone',
      'shop',
      '--dataset',
      'http_requests',
      '--destination',
      `nope://${MARK}`,
    ],
  ];
  const seen: Seen[] = [];
  for (const command of commands) {
    for (const args of [command, [...command, '--json']]) {
      const { out, note, code } = await waybill(server, ...args);
      assert.notEqual(code, 2, `waybill ${args.join(' ')}: ${note}`);
      seen.push({ where: `waybill ${args.slice(0, 3).join(' ')}`, text: out + note });
    }
  }
  return seen;
}

function everyFile(directory: string): Seen[] {
  return (readdirSync(directory, { recursive: true }) as string[])
    .filter((name) => statSync(join(directory, name)).isFile())
    .map((name) => ({ where: name, text: readFileSync(join(directory, name), 'latin1') }));
}

/** @param kinds of destination that jobs have; each costs some hundred requests */
export async function plantAndSearch(t: TestContext, kinds: 'HTTP' | 'every kind'): Promise<void> {
  const folder = await temporaryFolder('redaction');
  const dataDir = join(folder.path, 'data');
  const server = await startServer({
    dataDir,
    flags: [
      ...LOCAL_DESTINATIONS,
      '--deliver-interval-ms',
      '200',
      '--control-key-source',
      'env',
      '--process-log-level',
      'debug',
    ],
    environment: { WAYBILL_SEALING_KEY: KEY.toString('base64') },
  });
  t.after(async () => {
    server.child.kill('SIGKILL');
    await folder.remove();
  });
  const ingest = await makeCustomer(server, 'acme', 'shop');
  const secretIn = `http://127.0.0.1:9/in?header_Authorization=Bearer%20${MARK}`;
  const job = await makeJob(server, 'shop', secretIn);
  await server.call('PUT', `/client/v4/zones/shop/logpush/jobs/${job}`, {
    destination_conf: `${secretIn}-second`,
  });
  const jobs = [job];
  // One of every kind. Nobody listens there: each attempt fails in its own way.
  for (const [scheme, conf] of Object.entries(markedConfs('127.0.0.1:9', true)))
    if (kinds === 'every kind' && scheme !== 'file') jobs.push(await makeJob(server, 'shop', conf));
  const { token: reader } = await server.call<{ token: string }>('POST', '/v1/tokens', {
    kind: 'account',
    permissions: ['logs_read'],
    scopes: [{ kind: 'account', id: 'acme' }],
  });
  await sendTo(server, ingest, 'zones/shop/http_requests', '{"n":1}\n');
  for (const each of jobs)
    await eventually('an attempt failed', async () => {
      const path = `/v1/jobs/${each}/attempts`;
      return (await server.call<{ attempts: unknown[] }>('GET', path)).attempts.length > 0;
    });

  assertClean(await everyRead(server, reader, jobs));
  const byOperator = await everyRead(server, server.operatorToken, jobs);
  // Logpush's own API shows who may write a job its destination in full, as Logpush does.
  assert.ok(
    byOperator.some(({ text }) => text.includes(MARK)),
    'the search finds what is there',
  );
  assertClean(byOperator.filter(({ where }) => !/logpush\/(datasets\/\w+\/)?jobs/.test(where)));
  assertClean(await everyWrong(server, server.operatorToken));
  assertClean(await everyCommand(server, jobs));
  assertClean([{ where: 'the log', text: server.log() }]);
  assert.equal(await server.end('SIGTERM'), 0);
  assertClean([{ where: 'the log at the end', text: server.log() }, ...everyFile(dataDir)]);
  for (const { where, text } of everyFile(dataDir)) {
    if (where === 'operator.token') continue;
    assert.ok(!text.includes(server.operatorToken) && !text.includes(reader), `${where}: a token`);
  }
}
