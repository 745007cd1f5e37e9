import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { COMMANDS } from './command-table.ts';
import type { Cli } from './command-table.ts';
import { runCli } from './index.ts';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly note: string;
}

/** Runs a command without a terminal and without a process. */
async function run(args: readonly string[], more: Record<string, string> = {}): Promise<Ran> {
  let [out, note] = ['', ''];
  // Whoever has tried a server here has a token in the folder that is looked at by default.
  const environment = { WAYBILL_DATA_DIR: '/nowhere/waybill-data', ...more };
  const output = {
    out: (text: string) => void (out += text),
    note: (text: string) => void (note += text),
    colour: false,
    live: false,
    columns: 80,
  };
  const input = (async function* () {})();
  const code = await runCli(
    args,
    { output, environment, input },
    {
      version: '1.2.3',
      serve: () => Promise.resolve(0),
      forward: () => Promise.resolve({ settings: [], run: () => Promise.resolve(0) }),
      folderTools: {
        list: (directory) => Promise.resolve({ misuse: `${directory} is no data folder` }),
        export: () => Promise.resolve({ misuse: 'nothing is exported here' }),
        salvage: () => Promise.resolve({ misuse: 'nothing is saved here' }),
      },
      rebuildStore: (directory) =>
        Promise.resolve({ kind: 'failed' as const, detail: `${directory} is no data folder` }),
      checkDirectory: (directory) =>
        Promise.resolve(
          directory === 'none'
            ? { misuse: 'none is no data folder' }
            : {
                directory,
                segments: 1,
                blocks: 2,
                lines: 3,
                problems: directory === 'bad' ? ['segment 1 is damaged'] : [],
                books: [],
              },
        ),
    },
  );
  return { code, out, note };
}

/** A control API that answers from a table. */
async function api(answers: Record<string, { readonly status: number; readonly body: unknown }>) {
  const seen: {
    readonly call: string;
    readonly authorization: string | undefined;
    readonly body: string;
  }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      const call = `${request.method} ${request.url}`;
      seen.push({ call, authorization: request.headers.authorization, body });
      const answer = answers[call] ?? {
        status: 404,
        body: { error: { code: 'not_found', message: 'There is no such thing.' } },
      };
      response
        .writeHead(answer.status, { 'content-type': 'application/json' })
        .end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    seen,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  };
}

const row = {
  hour: null,
  accepted: 5,
  waiting: 1,
  delivered: 3,
  excluded: { filter: 1 },
  dropped: {},
  notTaken: {},
  balanced: true,
};

test('every command has help with examples or options, and ends with 0', async () => {
  for (const command of [
    'serve',
    'accounts',
    'zones',
    'datasets',
    'jobs',
    'tokens',
    'send',
    'ledger',
    'status',
    'log',
  ]) {
    const { code, out } = await run([command, '--help']);
    assert.equal(code, 0, command);
    assert.match(out, /Usage: waybill/);
  }
});

test('misuse ends with 2 and says what there is', async () => {
  const unknown = await run(['jbos']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.note, /Did you mean jobs/);
  assert.equal((await run(['ledger'])).code, 2);
  assert.match((await run(['jobs', 'edit', '1'])).note, /nothing to change/);
  assert.equal((await run(['jobs', 'show', 'seven'])).code, 2);
});

test('no server there ends with 3 and a hint', async () => {
  const { code, note } = await run(['status', '--url', 'http://127.0.0.1:9']);
  assert.equal(code, 3);
  assert.match(note, /Is `waybill serve` running\?/);
});

test('a refusal ends with 4 and the server’s words', async () => {
  const server = await api({
    'GET /v1/jobs/7': {
      status: 401,
      body: { error: { code: 'token_missing', message: 'No token.' } },
    },
  });
  const { code, note } = await run(['jobs', 'show', '7', '--url', server.url]);
  assert.equal(code, 4);
  assert.match(note, /No token\. \[token_missing\].*--token-file/);
  server.close();
});

test('lists are read page by page, and --json prints them whole', async () => {
  const zone = (id: string) => ({ id, account: 'a', name: `${id}.example` });
  const server = await api({
    'GET /v1/zones': { status: 200, body: { zones: [zone('z1')], next: 'z1' } },
    'GET /v1/zones?after=z1': { status: 200, body: { zones: [zone('z2')], next: null } },
  });
  const { code, out } = await run(['zones', 'list', '--json', '--url', server.url, '--token', 't']);
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(out), [zone('z1'), zone('z2')]);
  assert.equal(server.seen[0]!.authorization, 'Bearer t');
  server.close();
});

test('the ledger shows the equation, and ends with 1 when it does not hold (I2)', async () => {
  const ledger = {
    job: 7,
    stream: 'zones/z/d',
    total: row,
    hours: [{ ...row, hour: '2026-11-23T06:00:00Z' }],
  };
  const server = await api({
    'GET /v1/jobs/7/ledger?hours=24': { status: 200, body: ledger },
    'GET /v1/jobs/8/ledger?hours=24': {
      status: 200,
      body: { ...ledger, total: { ...row, balanced: false } },
    },
  });
  const good = await run(['ledger', '--job', '7', '--url', server.url, '--token', 't']);
  assert.equal(good.code, 0);
  assert.match(good.out, /2026-11-23 06:00 +5 +3 +1 +0 +1 +yes +filter 1/);
  assert.ok(!good.out.includes('\u001b'), 'no colours where nobody looks');
  const bad = await run(['ledger', '--job', '8', '--url', server.url, '--token', 't']);
  assert.equal(bad.code, 1);
  server.close();
});

test('edit sends just what was named, to the job’s own scope', async () => {
  const server = await api({
    'GET /v1/jobs/7': {
      status: 200,
      body: { id: 7, scope: { kind: 'zone', id: 'z' }, dataset: 'd' },
    },
    'PUT /client/v4/zones/z/logpush/jobs/7': {
      status: 200,
      body: { success: true, result: { id: 7 } },
    },
  });
  const { code } = await run([
    'jobs',
    'edit',
    '7',
    '--name',
    'new-name',
    '--url',
    server.url,
    '--token',
    't',
  ]);
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(server.seen[1]!.body), { name: 'new-name' });
  server.close();
});

test('log check ends with 1 for damage and 2 for a folder that is none', async () => {
  assert.equal((await run(['log', 'check', 'fine'])).code, 0);
  assert.equal((await run(['log', 'check', 'bad'])).code, 1);
  assert.equal((await run(['log', 'check', 'none'])).code, 2);
});

test('log export says what its options lack before it looks at anything', async () => {
  const neither = await run(['log', 'export', 'data']);
  assert.equal(neither.code, 2);
  assert.match(neither.note, /either a stream \(--stream\) or a job \(--job\)/);
  const backwards = await run(['log', 'export', 'data', '--job', '1', '--from', '9', '--to', '9']);
  assert.equal(backwards.code, 2);
  assert.match(backwards.note, /--from 9 is not before --to 9/);
});

test('a token file that the command names goes before the token of the environment', async (t) => {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, answer) => {
    seen.push(request.headers.authorization);
    answer.writeHead(401, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  const folder = await mkdtemp(join(tmpdir(), 'waybill-cli-'));
  t.after(async () => {
    server.close();
    server.closeAllConnections();
    await rm(folder, { recursive: true });
  });
  await writeFile(join(folder, 'token'), 'of-the-file\n');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const environment = { WAYBILL_URL: url, WAYBILL_TOKEN: 'of-the-environment' };
  await run(['jobs', 'list', '--token-file', join(folder, 'token')], environment);
  await run(['jobs', 'list', '--token', 'of-the-flag'], environment);
  await run(['jobs', 'list'], environment);
  const tokens = ['of-the-file', 'of-the-flag', 'of-the-environment'];
  assert.deepEqual(
    [...new Set(seen)],
    tokens.map((token) => `Bearer ${token}`),
  );
});

test('each entry of the table adds the commands that it is named by, so that none is loaded in vain or missed', async () => {
  for (const { names, add } of COMMANDS) {
    const program = new Command();
    const forward = () => Promise.resolve({ settings: [], run: () => Promise.resolve(0) });
    await add({ program, forward, context: { output: {} } } as unknown as Cli);
    assert.deepEqual(
      program.commands.map((command) => command.name()),
      names,
    );
  }
});
