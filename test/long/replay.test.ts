/** Any range that is held is delivered once more, beside live delivery and with books of its own. Through the real process. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { checkFolder } from '../../src/check/check.ts';
import { nodeFileSystem } from '../../src/lib/fs/node.ts';
import { waybill } from '../support/cli.ts';
import { ledgerOf, makeCustomer, makeJob, sendTo } from '../support/customer.ts';
import type { Ledger } from '../support/customer.ts';
import { eventually, startReceiver } from '../support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from '../support/server.ts';

const folder = await temporaryFolder('replay');
const out = join(folder.path, 'out');
await mkdir(out);
const options = {
  dataDir: join(folder.path, 'data'),
  flags: [
    ...LOCAL_DESTINATIONS,
    '--destinations-file-roots',
    out,
    '--deliver-interval-ms',
    '200',
    '--buffer-low-watermark',
    '0.97',
    '--buffer-high-watermark',
    '0.98',
  ],
};
let server = await startServer(options);
after(async () => {
  await server.end('SIGKILL');
  await folder.remove();
});

interface Replay {
  readonly id: number;
  readonly state: string;
  readonly activity: string | null;
  readonly lines: number;
  readonly delivered: number;
  readonly waiting: number;
  readonly dropped: Readonly<Record<string, number>>;
}

const PATH = (zone: string) => `zones/${zone}/http_requests`;
const linesOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `{"n":${from + n}}`);
const replayOf = (id: number) => server.call<Replay>('GET', `/v1/replays/${id}`);
const booksOf = (id: number) => server.call<Ledger>('GET', `/v1/replays/${id}/ledger`);

async function replay(job: number, ...args: string[]): Promise<Replay> {
  const said = await waybill(server, 'replay', String(job), ...args, '--json');
  assert.equal(said.code, 0, said.note);
  return JSON.parse(said.out) as Replay;
}

async function done(id: number): Promise<Replay> {
  await eventually('the replay is done', async () => (await replayOf(id)).state === 'done');
  return replayOf(id);
}

async function objectsIn(path: string): Promise<Map<string, string[]>> {
  const names = await readdir(path).catch(() => []);
  const found = new Map<string, string[]>();
  for (const name of names.filter((one) => one.endsWith('.log.gz'))) {
    const text = gunzipSync(await readFile(join(path, name))).toString('utf8');
    found.set(name, text.split('\n').slice(0, -1));
  }
  return found;
}

test('a range is delivered once more to the same place under other names; the job and its books are as before', async () => {
  const token = await makeCustomer(server, 'same', 'same');
  const job = await makeJob(server, 'same', `file://${out}/same`);
  await sendTo(server, token, PATH('same'), linesOf(0, 30).join('\n'));
  await eventually(
    'live delivery',
    async () => (await ledgerOf(server, job)).total.delivered === 30,
  );
  const live = await objectsIn(join(out, 'same'));
  const before = await ledgerOf(server, job);
  const { id, lines } = await replay(job, '--from', '10', '--to', '20');
  assert.equal(lines, 10);
  const ended = await done(id);
  assert.deepEqual([ended.delivered, ended.waiting], [10, 0]);
  const all = await objectsIn(join(out, 'same'));
  const again = [...all].filter(([name]) => !live.has(name));
  assert.deepEqual(
    again.flatMap(([, said]) => said),
    linesOf(10, 20),
  );
  assert.deepEqual(await ledgerOf(server, job), before);
  const { total, hours } = await booksOf(id);
  assert.deepEqual([total.accepted, total.delivered, total.balanced], [10, 10, true]);
  assert.ok(hours.every((hour) => hour.balanced));
  const scope = await server.call<{
    jobs: readonly { readonly job: number }[];
    replays: readonly { readonly job: number }[];
  }>('GET', '/v1/zones/same/ledger');
  assert.deepEqual(
    [scope.jobs.map((one) => one.job), scope.replays.map((one) => one.job)],
    [[job], [id]],
  );
});

test('to another destination, over SIGKILL: the same names and every line once', async () => {
  const token = await makeCustomer(server, 'other', 'other');
  const receiver = await startReceiver();
  const other = await startReceiver();
  const job = await makeJob(server, 'other', receiver.url);
  await sendTo(server, token, PATH('other'), linesOf(0, 50).join('\n'));
  await eventually('live delivery', () => receiver.lines().length === 50);
  other.answer(503);
  const { id } = await replay(job, '--from', 'oldest', '--destination', other.url);
  await eventually('it was tried', () => other.requests > 0);
  await server.end('SIGKILL');
  server = await startServer(options);
  other.answer(204);
  assert.equal((await done(id)).delivered, 50);
  assert.deepEqual(other.lines(), linesOf(0, 50));
  const { attempts } = await server.call<{ attempts: readonly { readonly plan: string }[] }>(
    'GET',
    `/v1/replays/${id}/attempts`,
  );
  assert.equal(new Set(attempts.map(({ plan }) => plan)).size, 1, 'one plan, tried again');
  assert.equal(receiver.lines().length, 50, 'the job itself sent nothing');
  receiver.close();
  other.close();
});

test('live delivery goes first; a replay is cancelled, and its rest is skipped by its owner', async () => {
  const token = await makeCustomer(server, 'cancel', 'cancel');
  const receiver = await startReceiver();
  const other = await startReceiver();
  other.answer(503);
  const job = await makeJob(server, 'cancel', receiver.url);
  await sendTo(server, token, PATH('cancel'), linesOf(0, 40).join('\n'));
  await eventually('live delivery', () => receiver.lines().length === 40);
  const { id } = await replay(job, '--from', '0', '--destination', other.url);
  await eventually('it was tried', () => other.requests > 0);
  await sendTo(server, token, PATH('cancel'), linesOf(40, 45).join('\n'));
  await eventually('live delivery goes on', () => receiver.lines().length === 45);
  const said = await waybill(server, 'replays', 'cancel', String(id));
  assert.match(said.out, /is cancelled/);
  await eventually('the rest is settled', async () => (await booksOf(id)).total.waiting === 0);
  const { total } = await booksOf(id);
  assert.deepEqual([total.dropped, total.balanced], [{ skipped_by_owner: 40 }, true]);
  const hostile = await waybill(
    server,
    'replay',
    String(job),
    '--from',
    '0',
    '--destination',
    'file:///etc/x',
  );
  assert.match(hostile.note, /error validating destination/);
  receiver.close();
  other.close();
});

test('the offline checker agrees with the books', async () => {
  assert.equal(await server.end('SIGTERM'), 0);
  const report = await checkFolder(nodeFileSystem(), options.dataDir, { books: true });
  assert.ok('problems' in report);
  assert.deepEqual(report.problems, []);
  assert.ok(report.books.every(({ balanced }) => balanced));
  server = await startServer(options);
});
