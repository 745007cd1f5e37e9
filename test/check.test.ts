// The offline checker over folders that the real rooms wrote: it agrees with them when all is well, and says so when not.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { texts } from '../src/buffer/testing.ts';
import { checkFolder } from '../src/check/check.ts';
import { SimDisk } from '../src/lib/fs/sim.ts';
import { seededRandom } from '../src/lib/random.ts';
import {
  ALPHA,
  BETA,
  bytesOf,
  check,
  makeFolder,
  namesIn,
  openShard,
  put,
  settle,
  store,
} from './proof/small-folder.ts';

const EXPECTED = [
  { job: 1, stream: ALPHA, accepted: 240, delivered: 180, excluded: 60, dropped: 0, waiting: 0 },
  { job: 2, stream: ALPHA, accepted: 240, delivered: 75, excluded: 25, dropped: 0, waiting: 140 },
  { job: 3, stream: BETA, accepted: 108, delivered: 28, excluded: 8, dropped: 0, waiting: 72 },
].map((line) => ({ ...line, balanced: true }));

for (const end of ['kill', 'close'] as const) {
  test(`I2: the recount is what the rooms were told (${end})`, async () => {
    const report = await check(await makeFolder(end));
    assert.deepEqual(report.problems, []);
    assert.deepEqual(report.books, EXPECTED);
    assert.ok(report.segments > 1, 'over several segments');
    assert.equal(report.lines, 348);
  });
}

test('the books are the same after the next start, whose events stand twice in the archive', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  await makeFolder('kill', disk);
  disk.crash();
  const files = disk.files();
  const shard = await openShard(files);
  await store(shard, ALPHA, texts(5));
  await settle(shard, 1, 5);
  await shard.close();
  const report = await check(files);
  assert.deepEqual(report.problems, []);
  assert.deepEqual(
    report.books.map(({ job, accepted, delivered, waiting }) => [
      job,
      accepted,
      delivered,
      waiting,
    ]),
    [
      [1, 245, 184, 0],
      [2, 245, 75, 145],
      [3, 108, 28, 72],
    ],
  );
});

test('books are left out unless they are asked for', async () => {
  const report = await checkFolder(await makeFolder('close'), '/data', { books: false });
  assert.ok(!('misuse' in report));
  assert.deepEqual(report.books, []);
});

test('I10: no flipped bit in a segment, a checkpoint or an archive file goes unseen', async () => {
  const files = await makeFolder('close');
  const random = seededRandom(5);
  const paths = [
    ...(await namesIn(files, 'log', '.seg')),
    ...(await namesIn(files, 'buffer', '.wbc')),
    ...(await namesIn(files, 'archive', '.wba')),
  ];
  assert.ok(paths.some((path) => path.endsWith('.wbc')));
  let flips = 0;
  let seen = 0;
  for (const path of paths) {
    const whole = await bytesOf(files, path);
    const covered = coveredBytes(path, whole);
    for (let n = 0; n < 12; n += 1) {
      const at = covered[Math.floor(random.fraction() * covered.length)]!;
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 1 << Math.floor(random.fraction() * 8);
      await put(files, path, flipped);
      const report = await checkFolder(files, '/data', { books: true });
      flips += 1;
      if ('misuse' in report || report.problems.length > 0) seen += 1;
      else assert.fail(`a bit flipped at byte ${at} of ${path} was not seen`);
    }
    await put(files, path, whole);
  }
  assert.equal(seen, flips);
  assert.deepEqual((await check(files)).problems, []);
});

/** Places that a checksum covers: padding and reserved bytes say nothing, and a bit in them harms nobody. */
function coveredBytes(path: string, whole: Buffer): number[] {
  const all = Array.from(whole, (_, at) => at);
  if (path.endsWith('.wbc')) return all.filter((at) => at < 6 || at >= 16);
  if (path.endsWith('.wba')) {
    // The mark at the end, without which the file looks like one that a crash cut behind its last event, hides nothing.
    return all.filter((at) => (at < 28 || at >= 32) && at < whole.length - 24);
  }
  const covered: number[] = all.filter((at) => at < 64);
  for (let at = 64; at < whole.length;) {
    const length = whole.readUInt32LE(at + 4);
    for (let offset = at; offset < at + 32 + length; offset += 1) covered.push(offset);
    at += 32 + Math.ceil(length / 8) * 8;
  }
  return covered;
}

test('a missing segment is told with the lines that it held; the books still know them', async () => {
  const files = await makeFolder('close');
  const segments = await namesIn(files, 'log', '.seg');
  assert.ok(segments.length >= 3);
  await files.unlink(segments[1]!);
  const report = await check(files);
  assert.ok(report.problems.some((problem) => /1 segment missing between/.test(problem)));
  assert.ok(
    report.problems.some((problem) => /stream .* lines from \d+ on cannot be read/.test(problem)),
  );
  assert.deepEqual(report.books, EXPECTED);
});

test('the newest segment missing is told by what its checkpoint has seen', async () => {
  const files = await makeFolder('close');
  await files.unlink((await namesIn(files, 'log', '.seg')).at(-1)!);
  assert.match((await check(files)).problems.join('\n'), /the log ends at \d+, but checkpoint/);
});

test('I3: lines that a job still waits for and that are gone with all older segments are told', async () => {
  const files = await makeFolder('close');
  const segments = await namesIn(files, 'log', '.seg');
  for (const path of segments.slice(0, -1)) await files.unlink(path);
  const { problems } = await check(files);
  assert.match(problems.join('\n'), /job 3: \d+ lines are waiting that cannot be read/);
});

test('an unfinished last write is no damage', async () => {
  const files = await makeFolder('kill');
  const last = (await namesIn(files, 'log', '.seg')).at(-1)!;
  const whole = await bytesOf(files, last);
  await put(files, last, Buffer.concat([whole, whole.subarray(64, 64 + 100)]));
  assert.deepEqual((await check(files)).problems, []);
  const archive = (await namesIn(files, 'archive', '.wba')).at(-1)!;
  await put(files, archive, (await bytesOf(files, archive)).subarray(0, -3));
  const report = await check(files);
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.books, EXPECTED);
});

test('a job whose cursor was given up and made anew has two lives in one book', async () => {
  const files = new SimDisk({ random: seededRandom(1) }).files();
  const shard = await openShard(files, 0);
  const { buffer } = shard;
  await buffer.openJob(1, ALPHA, 'a', 'head');
  await buffer.openJob(2, ALPHA, 'a', 'head');
  await store(shard, ALPHA, texts(30));
  await settle(shard, 1, 20);
  await buffer.closeJob(1);
  // The ten lines that are left are settled as unclaimed once the holdback is over, and the cursor goes.
  for (let tries = 0; tries < 50 && buffer.job(1); tries += 1) await shard.tend();
  assert.equal(buffer.job(1), undefined);
  await store(shard, ALPHA, texts(40));
  await buffer.openJob(1, ALPHA, 'a', 'head');
  await store(shard, ALPHA, texts(50));
  await settle(shard, 1, 8);
  for (const when of ['running', 'closed']) {
    if (when === 'closed') await shard.close();
    const report = await check(files);
    assert.deepEqual(report.problems, [], when);
    assert.deepEqual(
      report.books.map(({ job, accepted, delivered, excluded, dropped, waiting, balanced }) => [
        job,
        [accepted, delivered, excluded, dropped, waiting],
        balanced,
      ]),
      [
        [1, [80, 21, 7, 10, 42], true],
        [2, [120, 0, 0, 0, 120], true],
      ],
      when,
    );
  }
});

test('what the archive and the log have given up for their age is taken from the checkpoint', async () => {
  const files = new SimDisk({ random: seededRandom(1) }).files();
  const shard = await openShard(files, 0);
  assert.deepEqual(await shard.buffer.openJob(1, ALPHA, 'a', 'head'), { kind: 'durable' });
  for (let round = 0; round < 60; round += 1) {
    await store(shard, ALPHA, texts(20, round * 20, 60));
    await settle(shard, 1, 20);
    await shard.tend();
  }
  await store(shard, ALPHA, texts(7));
  await shard.close();
  const [oldest] = await namesIn(files, 'log', '.seg');
  assert.ok(!oldest!.includes('/0000000000000001-'), 'the log was trimmed');
  for (const path of (await namesIn(files, 'archive', '.wba')).slice(0, -1))
    await files.unlink(path);
  const report = await check(files);
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.books, [
    {
      job: 1,
      stream: ALPHA,
      accepted: 1_207,
      delivered: 900,
      excluded: 300,
      dropped: 0,
      waiting: 7,
      balanced: true,
    },
  ]);
});

test('a lost archive is told, because the log no longer holds everything in it', async () => {
  const files = await makeFolder('close');
  for (const path of await namesIn(files, 'archive', '.wba')) await files.unlink(path);
  for (const path of (await namesIn(files, 'log', '.seg')).slice(0, 1)) await files.unlink(path);
  const report = await check(files);
  assert.ok(
    report.problems.some((problem) =>
      /neither in the log nor in the archive|there is no/.test(problem),
    ),
  );
});

test('a newer format is refused, and nothing is said of its content', async () => {
  const files = await makeFolder('close');
  const [oldest] = await namesIn(files, 'archive', '.wba');
  const { crc32 } = await import('node:zlib');
  const bytes = await bytesOf(files, oldest!);
  bytes.writeUInt16LE(3, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 24)), 24);
  await put(files, oldest!, bytes);
  const report = await checkFolder(files, '/data', { books: true });
  assert.ok('misuse' in report);
  assert.match(report.misuse, /has format version 3, which is newer/);
});

test('a folder of something else is misuse', async () => {
  const files = new SimDisk({ random: seededRandom(1) }).files();
  await files.makeDirectory('/data/photos');
  const report = await checkFolder(files, '/data', { books: true });
  assert.ok('misuse' in report);
});
