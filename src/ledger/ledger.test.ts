import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { silent } from '../lib/diagnostics.ts';
import { FsError } from '../lib/fs/file-system.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import { nodeFileSystem } from '../lib/fs/node.ts';
import { systemClock } from '../lib/clock.ts';
import type { LedgerEvent } from '../buffer/index.ts';
import type { Waybill } from '../model/delivery.ts';
import { openArchiveWriter } from './archive-writer.ts';
import { readArchive } from './archive-reader.ts';
import { openBooks } from './books.ts';
import type { JobCut } from './contract.ts';
import { stride } from '../lib/testing/depth.ts';

const folders: string[] = [];
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));
async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'waybill-ledger-'));
  folders.push(made);
  return made;
}
const files = nodeFileSystem();
const writer = (directory: string, over: Partial<Parameters<typeof openArchiveWriter>[0]> = {}) =>
  openArchiveWriter({
    files,
    directory,
    clock: systemClock,
    diagnostics: silent,
    fileBytes: 1 << 20,
    keepMs: 1e9,
    ...over,
  });

const STREAM = 'zones/z1/http_requests';
const HOUR = 498_300;
const accepted = (from: number, to: number, hour = HOUR): LedgerEvent => ({
  kind: 'accepted',
  stream: STREAM,
  epoch: '00000000000000aa',
  range: { from, to },
  hour,
  bytes: (to - from) * 10,
});
const waybill = (
  sequence: number,
  from: number,
  to: number,
  more: Partial<Waybill> = {},
): LedgerEvent => ({
  kind: 'waybill',
  waybill: {
    job: 1,
    sequence,
    stream: STREAM,
    epoch: '00000000000000aa',
    range: { from, to },
    hour: HOUR,
    counts: { delivered: to - from, excluded: {}, dropped: {} },
    plan: `p${sequence}`,
    sha256: null,
    plainBytes: (to - from) * 10,
    sentBytes: to - from,
    receipt: null,
    destination: null,
    configVersion: 1,
    atMs: 0,
    previous: null,
    ...more,
  },
});
const opened: LedgerEvent = {
  kind: 'job',
  job: 1,
  stream: STREAM,
  epoch: '00000000000000aa',
  start: 0,
  open: true,
};

async function read(directory: string): Promise<LedgerEvent[]> {
  const events: LedgerEvent[] = [];
  for await (const piece of readArchive(files, directory)) events.push(...piece.events);
  return events;
}
const books = async (archive: string) =>
  openBooks({
    files,
    archives: [archive],
    path: join(await folder(), 'books.db'),
    diagnostics: silent,
  });
const cut = (more: Partial<JobCut> = {}): JobCut => ({
  job: 1,
  stream: STREAM,
  start: 0,
  head: 30,
  totals: { delivered: 20, excluded: {}, dropped: {} },
  waitingByHour: [[HOUR, 10]],
  ...more,
});

test('what was recorded is read back in order, over reopenings and files', async () => {
  const directory = await folder();
  const first = await writer(directory, { fileBytes: 64 });
  first.record(opened);
  await first.sync();
  first.record(accepted(0, 10));
  await first.close();
  const second = await writer(directory);
  second.record(waybill(1, 0, 10));
  await second.close();
  assert.deepEqual(await read(directory), [opened, accepted(0, 10), waybill(1, 0, 10)]);
});

test('blocks that follow each other become one event, but not while a log is replayed', async () => {
  const directory = await folder();
  const archive = await writer(directory);
  archive.record(accepted(0, 10));
  archive.record(accepted(10, 20));
  archive.live();
  await archive.flush();
  archive.record(accepted(20, 30));
  archive.record(accepted(30, 40));
  archive.record(accepted(40, 50, HOUR + 1));
  await archive.close();
  assert.deepEqual(await read(directory), [
    accepted(0, 10),
    accepted(10, 20),
    accepted(20, 40),
    accepted(40, 50, HOUR + 1),
  ]);
});

test('a mark holds exactly the events recorded before its call', async () => {
  const directory = await folder();
  const archive = await writer(directory);
  archive.record(accepted(0, 10));
  const flushed = archive.flush();
  archive.record(accepted(10, 20));
  const mark = await flushed;
  const later = archive.flush();
  assert.ok((await later).bytes > mark.bytes);
  const before: LedgerEvent[] = [];
  for await (const piece of readArchive(files, directory, mark)) before.push(...piece.events);
  assert.deepEqual(before, [accepted(10, 20)]);
  await archive.close();
});

test('after a failed sync the unsynced events stand in a new file', async () => {
  const directory = await folder();
  let failing = false;
  const faulty: FileSystem = {
    ...files,
    open: async (path, mode) => {
      const handle = await files.open(path, mode);
      return {
        write: (buffers, at) => handle.write(buffers, at),
        read: (target, at) => handle.read(target, at),
        readEach: (places) => handle.readEach(places),
        truncate: (bytes) => handle.truncate(bytes),
        sizeBytes: () => handle.sizeBytes(),
        close: () => handle.close(),
        sync: async () => {
          if (failing) {
            failing = false;
            throw new FsError('EIO', 'sync', path);
          }
          await handle.sync();
        },
      };
    },
  };
  const archive = await writer(directory, { files: faulty });
  archive.record(accepted(0, 10));
  await archive.flush();
  failing = true;
  await archive.sync();
  const names = (await readdir(directory)).toSorted();
  assert.equal(names.length, 2);
  await rm(join(directory, names[0]!));
  assert.deepEqual(await read(directory), [accepted(0, 10)]);
  await archive.close();
});

test('I5: while the disk takes nothing, no file is left behind by each try, and what waited comes then', async () => {
  const directory = await folder();
  let full = true;
  const faulty: FileSystem = {
    ...files,
    open: async (path, mode) => {
      const handle = await files.open(path, mode);
      const write: typeof handle.write = (buffers, at) => {
        if (full) throw new FsError('ENOSPC', 'write', path);
        return handle.write(buffers, at);
      };
      return {
        write,
        read: (target, at) => handle.read(target, at),
        readEach: (places) => handle.readEach(places),
        truncate: (bytes) => handle.truncate(bytes),
        sizeBytes: () => handle.sizeBytes(),
        close: () => handle.close(),
        sync: () => handle.sync(),
      };
    },
  };
  const archive = await writer(directory, { files: faulty });
  archive.record(accepted(0, 10));
  for (let tries = 0; tries < 5; tries++) await assert.rejects(archive.flush(), FsError);
  assert.deepEqual(await readdir(directory), []);
  full = false;
  await archive.sync();
  assert.deepEqual(await read(directory), [accepted(0, 10)]);
  await archive.close();
});

test('a file without a header makes no younger one go before its time', async () => {
  const directory = await folder();
  let wallMs = 1_000_000;
  const clock = { ...systemClock, wallMs: () => wallMs };
  const archive = await writer(directory, { clock, fileBytes: 64, keepMs: 50_000 });
  const fill = async (from: number) => {
    archive.record(accepted(from, from + 1));
    await archive.sync();
  };
  await fill(0);
  archive.record(accepted(1, 2));
  await archive.close();
  // The first one had its time; and this is what a crash leaves of a file that was just begun.
  await rm(join(directory, '0000000001.wba'));
  await writeFile(join(directory, '0000000003.wba'), Buffer.alloc(0));
  const next = await writer(directory, { clock, fileBytes: 64, keepMs: 50_000 });
  for (let from = 2; from < 4; from++) {
    next.record(accepted(from, from + 1));
    await next.sync();
  }
  assert.deepEqual((await read(directory))[0], accepted(1, 2));
  // In time they go, gaps and all.
  wallMs += 100_000;
  for (let from = 4; from < 8; from++) {
    next.record(accepted(from, from + 1));
    await next.sync();
  }
  await next.close();
  assert.equal((await readdir(directory)).includes('0000000003.wba'), false);
  assert.deepEqual((await read(directory)).at(-1), accepted(7, 8));
  assert.ok((await read(directory)).length < 8);
});

test('more events than a call takes arguments are recorded after a replay', async () => {
  const directory = await folder();
  const archive = await writer(directory, { fileBytes: 1 << 30 });
  const events = 150_000;
  for (let from = 0; from < events; from++) archive.record(accepted(from, from + 1));
  await archive.sync();
  let seen = 0;
  for await (const piece of readArchive(files, directory)) seen += piece.events.length;
  assert.equal(seen, events);
  await archive.close();
});

test('a torn end is passed over, and what comes again after it is counted once (I2)', async () => {
  const directory = await folder();
  const before = await writer(directory);
  before.record(opened);
  before.record(accepted(0, 10));
  before.record(accepted(10, 20));
  before.record(waybill(1, 0, 10));
  await before.close();
  const sums = await books(directory);
  await sums.catchUp();
  const [name] = await readdir(directory);
  await truncate(join(directory, name!), (await readFile(join(directory, name!))).length - 5);
  const replayed = await writer(directory);
  for (const event of [accepted(0, 10), accepted(10, 20), waybill(1, 0, 10)])
    replayed.record(event);
  replayed.live();
  replayed.record(accepted(20, 30));
  replayed.record(waybill(2, 10, 20));
  await replayed.close();
  await sums.catchUp();
  const fresh = await books(directory);
  await fresh.catchUp();
  for (const each of [sums, fresh]) {
    const ledger = each.job(cut());
    assert.equal(ledger.hours[0]!.accepted, 30);
    assert.equal(ledger.hours[0]!.acceptedBytes, 300);
    assert.equal(ledger.hours[0]!.delivered, 20);
    assert.equal(ledger.hours[0]!.balanced, true);
    assert.equal(ledger.total.balanced, true);
    each.close();
  }
});

test('a line that is neither settled nor waiting unbalances its hour and the total (I2)', async () => {
  const directory = await folder();
  const archive = await writer(directory);
  for (const event of [opened, accepted(0, 30), waybill(1, 0, 20)]) archive.record(event);
  await archive.close();
  const sums = await books(directory);
  await sums.catchUp();
  const ledger = sums.job(cut({ waitingByHour: [[HOUR, 9]] }));
  assert.equal(ledger.hours[0]!.balanced, false);
  assert.equal(ledger.total.balanced, false);
  sums.close();
});

test('lines that come after a cut was taken never look like an imbalance (I2)', async () => {
  const directory = await folder();
  const archive = await writer(directory);
  const sums = await books(directory);
  for (const event of [opened, accepted(0, 30), waybill(1, 0, 20)]) archive.record(event);
  const early = { marks: [{ shard: 0, ...(await archive.flush()) }], job: cut() };
  // Written before anybody reads: the archive is ahead of the cut.
  archive.record(accepted(30, 50));
  const late = {
    marks: [{ shard: 0, ...(await archive.flush()) }],
    job: cut({ head: 50, waitingByHour: [[HOUR, 30]] }),
  };
  const first = await sums.at(
    async () => early,
    ({ job }) => sums.job(job),
  );
  assert.equal(first.hours[0]!.accepted, 30);
  assert.equal(first.hours[0]!.balanced, true);
  // The sums are ahead of the cut: it is taken again.
  await sums.catchUp();
  let taken = 0;
  const second = await sums.at(
    async () => (taken++ === 0 ? early : late),
    ({ job }) => sums.job(job),
  );
  assert.equal(taken, 2);
  assert.equal(second.hours[0]!.accepted, 50);
  assert.equal(second.hours[0]!.balanced, true);
  sums.close();
  await archive.close();
});

test('a job that began in mid-hour counts only what came since', async () => {
  const directory = await folder();
  const archive = await writer(directory);
  for (const event of [
    accepted(0, 30),
    { ...opened, start: 12 },
    waybill(1, 12, 20),
  ] as LedgerEvent[])
    archive.record(event);
  await archive.close();
  const sums = await books(directory);
  await sums.catchUp();
  const ledger = sums.job(cut({ start: 12, totals: { delivered: 8, excluded: {}, dropped: {} } }));
  assert.equal(ledger.hours[0]!.accepted, 18);
  assert.equal(ledger.hours[0]!.balanced, true);
  sums.close();
});

test('a job that was forgotten and opened again goes on counting, and both lives balance', async () => {
  const directory = await folder();
  const archive = await writer(directory);
  const second: LedgerEvent = { ...opened, start: 20 } as LedgerEvent;
  for (const event of [
    opened,
    accepted(0, 10),
    waybill(1, 0, 10),
    accepted(10, 30),
    second,
    waybill(1, 20, 25),
  ])
    archive.record(event);
  await archive.close();
  const sums = await books(directory);
  await sums.catchUp();
  const ledger = sums.job(
    cut({
      start: 20,
      totals: { delivered: 5, excluded: {}, dropped: {} },
      waitingByHour: [[HOUR, 5]],
    }),
  );
  for (const row of [ledger.total, ledger.hours[0]!]) {
    assert.deepEqual([row.accepted, row.delivered, row.waiting, row.balanced], [20, 15, 5, true]);
  }
  sums.close();
});

test('reasons, refusals and usage come out as they went in', async () => {
  const directory = await folder();
  const archive = await writer(directory);
  const counts = { delivered: 5, excluded: { filter: 3 }, dropped: { malformed: 2 } } as const;
  archive.record(opened);
  archive.record(accepted(0, 10));
  archive.record(waybill(1, 0, 10, { counts, plainBytes: 50, sentBytes: 7 }));
  const refusal = { stream: STREAM, hour: HOUR, reason: 'line_shape', requests: 1, lines: 4 };
  archive.record({ kind: 'refused', sequence: 1, entries: [refusal] });
  archive.record({ kind: 'refused', sequence: 1, entries: [refusal] });
  await archive.close();
  const sums = await books(directory);
  await sums.catchUp();
  const [hour] = sums.job(cut({ head: 10, totals: counts, waitingByHour: [] })).hours;
  assert.deepEqual(hour!.excluded, { filter: 3 });
  assert.deepEqual(hour!.dropped, { malformed: 2 });
  assert.deepEqual(hour!.notTaken, { line_shape: 4 });
  assert.deepEqual(sums.usage([STREAM], [1], 5), [
    {
      day: new Date(HOUR * 3_600_000).toISOString().slice(0, 10),
      acceptedLines: 10,
      acceptedBytes: 100,
      deliveredLines: 5,
      deliveredBytes: 50,
      sentBytes: 7,
    },
  ]);
  sums.close();
});

test('I2: the books are summed over the archives of all shards, each once, whatever the others have written', async () => {
  const archives = [await folder(), await folder()];
  const [own, other] = [await writer(archives[0]!), await writer(archives[1]!)];
  const refused = (sequence: number): LedgerEvent => ({
    kind: 'refused',
    sequence,
    entries: [{ stream: STREAM, hour: HOUR, reason: 'line_shape', requests: 1, lines: 3 }],
  });
  for (const event of [opened, accepted(0, 30), waybill(1, 0, 20), refused(1)]) own.record(event);
  // Whoever receives lines counts what it refuses, of every shard's streams.
  other.record(refused(1));
  const path = join(await folder(), 'books.db');
  const open = () => openBooks({ files, archives, path, diagnostics: silent });
  const first = await open();
  const marks = [
    { shard: 0, ...(await own.flush()) },
    { shard: 1, ...(await other.flush()) },
  ];
  const ask = async () => ({ marks, job: cut() });
  const answer = await first.at(ask, ({ job }) => first.job(job));
  assert.deepEqual([answer.total.accepted, answer.total.balanced], [30, true]);
  first.close();
  other.record(refused(2));
  await Promise.all([own.close(), other.close()]);
  const second = await open();
  await second.catchUp();
  const scope = { kind: 'zone', id: 'z1' } as const;
  const { streams, jobs } = second.scope(scope, [STREAM], [cut()]);
  assert.deepEqual([streams[0]!.accepted, streams[0]!.notTaken], [30, { line_shape: 9 }]);
  assert.equal(jobs[0]!.total.balanced, true);
  second.close();
});

test('sums that SQLite cannot read are made anew from the archive (I10)', async () => {
  const directory = await folder();
  const archive = await writer(directory);
  for (const event of [opened, accepted(0, 10)]) archive.record(event);
  await archive.close();
  const path = join(await folder(), 'books.db');
  await writeFile(path, 'this is no database at all, but it is long enough to be looked at');
  const sums = await openBooks({ files, archives: [directory], path, diagnostics: silent });
  await sums.catchUp();
  assert.equal(
    sums.job(
      cut({
        head: 10,
        waitingByHour: [[HOUR, 10]],
        totals: { delivered: 0, excluded: {}, dropped: {} },
      }),
    ).hours[0]!.accepted,
    10,
  );
  sums.close();
});

test('sums that only cannot be opened just now are left as they are', async () => {
  const directory = await folder();
  const path = join(await folder(), 'books.db');
  const sums = await openBooks({ files, archives: [directory], path, diagnostics: silent });
  sums.close();
  const before = await readFile(path);
  const other = new DatabaseSync(path);
  other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  await assert.rejects(openBooks({ files, archives: [directory], path, diagnostics: silent }));
  other.close();
  assert.deepEqual(await readFile(path), before);
});

test('damage inside an archive file is told once and never read as an event (I10)', async () => {
  const directory = await folder();
  const archive = await writer(directory);
  for (const event of [opened, accepted(0, 10), waybill(1, 0, 10)]) archive.record(event);
  await archive.close();
  const [name] = await readdir(directory);
  const path = join(directory, name!);
  const whole = await readFile(path);
  for (let at = 0; at < whole.length; at += stride() * (at < 64 ? 1 : 5)) {
    const flipped = Buffer.from(whole);
    flipped[at] = flipped[at]! ^ 0x40;
    await writeFile(path, flipped);
    const events = await read(directory);
    const all: LedgerEvent[] = [opened, accepted(0, 10), waybill(1, 0, 10)];
    assert.deepEqual(
      events,
      all.filter(({ kind }) => events.some((event) => event.kind === kind)),
      `byte ${at}`,
    );
    assert.ok(events.length >= 2, `byte ${at}: at most one event is lost`);
  }
  await writeFile(path, whole);
  await appendFile(path, Buffer.alloc(512));
  assert.equal((await read(directory)).length, 3, 'zeros at the end are no damage');
});
