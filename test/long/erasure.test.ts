/** An owner orders lines erased: nothing reads them, the books say so, and their bytes leave the disk. Real process. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkFolder } from '../../src/check/check.ts';
import { nodeFileSystem } from '../../src/lib/fs/node.ts';
import { waybill } from '../support/cli.ts';
import { ledgerOf, makeCustomer, makeJob, sendTo } from '../support/customer.ts';
import { eventually, startReceiver } from '../support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from '../support/server.ts';

const folder = await temporaryFolder('erase');
const options = {
  dataDir: join(folder.path, 'data'),
  flags: [
    ...LOCAL_DESTINATIONS,
    '--deliver-interval-ms',
    '200',
    '--buffer-low-watermark',
    '0.97',
    '--buffer-high-watermark',
    '0.98',
    '--buffer-erasure-ms',
    '0',
  ],
};
let server = await startServer(options);
after(async () => {
  await server.end('SIGKILL');
  await folder.remove();
});

const PATH = (zone: string) => `zones/${zone}/http_requests`;
/** Text that no compression shortens, so that it stands in the files as it is or not at all. */
const MARK = 'MarkOfTheErased';
const lineOf = (n: number, mark: string) =>
  `{"n":${n},"mark":"${mark}${n.toString(36).padStart(6, '0')}"}`;
const linesOf = (from: number, to: number, mark = MARK) =>
  Array.from({ length: to - from }, (_, n) => lineOf(from + n, mark));

/** Files below the data folder that hold a text, raw or in any deflated block. */
async function filesWith(text: string): Promise<string[]> {
  const names = await readdir(options.dataDir, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const name of names.filter((one) => one.isFile())) {
    const path = join(name.parentPath, name.name);
    const bytes = await readFile(path).catch(() => Buffer.alloc(0));
    if (bytes.includes(text)) found.push(path);
  }
  return found;
}

interface Erasure {
  readonly id: string;
  readonly state: string;
  readonly lines: number;
  readonly keptLines: number;
}

test('erased lines are not delivered, not pulled, told as erased, and their bytes are nowhere in the folder', async () => {
  const token = await makeCustomer(server, 'gone', 'gone');
  const other = await makeCustomer(server, 'stays', 'stays');
  const receiver = await startReceiver();
  const kept = await startReceiver();
  receiver.answer(503);
  const job = await makeJob(server, 'gone', receiver.url);
  const neighbour = await makeJob(server, 'stays', kept.url);
  kept.answer(503);
  // One line a block: too short to be worth a deflate's dictionary, so its bytes stand as they came.
  for (let n = 0; n < 20; n += 1) {
    await sendTo(server, token, PATH('gone'), lineOf(n, MARK));
    await sendTo(server, other, PATH('stays'), lineOf(n, 'Neighbour'));
  }
  assert.ok((await filesWith(MARK)).length > 0, 'the search finds what is there');
  const refused = await waybill(server, 'erase', '--zone', 'gone');
  assert.equal(refused.code, 2);
  assert.match(refused.note, /20 stored lines, of which jobs have not delivered 20/);
  assert.match(refused.note, /Type 20 to erase/);
  const erased = await waybill(server, 'erase', '--zone', 'gone', '--yes', '--json');
  assert.equal(erased.code, 0, erased.note);
  const order = JSON.parse(erased.out) as Erasure;
  assert.deepEqual([order.state, order.lines], ['in_force', 20]);
  await server.end('SIGKILL');
  server = await startServer(options);
  receiver.answer(204);
  await sendTo(server, token, PATH('gone'), linesOf(20, 25, 'After').join('\n'));
  await eventually('all is settled', async () => (await ledgerOf(server, job)).total.waiting === 0);
  const { total } = await ledgerOf(server, job);
  assert.deepEqual(
    [total.accepted, total.delivered, total.dropped, total.balanced],
    [25, 5, { erased: 20 }, true],
  );
  assert.deepEqual(receiver.lines(), linesOf(20, 25, 'After'));
  await eventually('the bytes are gone', async () => {
    const { state } = await server.call<Erasure>('GET', `/v1/zones/gone/erasures/${order.id}`);
    return state === 'done';
  });
  assert.deepEqual(await filesWith(MARK), []);
  kept.answer(204);
  await eventually('the neighbour has all its lines', () => kept.lines().length >= 20);
  // In whatever order: several batches were refused, and each comes back at a time of its own.
  assert.deepEqual(kept.lines().toSorted(), linesOf(0, 20, 'Neighbour').toSorted());
  assert.equal((await ledgerOf(server, neighbour)).total.dropped['erased'], undefined);
  receiver.close();
  kept.close();
});

test('an account with its zones, before a time; kept lines go too; the change log says who and why', async () => {
  const token = await makeCustomer(server, 'acme', 'acme1');
  const receiver = await startReceiver();
  await makeJob(server, 'acme1', receiver.url, {
    filter: '{"where":{"key":"EdgeResponseStatus","operator":"geq","value":500}}',
  });
  await sendTo(server, token, PATH('acme1'), `{"n":1,"Kept${MARK}":}\n`);
  await eventually('the malformed line is kept apart', async () => {
    const { lines } = await server.call<{ lines: unknown[] }>('GET', '/v1/zones/acme1/kept-lines');
    return lines.length === 1;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  const before = new Date().toISOString();
  await sendTo(server, token, PATH('acme1'), '{"n":2}\n');
  const said = await waybill(
    server,
    'erase',
    '--account',
    'acme',
    '--before',
    before,
    '--reason',
    'request 4711',
    '--yes',
    '--json',
  );
  const order = JSON.parse(said.out) as Erasure;
  assert.deepEqual([order.lines, order.keptLines], [1, 1], said.out);
  const { lines } = await server.call<{ lines: unknown[] }>('GET', '/v1/zones/acme1/kept-lines');
  assert.deepEqual(lines, []);
  const { changes } = await server.call<{ changes: { what: string; reason: string | null }[] }>(
    'GET',
    '/v1/accounts/acme/changes',
  );
  const entry = changes.find(({ what }) => what === 'erasure.order');
  assert.equal(entry?.reason, 'request 4711');
  await eventually('the bytes are gone', async () => {
    const { state } = await server.call<Erasure>('GET', `/v1/accounts/acme/erasures/${order.id}`);
    return state === 'done';
  });
  assert.deepEqual(await filesWith(`Kept${MARK}`), []);
  const ahead = await waybill(
    server,
    'erase',
    '--zone',
    'acme1',
    '--before',
    '2099-01-01T00:00:00Z',
  );
  assert.match(ahead.note, /place_ahead/);
  receiver.close();
});

test('the offline checker agrees with the books', async () => {
  assert.equal(await server.end('SIGTERM'), 0);
  const report = await checkFolder(nodeFileSystem(), options.dataDir, { books: true });
  assert.ok('problems' in report);
  assert.deepEqual(report.problems, []);
  assert.ok(report.books.every(({ balanced }) => balanced));
  server = await startServer(options);
});
