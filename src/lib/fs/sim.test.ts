import assert from 'node:assert/strict';
import { test } from 'node:test';

import { seededRandom } from '../random.ts';
import { fileSystemConformance } from './conformance.ts';
import { FsError, writeAll } from './file-system.ts';
import type { FileHandle } from './file-system.ts';
import { SimDisk } from './sim.ts';

fileSystemConformance('the simulated disk', async (use) => {
  const disk = new SimDisk({ random: seededRandom(1), totalBytes: 1e6 });
  await disk.files().makeDirectory('/data');
  await use({ files: disk.files(), root: '/data' });
  assert.equal(disk.openHandles(), 0, 'a claim leaves no file open');
});

async function diskWithFile(seed: number): Promise<{ disk: SimDisk; file: FileHandle }> {
  const disk = new SimDisk({ random: seededRandom(seed) });
  await disk.files().makeDirectory('/d');
  const file = await disk.files().open('/d/a', 'create');
  await disk.files().syncDirectory('/d');
  return { disk, file };
}

/** What a crash can leave, over many seeds. */
async function outcomes(
  prepare: (file: FileHandle, disk: SimDisk) => Promise<void>,
  show: (disk: SimDisk) => string,
): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let seed = 0; seed < 300; seed++) {
    const { disk, file } = await diskWithFile(seed);
    await prepare(file, disk);
    disk.crash();
    seen.add(show(disk));
  }
  return seen;
}

const sectors = (disk: SimDisk, path = '/d/a'): string => {
  const content = disk.content(path) ?? Buffer.alloc(0);
  const whole = Array.from({ length: Math.floor(content.length / 512) }, (_, index) =>
    content.subarray(index * 512, index * 512 + 512),
  );
  return whole
    .map((sector) => {
      if (sector.every((byte) => byte === sector[0])) return String.fromCharCode(sector[0] || 48);
      return '/';
    })
    .join('');
};

test('what was synced survives every crash', async () => {
  const seen = await outcomes(async (file) => {
    await writeAll(file, [Buffer.alloc(1024, 'x')], 0);
    await file.sync();
  }, sectors);
  assert.deepEqual([...seen], ['xx']);
});

test('what was written to a file whose writes sync survives every crash; what was being written, in any part', async () => {
  const ended = new Set<string>();
  const struck = new Set<string>();
  for (let seed = 0; seed < 300; seed++) {
    for (const [calls, seen] of [
      [Infinity, ended],
      [1, struck],
      [2, struck],
    ] as const) {
      const { disk } = await diskWithFile(seed);
      const file = await disk.files().open('/d/b', 'create-synced');
      await disk.files().syncDirectory('/d');
      const dead = disk.stopAt(calls);
      await Promise.race([writeAll(file, [Buffer.alloc(1024, 'x')], 0), dead]);
      disk.crash();
      seen.add(sectors(disk, '/d/b'));
    }
  }
  assert.deepEqual([...ended], ['xx']);
  for (const outcome of ['', '0x', 'x0', 'xx']) assert.ok(struck.has(outcome), outcome);
});

test('a synced write that fails at its sync has lost some of it for good', async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 300; seed++) {
    const { disk } = await diskWithFile(seed);
    const file = await disk.files().open('/d/b', 'create-synced');
    await disk.files().syncDirectory('/d');
    disk.plan({ operation: 'sync', nth: 1, effect: { kind: 'fail', code: 'EIO' } });
    await assert.rejects(file.write([Buffer.alloc(512, 'x')], 0), FsError);
    await writeAll(file, [Buffer.alloc(512, 'y')], 512);
    disk.crash();
    seen.add(sectors(disk, '/d/b'));
  }
  assert.ok(seen.has('0y') && seen.has('xy'));
});

test('of what was not synced any part survives: none, some sectors, a torn one, zeros, all', async () => {
  const seen = await outcomes((file) => writeAll(file, [Buffer.alloc(1536, 'x')], 0), sectors);
  for (const outcome of ['', 'xxx', '0', '000', 'x0x', '0xx', 'xx']) {
    assert.ok(seen.has(outcome), `${outcome} is among ${[...seen].join(' ')}`);
  }
  assert.ok([...seen].some((outcome) => outcome.includes('/')));
});

test('after a failed sync a later one passes and brings nothing back', async () => {
  const seen = await outcomes(async (file, disk) => {
    await writeAll(file, [Buffer.alloc(512, 'x')], 0);
    disk.plan({ operation: 'sync', nth: 1, effect: { kind: 'fail', code: 'EIO' } });
    await assert.rejects(file.sync(), FsError);
    await writeAll(file, [Buffer.alloc(512, 'y')], 512);
    await file.sync();
    assert.equal(disk.content('/d/a')?.[0], 'x'.charCodeAt(0), 'the cache still shows it');
  }, sectors);
  assert.ok(seen.has('0y') && seen.has('xy'));
  assert.ok([...seen].every((outcome) => outcome.endsWith('y')));
});

test('names survive by themselves: content may be there without its name, and the other way round', async () => {
  const seen = await outcomes(
    async (file, disk) => {
      const files = disk.files();
      await writeAll(file, [Buffer.alloc(512, 'x')], 0);
      await file.sync();
      await files.rename('/d/a', '/d/b');
      const other = await files.open('/d/c', 'create');
      await writeAll(other, [Buffer.alloc(512, 'y')], 0);
    },
    (disk) => ['/d/a', '/d/b', '/d/c'].map((path) => disk.content(path)?.length ?? '-').join(' '),
  );
  for (const outcome of ['512 - -', '- 512 -', '512 - 0', '- 512 512']) {
    assert.ok(seen.has(outcome), `${outcome} is among ${[...seen].join(', ')}`);
  }
});

test('a synced folder keeps its names', async () => {
  const seen = await outcomes(
    async (_file, disk) => {
      await disk.files().rename('/d/a', '/d/b');
      await disk.files().syncDirectory('/d');
    },
    (disk) => String(disk.content('/d/b') !== undefined && disk.content('/d/a') === undefined),
  );
  assert.deepEqual([...seen], ['true']);
});

test('a killed process leaves what it wrote, and its lock is free', async () => {
  const { disk, file } = await diskWithFile(1);
  await writeAll(file, [Buffer.from('abc')], 0);
  assert.notEqual(await disk.files().lock('/d/lock'), 'held');
  disk.kill();
  assert.equal(disk.content('/d/a')?.toString(), 'abc');
  assert.notEqual(await disk.files().lock('/d/lock'), 'held');
});

test('a stopped process gets no answer any more', async () => {
  const { disk, file } = await diskWithFile(1);
  const stopped = disk.stopAt(2);
  let answers = 0;
  const write = () => file.write([Buffer.from('x')], 0).then(() => answers++);
  void write();
  void write();
  void write();
  await stopped;
  await new Promise(setImmediate);
  assert.equal(answers, 1);
});

test('faults strike the planned call: once, for ever, in part, short, late', async () => {
  const { disk, file } = await diskWithFile(1);
  disk.plan({ operation: 'write', nth: 2, effect: { kind: 'fail', code: 'EIO', afterBytes: 1 } });
  await file.write([Buffer.from('abc')], 0);
  await assert.rejects(file.write([Buffer.from('xyz')], 0), /EIO/);
  assert.equal(disk.content('/d/a')?.toString(), 'xbc');
  await file.write([Buffer.from('abc')], 0);

  disk.plan({ operation: 'read', nth: 1, effect: { kind: 'short', bytes: 2 } });
  assert.equal(await file.read(Buffer.alloc(3), 0), 2);
  assert.equal(await file.read(Buffer.alloc(3), 0), 3);

  disk.plan({ operation: 'sync', nth: 1, forever: true, effect: { kind: 'fail', code: 'EROFS' } });
  await assert.rejects(file.sync(), /EROFS/);
  await assert.rejects(file.sync(), /EROFS/);
  disk.heal();
  await file.sync();

  let release = (): void => {};
  const until = new Promise<void>((resolve) => (release = resolve));
  disk.plan({ operation: 'size', nth: 1, effect: { kind: 'stall', until } });
  let answered = false;
  const size = file.sizeBytes().then(() => (answered = true));
  await new Promise(setImmediate);
  assert.equal(answered, false);
  release();
  await size;
  assert.equal(disk.struck, 5);
});

test('a full disk takes what fits and then nothing', async () => {
  const disk = new SimDisk({ random: seededRandom(1), totalBytes: 10 });
  const file = await disk.files().open('/a', 'create');
  assert.equal(await file.write([Buffer.alloc(7)], 0), 7);
  assert.equal(await file.write([Buffer.alloc(7)], 7), 3);
  await assert.rejects(file.write([Buffer.alloc(7)], 10), /ENOSPC/);
  assert.equal(await file.write([Buffer.alloc(7, 'x')], 0), 7, 'what is there may be overwritten');
  disk.resize(20);
  assert.equal(await file.write([Buffer.alloc(7)], 10), 7);
});
