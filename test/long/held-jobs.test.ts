/** Nothing narrows at once: deleted jobs come back, new ones may begin in the past. Through the real process. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkFolder } from '../../src/check/check.ts';
import { nodeFileSystem } from '../../src/lib/fs/node.ts';
import { waybill } from '../support/cli.ts';
import { ledgerOf, makeCustomer, makeJob, sendTo } from '../support/customer.ts';
import { eventually, startReceiver } from '../support/receiver.ts';
import { LOCAL_DESTINATIONS, startServer, temporaryFolder } from '../support/server.ts';

const folder = await temporaryFolder('held');
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
  ],
};
let server = await startServer(options);
after(async () => {
  await server.end('SIGKILL');
  await folder.remove();
});

const PATH = (zone: string) => `zones/${zone}/http_requests`;
const linesOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `{"n":${from + n}}`);
const waiting = async (job: number) => (await ledgerOf(server, job)).total.waiting;

test('a deleted job is listed, and restored it goes on where it stopped, also after SIGKILL', async () => {
  const token = await makeCustomer(server, 'back', 'back');
  const receiver = await startReceiver();
  const job = await makeJob(server, 'back', receiver.url);
  await sendTo(server, token, PATH('back'), linesOf(0, 10).join('\n'));
  await eventually('the first lines arrive', () => receiver.lines().length === 10);
  receiver.answer(503);
  await sendTo(server, token, PATH('back'), linesOf(10, 30).join('\n'));
  await waybill(server, 'jobs', 'delete', String(job));
  const unwanted = await sendTo(server, token, PATH('back'), '{"n":-1}\n');
  assert.equal(unwanted.body.unwanted, 1, 'nobody wants the lines meanwhile');
  await server.end('SIGKILL');
  server = await startServer(options);
  const listed = await waybill(server, 'jobs', 'list', '--deleted', '--json');
  const [shown] = JSON.parse(listed.out) as {
    id: number;
    held: { cursor: number; waitingLines: number; until: string };
  }[];
  assert.deepEqual([shown!.id, shown!.held.cursor, shown!.held.waitingLines], [job, 10, 20]);
  const heldHours = (Date.parse(shown!.held.until) - Date.now()) / 3_600_000;
  assert.ok(heldHours > 23 && heldHours < 24.1, `held for ${heldHours} more hours`);
  receiver.answer(204);
  const restored = await waybill(server, 'jobs', 'restore', String(job));
  assert.deepEqual([restored.code, restored.note], [0, '']);
  await sendTo(server, token, PATH('back'), linesOf(30, 35).join('\n'));
  await eventually('all arrive', async () => (await waiting(job)) === 0);
  assert.deepEqual([...new Set(receiver.lines())].toSorted(), linesOf(0, 35).toSorted());
  const { total } = await ledgerOf(server, job);
  assert.deepEqual([total.accepted, total.delivered, total.balanced], [35, 35, true]);
  assert.equal((await waybill(server, 'jobs', 'restore', String(job))).code, 4, 'it is there');
  receiver.close();
});

test('restored from now, what it had not delivered is settled as skipped by its owner (I2)', async () => {
  const token = await makeCustomer(server, 'now', 'now');
  const receiver = await startReceiver();
  receiver.answer(503);
  const job = await makeJob(server, 'now', receiver.url);
  await sendTo(server, token, PATH('now'), linesOf(0, 20).join('\n'));
  await waybill(server, 'jobs', 'delete', String(job));
  receiver.answer(204);
  const restored = await waybill(server, 'jobs', 'restore', String(job), '--from', 'now');
  assert.equal(restored.code, 0, restored.note);
  await sendTo(server, token, PATH('now'), linesOf(20, 25).join('\n'));
  await eventually('the new ones arrive', async () => (await waiting(job)) === 0);
  const { total } = await ledgerOf(server, job);
  assert.deepEqual(
    [total.accepted, total.delivered, total.dropped, total.balanced],
    [25, 5, { skipped_by_owner: 20 }, true],
  );
  assert.deepEqual(receiver.lines(), linesOf(20, 25));
  receiver.close();
});

test('a new job begins in the past: by time, by offset, or at the oldest line that is held', async () => {
  const token = await makeCustomer(server, 'past', 'past');
  const first = await startReceiver();
  await makeJob(server, 'past', first.url);
  await sendTo(server, token, PATH('past'), linesOf(0, 10).join('\n'));
  await eventually('the first job has them', () => first.lines().length === 10);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const middle = new Date().toISOString();
  await sendTo(server, token, PATH('past'), linesOf(10, 15).join('\n'));
  await eventually('these too', () => first.lines().length === 15);
  const where = ['--zone', 'past', '--dataset', 'http_requests'];
  const create = (url: string, start: string) =>
    waybill(server, 'jobs', 'create', ...where, '--destination', url, '--start', start, '--json');
  for (const [start, expected] of [
    ['oldest', linesOf(0, 15)],
    [middle, linesOf(10, 15)],
    ['12', linesOf(10, 15).slice(2)],
  ] as const) {
    const receiver = await startReceiver();
    const made = await create(receiver.url, start);
    assert.equal(made.code, 0, made.note);
    const { id } = JSON.parse(made.out) as { id: number };
    await eventually(`${start}: all arrive`, () => receiver.lines().length === expected.length);
    assert.deepEqual(receiver.lines(), expected);
    await eventually('settled', async () => (await waiting(id)) === 0);
    const { total, hours } = await ledgerOf(server, id);
    assert.deepEqual([total.accepted, total.balanced], [expected.length, true]);
    assert.ok(hours.every((hour) => hour.balanced));
    receiver.close();
  }
  const ahead = await create(first.url, '2099-01-01T00:00:00Z');
  assert.match(ahead.note, /place_ahead/);
  first.close();
});

test('the offline checker agrees with the books', async () => {
  assert.equal(await server.end('SIGTERM'), 0);
  const report = await checkFolder(nodeFileSystem(), options.dataDir, { books: true });
  assert.ok('problems' in report);
  assert.deepEqual(report.problems, []);
  assert.ok(report.books.every(({ balanced }) => balanced));
  server = await startServer(options);
});
