import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import type { LedgerEvent } from '../buffer/index.ts';
import { manualClock } from '../lib/clock-manual.ts';
import { silent as diagnostics } from '../lib/diagnostics.ts';
import { writeAll } from '../lib/fs/file-system.ts';
import { SimDisk } from '../lib/fs/sim.ts';
import { seededRandom } from '../lib/random.ts';
import { runs, stride } from '../lib/testing/depth.ts';
import { ARCHIVE_HEADER_BYTES, FRAME_HEADER_BYTES, archiveFileName } from './archive-format.ts';
import { readArchive } from './archive-reader.ts';
import { openArchiveWriter } from './archive-writer.ts';

const EVENTS = 5;

/** An hour of its own for each: neighbours of one hour are put together. */
const eventOf = (n: number): LedgerEvent => ({
  kind: 'accepted',
  stream: 'zones/z1/http_requests',
  epoch: '00000000000000aa',
  range: { from: n, to: n + 1 },
  hour: 483_000 + n,
  bytes: 100,
});

async function writerOn(disk: SimDisk) {
  const writer = await openArchiveWriter({
    files: disk.files(),
    directory: '/archive',
    clock: manualClock(),
    diagnostics,
    fileBytes: 100_000,
    keepMs: 1e9,
  });
  writer.live();
  return writer;
}

async function archive() {
  const disk = new SimDisk({ random: seededRandom(1) });
  const writer = await writerOn(disk);
  for (let n = 0; n < EVENTS; n += 1) writer.record(eventOf(n));
  await writer.close();
  return { disk, files: disk.files(), path: `/archive/${archiveFileName(1)}` };
}

async function read({ disk }: { disk: SimDisk }) {
  const events: number[] = [];
  let damaged = 0;
  for await (const piece of readArchive(disk.files(), '/archive')) {
    for (const event of piece.events) if (event.kind === 'accepted') events.push(event.range.from);
    if (piece.damaged !== undefined) damaged += 1;
  }
  return { events, damaged };
}

const ALL = Array.from({ length: EVENTS }, (_, n) => n);

test('I10: a flipped bit anywhere in an archive file costs at most the event that it is in, and is told', async () => {
  const whole = await archive();
  assert.deepEqual(await read(whole), { events: ALL, damaged: 0 });
  const size = whole.disk.content(whole.path)!.length;
  const end = size - FRAME_HEADER_BYTES;
  let lost = 0;
  let tried = 0;
  for (let at = 0; at < size; at += stride()) {
    const mask = 1 << (at % 8);
    whole.disk.flip(whole.path, at, mask);
    const { damaged, events } = await read(whole);
    assert.ok(events.length >= EVENTS - 1, `byte ${at}: ${events.join()}`);
    // Only the mark behind the last event says that what stands before it was synced; itself it holds nothing.
    if (events.length < EVENTS) assert.equal(damaged, 1, `byte ${at}`);
    if (at >= ARCHIVE_HEADER_BYTES && at < end) tried += 1;
    if (events.length < EVENTS) lost += 1;
    else assert.ok(at < ARCHIVE_HEADER_BYTES || at >= end, `byte ${at} is of no event`);
    whole.disk.flip(whole.path, at, mask);
  }
  assert.ok(lost > 0);
  assert.equal(lost, tried);
});

test('an archive file that a crash cut anywhere before its sync is not called damaged', async () => {
  const cut = await archive();
  const size = cut.disk.content(cut.path)!.length - FRAME_HEADER_BYTES;
  const file = await cut.files.open(cut.path, 'write');
  for (let bytes = size; bytes >= ARCHIVE_HEADER_BYTES; bytes -= stride()) {
    await file.truncate(bytes);
    assert.equal((await read(cut)).damaged, 0, `cut to ${bytes}`);
  }
  await file.close();
});

test('what a power cut keeps of an archive: all that was synced, of the rest what stands before the first hole, and no damage', async () => {
  let holes = 0;
  const cuts = runs(60);
  for (let seed = 0; seed < cuts; seed += 1) {
    const disk = new SimDisk({ random: seededRandom(seed) });
    const writer = await writerOn(disk);
    for (let n = 0; n < 40; n += 1) {
      writer.record(eventOf(n));
      if (n % 3 === 0) await writer.flush();
      if (n === 10) await writer.sync();
    }
    await writer.flush();
    disk.crash();
    const { damaged, events } = await read({ disk });
    assert.equal(damaged, 0, `seed ${seed}`);
    assert.deepEqual(events, ALL40.slice(0, events.length), `seed ${seed}`);
    assert.ok(events.length > 10, `seed ${seed}: ${events.length}`);
    if (events.length < 40) holes += 1;
  }
  assert.ok(holes > cuts / 6, 'some of them cost something');
});
const ALL40 = Array.from({ length: 40 }, (_, n) => n);

test('I10: decay before the last sync is damage also when a power cut tore what came behind', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  const writer = await writerOn(disk);
  for (let n = 0; n < 5; n += 1) writer.record(eventOf(n));
  await writer.sync();
  writer.record(eventOf(5));
  await writer.flush();
  disk.kill();
  const path = `/archive/${archiveFileName(1)}`;
  disk.flip(path, ARCHIVE_HEADER_BYTES + 300, 1);
  const file = await disk.files().open(path, 'write');
  await file.truncate((await file.sizeBytes()) - 3);
  await file.close();
  assert.deepEqual(await read({ disk }), { events: [0, 2, 3, 4], damaged: 1 });
});

test('a folder that the version before wrote is read on, and gets its next file in this one', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  const files = disk.files();
  await files.makeDirectory('/archive');
  const old = await files.open(`/archive/${archiveFileName(42)}`, 'create');
  await writeAll(old, [readFileSync(new URL('golden/v1.wba', import.meta.url))], 0);
  await old.sync();
  await old.close();
  const writer = await writerOn(disk);
  writer.record(eventOf(7));
  await writer.close();
  const kinds: string[] = [];
  for await (const { events, damaged } of readArchive(files, '/archive')) {
    assert.equal(damaged, undefined);
    for (const event of events) kinds.push(event.kind);
  }
  assert.deepEqual(kinds, ['job', 'accepted', 'waybill', 'refused', 'accepted']);
  assert.equal(disk.content(`/archive/${archiveFileName(43)}`)!.readUInt16LE(8), 2);
});
