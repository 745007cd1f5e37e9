// `log list`, `export` and `salvage` over folders that the real rooms wrote, whole and damaged.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { texts } from '../src/buffer/testing.ts';
import { exportLines, listFolder, salvageFolder } from '../src/check/index.ts';
import type { FileSystem } from '../src/lib/fs/file-system.ts';
import type { LinesWanted } from '../src/model/folder-lines.ts';
import { ALPHA, BETA, bytesOf, makeFolder, namesIn, put } from './proof/small-folder.ts';

/** All lines of the stream, as they were accepted. */
const ALL = Array.from({ length: 12 }, (_, round) => texts(20, round * 20, 30)).flat();

async function exported(files: FileSystem, wanted: Partial<LinesWanted>) {
  const parts: Buffer[] = [];
  const write = async (bytes: Buffer) => void parts.push(Buffer.from(bytes));
  const report = await exportLines(files, '/data', { waiting: false, ...wanted }, write);
  const lines = Buffer.concat(parts).toString().split('\n').slice(0, -1);
  return { report, lines };
}

const told = <T extends object>(report: T): Exclude<T, { misuse: string }> => {
  assert.ok(!('misuse' in report), JSON.stringify(report));
  return report as Exclude<T, { misuse: string }>;
};

test('a stream comes out as it went in, and a range of it exactly', async () => {
  const files = await makeFolder('kill');
  const whole = await exported(files, { stream: ALPHA });
  assert.deepEqual(whole.lines, ALL);
  assert.deepEqual(told(whole.report).missing, []);
  const part = await exported(files, { stream: ALPHA, from: 17, to: 63 });
  assert.deepEqual(part.lines, ALL.slice(17, 63));
});

test("of a job, what it has not settled: nothing of job 1's, the rest of job 2's", async () => {
  const files = await makeFolder('kill');
  assert.deepEqual((await exported(files, { job: 1, waiting: true })).lines, []);
  const { lines } = await exported(files, { job: 2, waiting: true });
  assert.deepEqual(lines, ALL.slice(100));
});

test('the list names streams, lines and what waits', async () => {
  const listing = told(await listFolder(await makeFolder('close'), '/data'));
  assert.deepEqual(
    listing.streams.map(({ stream, lines, head, runs }) => ({ stream, lines, head, runs })),
    [
      { stream: ALPHA, lines: 240, head: 240, runs: [{ from: 0, to: 240 }] },
      { stream: BETA, lines: 108, head: 108, runs: [{ from: 0, to: 108 }] },
    ],
  );
  assert.deepEqual(
    listing.jobs.map(({ job, waitingLines }) => [job, waitingLines]),
    [
      [1, 0],
      [2, 140],
      [3, 72],
    ],
  );
  assert.deepEqual(listing.problems, []);
});

test('I10: a flipped byte costs an export the block that it is in, by name, and every other line is there', async () => {
  const files = await makeFolder('close');
  const [path] = await namesIn(files, 'log', '.seg');
  const whole = await bytesOf(files, path!);
  let lossy = 0;
  for (let at = 64; at < whole.length; at += 997) {
    const flipped = Buffer.from(whole);
    flipped[at]! ^= 0x10;
    await put(files, path!, flipped);
    const { report, lines } = await exported(files, { stream: ALPHA });
    const { missing } = told(report);
    const lost = new Set(
      missing.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, n) => from + n)),
    );
    assert.deepEqual(
      lines,
      ALL.filter((_, offset) => !lost.has(offset)),
    );
    assert.ok(lost.size <= 20, `byte ${at} costs ${lost.size} lines`);
    if (lost.size > 0) lossy += 1;
  }
  assert.ok(lossy > 0, 'some bytes cost lines');
});

test('salvage writes each stream and says what is missing; the folder stays as it was', async () => {
  const files = await makeFolder('close');
  const [path] = await namesIn(files, 'log', '.seg');
  const bytes = await bytesOf(files, path!);
  bytes[bytes.indexOf('WBR1') + 120]! ^= 1;
  bytes[600]! ^= 1;
  await put(files, path!, bytes);
  const made = new Map<string, string>();
  const target = {
    async file(name: string) {
      made.set(name, '');
      const write = async (part: Buffer) =>
        void made.set(name, made.get(name)! + part.toString('utf8'));
      return { write, close: async () => {} };
    },
  };
  const report = told(await salvageFolder(files, '/data', target));
  for (const { file, missing, stream } of report.streams) {
    const gone = missing.reduce((sum, { from, to }) => sum + to - from, 0);
    const lines = made.get(file)!.split('\n').slice(0, -1);
    assert.equal(lines.length + gone, stream === ALPHA ? 240 : 108);
  }
  assert.ok(report.problems.length > 0);
  assert.deepEqual(JSON.parse(made.get('salvage.json')!), report);
  assert.deepEqual(await bytesOf(files, path!), bytes);
});

test('what is not there is misuse, told with what there is', async () => {
  const files = await makeFolder('kill');
  const { report } = await exported(files, { stream: 'zones/nobody/http_requests' });
  assert.ok('misuse' in report);
  assert.match(report.misuse, /it has zones\/alpha\/http_requests, zones\/beta\/http_requests/);
  assert.ok('misuse' in (await listFolder(files, '/elsewhere')));
});
