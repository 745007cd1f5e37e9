import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SimDisk } from '../../lib/fs/sim.ts';
import { seededRandom } from '../../lib/random.ts';
import { all, durable, record, textOf } from '../conformance.ts';
import type { ShardLog } from '../contract.ts';
import { openFilesLog } from './open.ts';
import { STEPS } from './options.ts';
import type { FilesLogOptions } from './options.ts';
import { DIRECTORY, opened, putFiles, segmentFiles, smallOptions } from './testing.ts';

async function openSim(
  more: Partial<FilesLogOptions> = {},
  disk = new SimDisk({ random: seededRandom(1) }),
): Promise<{ disk: SimDisk; log: ShardLog }> {
  const { log } = opened(await openFilesLog(smallOptions(disk.files(), more)));
  return { disk, log };
}

test('groups that wait are stored by one write and one sync', async () => {
  const { disk, log } = await openSim();
  const { write, sync } = disk.counts;
  const outcomes = await Promise.all(
    Array.from({ length: 30 }, (_, index) => log.append([record(`${index}`)])),
  );
  for (const outcome of outcomes) assert.equal(durable(outcome).end, log.durableEnd());
  assert.equal(disk.counts.write - write, 1);
  assert.equal(disk.counts.sync - sync, 1);
  assert.equal(log.stats().syncs, 1);
});

test('what comes while a commit is under way goes into the next one', async () => {
  const { disk, log } = await openSim();
  let release = (): void => {};
  const until = new Promise<void>((resolve) => (release = resolve));
  disk.plan({ operation: 'sync', nth: 1, effect: { kind: 'stall', until } });
  const first = log.append([record('first')]);
  await new Promise(setImmediate);
  const later = Array.from({ length: 9 }, (_, index) => log.append([record(`${index}`)]));
  await new Promise(setImmediate);
  const end = log.durableEnd();
  assert.equal(end, log.start(), 'the frontier waits for the sync');
  const early = await log.read(end, 100);
  assert.ok(early.kind === 'records' && early.records.length === 0);
  release();
  durable(await first);
  for (const outcome of await Promise.all(later)) durable(outcome);
  assert.equal(log.stats().syncs, 2);
});

test('I5: a commit takes no more than its bound, a larger group by itself', async () => {
  const { log } = await openSim({ commitBytes: 1000, segmentBytes: 100_000 });
  const group = [record('x'.repeat(300)), record('x'.repeat(300))];
  await Promise.all(Array.from({ length: 4 }, () => log.append(group)));
  assert.equal(log.stats().syncs, 4);
});

test('segments end near their size and follow each other without a gap', async () => {
  const { disk, log } = await openSim();
  for (let index = 0; index < 40; index++) durable(await log.append([record('x'.repeat(400))]));
  const files = [...(await segmentFiles(disk))];
  assert.ok(files.length > 3);
  let base = 0;
  for (const [name, bytes] of files) {
    assert.ok(bytes.length <= 4096);
    assert.equal(Number(name.slice(17, 33)), base);
    base += bytes.length - 64;
  }
  assert.equal(base, log.durableEnd());
  assert.equal(
    log.stats().heldBytes,
    files.reduce((sum, [, bytes]) => sum + bytes.length, 0),
  );
});

test('I5: reading many segments keeps few of them open', async () => {
  const { disk, log } = await openSim({ openSegments: 2 });
  for (let index = 0; index < 20; index++) await log.append([record(`${index}`)], { roll: true });
  const positions = (await all(log)).map(({ position }) => position);
  assert.equal(positions.length, 20);
  assert.ok(disk.openHandles() <= 3);
  await Promise.all(positions.map((position) => log.readOne(position)));
  assert.ok(disk.openHandles() <= 3);
  await log.close();
  assert.equal(disk.openHandles(), 0);
});

test('records are read whole while segments are trimmed and others written', async () => {
  const { log } = await openSim();
  const offered: string[] = [];
  const write = async (): Promise<void> => {
    for (let index = 0; index < 60; index++) {
      offered.push(`${index}`.padEnd(200, '.'));
      durable(await log.append([record(offered.at(-1)!)]));
      if (index % 10 === 9) await log.trimBefore(log.durableEnd());
    }
  };
  const writing = write();
  let reads = 0;
  for (let position = log.start(); reads < 200; reads++) {
    const read = await log.read(position, 500);
    if (read.kind === 'trimmed') {
      position = read.start;
      continue;
    }
    assert.ok(read.kind === 'records', read.kind);
    assert.deepEqual(read.damage, []);
    for (const found of read.records) assert.ok(offered.includes(textOf(found)));
    position = read.next;
    if (position === log.durableEnd()) await new Promise(setImmediate);
  }
  await writing;
});

test('trimming puts each removed name on stable storage before it removes the next', async () => {
  const { disk, log } = await openSim();
  for (let index = 0; index < 4; index++) await log.append([record(`${index}`)], { roll: true });
  const { unlink, syncDirectory } = disk.counts;
  await log.trimBefore(log.durableEnd());
  // The newest stays until the one behind it has been made.
  const removed = disk.counts.unlink - unlink;
  assert.ok(removed >= 3);
  assert.equal(disk.counts.syncDirectory - syncDirectory, removed);
});

test('a trim that the disk refuses is made good by the next one', async () => {
  const { disk, log } = await openSim();
  for (let index = 0; index < 4; index++) await log.append([record(`${index}`)], { roll: true });
  for (const operation of ['unlink', 'syncDirectory'] as const) {
    disk.plan({ operation, nth: 1, effect: { kind: 'fail', code: 'EIO' } });
    assert.ok((await log.trimBefore(log.durableEnd())) < log.durableEnd());
  }
  assert.equal(await log.trimBefore(log.durableEnd()), log.durableEnd());
  assert.equal((await segmentFiles(disk)).size, 1);
});

test('opening an idle log again and again leaves one segment', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  const epochs: number[] = [];
  for (let opening = 0; opening < 5; opening++) {
    const { log } = await openSim({}, disk);
    epochs.push(log.epoch);
    await log.close();
  }
  assert.deepEqual(epochs, [1, 2, 3, 4, 5]);
  assert.equal((await segmentFiles(disk)).size, 1);
});

test('a segment whose making was cut short counts for nothing', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  const draft = '0000000000000001-0000000000000000.new';
  await putFiles(disk.files(), new Map([[draft, Buffer.from('torn')]]));
  const { log } = await openSim({}, disk);
  assert.equal(log.start(), log.durableEnd());
  assert.deepEqual(
    [...(await disk.files().list(DIRECTORY))],
    [draft.replace('.new', '.seg'), 'lock.db'],
  );
});

test('what is not a segment is left alone', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  await putFiles(disk.files(), new Map([['checkpoint-1', Buffer.from('other')]]));
  await openSim({}, disk);
  assert.equal(disk.content(`${DIRECTORY}/checkpoint-1`)?.toString(), 'other');
});

test('I1: the answer names a file system that lives in memory', async () => {
  const disk = new SimDisk({ random: seededRandom(1), inMemory: true });
  assert.equal((await openSim({}, disk)).log.durability, 'memory');
  assert.equal((await openSim()).log.durability, 'disk');
});

test('a folder that the disk does not give is failed, and its lock is free again', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  disk.plan({ operation: 'list', nth: 1, effect: { kind: 'fail', code: 'EIO' } });
  assert.equal((await openFilesLog(smallOptions(disk.files()))).kind, 'failed');
  await openSim({}, disk);
});

test('every named step is met', async () => {
  const met = new Set<string>();
  const onStep = (step: string): void => void met.add(step);
  const disk = new SimDisk({ random: seededRandom(1) });
  for (let life = 0; life < 2; life++) {
    const { log } = await openSim({ onStep }, disk);
    await log.append([record('a')], { roll: true });
    await log.trimBefore(log.durableEnd());
    await log.close();
  }
  assert.deepEqual([...met].sort(), [...STEPS].sort());
});
