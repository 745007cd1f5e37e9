/** The server as an operator runs it: start, settings, signals, TLS. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EXPIRED, VALID } from './servers/certificates.ts';
import { ledgerOf, makeCustomer, makeJob, sendTo } from './support/customer.ts';
import { eventually, startReceiver } from './support/receiver.ts';
import {
  LOCAL_DESTINATIONS,
  MAIN,
  spawnServer,
  startServer,
  temporaryFolder,
} from './support/server.ts';

const folder = await temporaryFolder('serve');
after(() => folder.remove());
const at = (name: string) => join(folder.path, name);
const QUICK = [
  ...LOCAL_DESTINATIONS,
  '--deliver-interval-ms',
  '200',
  '--buffer-low-watermark',
  '0.97',
  '--buffer-high-watermark',
  '0.98',
];

async function run(args: readonly string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, ...environment },
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, out, err };
}

test('the first start makes an operator token that only this user can read, and says where; the next one keeps it', async () => {
  const server = await startServer({ dataDir: at('first') });
  const path = join(at('first'), 'operator.token');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.match(server.operatorToken, /^wb_op_/);
  assert.equal(await server.end('SIGTERM'), 0);
  const again = await startServer({ dataDir: at('first') });
  assert.equal(again.operatorToken, server.operatorToken);
  await again.call('GET', '/v1/status');
  assert.equal(await again.end('SIGTERM'), 0);
});

test('unknown keys and bad values are refused with the key, the value and what would be right', async () => {
  const file = at('bad.yaml');
  await writeFile(file, 'ingest:\n  prot: 80\ndeliver:\n  intervalMs: soon\n');
  const { code, err } = await run(['serve', '-c', file, '--control-port', '99999']);
  assert.equal(code, 2);
  assert.match(err, /ingest\.prot is no setting; did you mean ingest\.port\?/);
  assert.match(err, /deliver\.intervalMs is "soon", but must be a whole number from 200 to 300000/);
  assert.match(err, /--control-port is 99999, but must be a whole number from 0 to 65535/);
});

test('an address range that is none is refused before anything is started', async () => {
  const { code, err } = await run([
    'serve',
    '--data-dir',
    at('never'),
    '--destinations-allow-addresses',
    '10.0.0.0/99',
  ]);
  assert.notEqual(code, 0);
  assert.match(err, /10\.0\.0\.0\/99 is no address range/);
  await assert.rejects(stat(at('never')));
});

test('--print-config shows file, environment and flags put together', async () => {
  const file = at('good.yaml');
  await writeFile(file, 'ingest:\n  port: 1111\n  host: 0.0.0.0\n');
  const { code, out } = await run(
    ['serve', '-c', file, '--control-port', '2222', '--print-config'],
    { WAYBILL_INGEST_PORT: '3333' },
  );
  assert.equal(code, 0);
  assert.match(out, /ingest:\n {2}host: 0\.0\.0\.0\n {2}port: 3333\n/);
  assert.match(out, /port: 2222/);
});

test('a second server on the same folder is refused in plain words', async () => {
  const server = await startServer({ dataDir: at('shared') });
  const second = spawnServer({ dataDir: at('shared') });
  assert.equal(await second.exited, 1);
  assert.match(second.log(), /another Waybill uses the data folder/);
  assert.equal(await server.end('SIGTERM'), 0);
});

test('SIGTERM settles what is under way and exits 0; nothing is sent twice by the next start', async () => {
  const receiver = await startReceiver();
  const server = await startServer({ dataDir: at('drain'), flags: QUICK });
  const token = await makeCustomer(server, 'a', 'z');
  const job = await makeJob(server, 'z', receiver.url);
  const lines = Array.from({ length: 50 }, (_, n) => `{"n":${n}}`);
  await sendTo(server, token, 'zones/z/http_requests', lines.join('\n'));
  await eventually('the attempt is under way or over', () => receiver.requests > 0);
  assert.equal(await server.end('SIGTERM'), 0);
  const again = await startServer({ dataDir: at('drain'), flags: QUICK });
  await eventually(
    'everything is settled',
    async () => (await ledgerOf(again, job)).total.waiting === 0,
  );
  assert.deepEqual(receiver.lines(), lines);
  assert.equal((await ledgerOf(again, job)).total.balanced, true);
  assert.equal(await again.end('SIGTERM'), 0);
  receiver.close();
});

test('SIGTERM in the moment in which it says that it is ready is heard', async () => {
  for (const n of [1, 2, 3]) {
    const server = spawnServer({ dataDir: at(`ready-${n}`) });
    server.child.stdout.once('data', () => server.child.kill('SIGTERM'));
    assert.equal(await server.exited, 0);
    assert.match(server.log(), /"stopped"/);
  }
});

test('a second SIGTERM exits at once and loses nothing', async () => {
  const receiver = await startReceiver();
  receiver.hang();
  const server = await startServer({ dataDir: at('twice'), flags: QUICK });
  const token = await makeCustomer(server, 'a', 'z');
  await makeJob(server, 'z', receiver.url);
  assert.equal((await sendTo(server, token, 'zones/z/http_requests', '{"n":1}\n')).status, 200);
  await eventually('the receiver holds an attempt', () => receiver.requests > 0);
  server.child.kill('SIGTERM');
  await eventually('it drains', () => server.log().includes('"draining"'));
  assert.equal(await server.end('SIGTERM'), 0);
  receiver.answer(200);
  const again = await startServer({ dataDir: at('twice'), flags: QUICK });
  await eventually('the line arrives', () => receiver.lines().length > 0);
  assert.deepEqual(receiver.lines(), ['{"n":1}']);
  assert.equal(await again.end('SIGTERM'), 0);
  receiver.close();
});

test('TLS on its own listeners; a new certificate is taken up without a restart, an unusable one is not', async () => {
  const [cert, key] = [at('cert.pem'), at('key.pem')];
  await writeFile(cert, VALID.cert);
  await writeFile(key, VALID.key);
  const server = spawnServer({
    dataDir: at('tls'),
    flags: [
      '--ingest-tls-cert',
      cert,
      '--ingest-tls-key',
      key,
      '--control-tls-cert',
      cert,
      '--control-tls-key',
      key,
    ],
  });
  let said = '';
  server.child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  await eventually('it is ready', () => said.includes('Operator token'));
  const control = /Control API +(https:\S+)/.exec(said)![1]!;
  const ingest = /send to +(https:\S+)\/v1/.exec(said)![1]!;
  assert.equal(await peerSerial(`${control}/healthz`), '01');
  assert.equal(await peerSerial(`${ingest}/v1/ingest/x`), '01');
  await writeFile(cert, 'half a certif');
  await eventually('the unusable one is told', () =>
    server.log().includes('certificate not reloaded'),
  );
  assert.equal(await peerSerial(`${control}/healthz`), '01');
  await writeFile(key, EXPIRED.key);
  await writeFile(cert, EXPIRED.cert);
  await eventually('the new one is served', async () =>
    (await peerSubject(`${ingest}/v1/ingest/x`)).includes('expired'),
  );
  await eventually('on both listeners', async () =>
    (await peerSubject(`${control}/healthz`)).includes('expired'),
  );
  server.child.kill('SIGTERM');
  assert.equal(await server.exited, 0);
});

const peer = (url: string): Promise<{ serialNumber: string; subject: { CN: string } }> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { rejectUnauthorized: false, agent: false }, (answer) => {
      const certificate = (
        answer.socket as unknown as { getPeerCertificate(): never }
      ).getPeerCertificate();
      answer.resume();
      resolve(certificate);
    });
    sent.on('error', reject);
    sent.end();
  });
const peerSerial = async (url: string) => (await peer(url)).serialNumber;
const peerSubject = async (url: string) => (await peer(url)).subject.CN;

test('no secret of a job stands in the log, the status or the metrics', async () => {
  const secret = 'planted-marker-7f3a';
  const server = await startServer({ dataDir: at('secret'), flags: QUICK });
  const token = await makeCustomer(server, 'a', 'z');
  await makeJob(server, 'z', `http://127.0.0.1:9/in?header_Authorization=Bearer%20${secret}`);
  await sendTo(server, token, 'zones/z/http_requests', '{"n":1}\n');
  await eventually('an attempt failed', async () => {
    const { attempts } = await server.call<{ attempts: unknown[] }>('GET', '/v1/jobs/1/attempts');
    return attempts.length > 0;
  });
  const shown = await Promise.all(
    ['/v1/jobs', '/v1/jobs/1', '/v1/jobs/1/attempts', '/v1/changes', '/v1/status'].map((path) =>
      server.call('GET', path),
    ),
  );
  const metrics = await (await fetch(`${server.controlUrl}/metrics`)).text();
  assert.ok(!JSON.stringify(shown).includes(secret));
  assert.ok(!metrics.includes(secret));
  assert.equal(await server.end('SIGTERM'), 0);
  assert.ok(!server.log().includes(secret));
  assert.ok(!(await readFile(join(at('secret'), 'control.db'))).includes(secret));
});
