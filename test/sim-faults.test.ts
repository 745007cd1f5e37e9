/**
 * A shard over a failing disk. The model holds while the n-th call of a kind fails: no answer without durability, nothing
 * answered lost, books that balance, and intake that goes on by itself when the fault ends. All n of all kinds are in
 * `long/sim-faults.test.ts`; here some of each.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FsError } from '../src/lib/fs/file-system.ts';
import type { FileSystem } from '../src/lib/fs/file-system.ts';
import { readLines } from './sim/compare.ts';
import { instead } from './sim/bugs.ts';
import { SHARD } from './sim/shard.ts';
import { OPERATIONS, sweep } from './sim/sweep.ts';
import { turn } from './sim/turn.ts';
import { World } from './sim/world.ts';
import { linesOf } from '../src/buffer/testing.ts';
import { STREAMS } from './sim/actions.ts';
import type { Action } from './sim/actions.ts';

/** Kinds of which there are many calls are struck at every few. */
const STRIDE: Readonly<Record<string, number>> = {
  read: 17,
  write: 13,
  sync: 13,
  open: 13,
  close: 13,
};
/** A shard has no use for these, or not in both phases. */
const UNUSED = { start: ['realPath', 'unlink'], work: ['realPath', 'lock', 'size', 'truncate'] };

for (const phase of ['start', 'work'] as const) {
  for (const operation of OPERATIONS) {
    test(`I1, I2: whichever ${operation} fails at ${phase}, all that was answered holds`, async () => {
      // For ever where a process may give up, once where it must go on.
      const forever = phase === 'start';
      const fault = { operation, phase, effect: 'EIO', forever } as const;
      const struck = await sweep(fault, STRIDE[operation] ?? 3, [forever]);
      const unused = [...UNUSED[phase], 'makeDirectory'].includes(operation);
      assert.ok(struck > 0 || unused, 'the fault struck');
    });
  }
}

for (const effect of ['ENOSPC-partial', 'short', 'stall'] as const) {
  test(`I1, I2: a write that is ${effect} is gone on with or refused`, async () => {
    const fault = { operation: 'write', phase: 'work', effect, forever: false } as const;
    assert.ok((await sweep(fault, 17, [true])) > 0);
  });
}

const append = (stream: number, lines: number): Action => ({
  kind: 'append',
  watch: false,
  requests: [{ stream, lines, pad: 300, identity: 'none' }],
});

/** A shard with some segments of which the oldest one's reading is in the test's hands, and nothing of it in memory. */
async function withOldSegment(seed: number, reading: () => Promise<void>): Promise<World> {
  const held = new Set<string>();
  const world = new World(seed, {
    files: (files) => beforeReading(files, async (path) => held.has(path) && reading()),
  });
  await world.start();
  await world.run({ kind: 'open', job: 1, stream: 1, oldest: true });
  for (const stream of [0, 0, 1, 1, 1, 1]) await world.run(append(stream, 9));
  await world.run({ kind: 'crash', deaths: [{ power: false, calls: 0 }] });
  const [name] = await world.files.list(`${SHARD}/log`);
  held.add(`${SHARD}/log/${name}`);
  return world;
}

test('I6: a segment that cannot be read holds up only who needs it, and is no loss', async () => {
  let well = false;
  const world = await withOldSegment(1, async () => {
    if (!well) throw new FsError('EIO', 'read', 'the oldest segment');
  });
  const { buffer } = world.shard;
  const failed = await buffer.read(STREAMS[0]!, 0, 500);
  assert.equal(failed.kind, 'failed', 'told as a failure, never as a gap');
  const head = buffer.stream(STREAMS[1]!)!.head;
  assert.equal((await readLines(buffer, STREAMS[1]!, head - 9, 500)).length, 9);
  await world.run(append(2, 3));
  well = true;
  assert.equal((await readLines(buffer, STREAMS[0]!, 0, 500)).length, 18);
  assert.equal(buffer.stats().corruptLines, 0);
  await world.run({ kind: 'crash', deaths: [{ power: true, calls: 0 }] });
});

test('I6: reading that hangs holds up neither intake nor settling', async () => {
  let release = (): void => {};
  const until = new Promise<void>((resolve) => (release = resolve));
  const world = await withOldSegment(2, () => until);
  const { buffer } = world.shard;
  const readers = Array.from({ length: 10 }, () => buffer.read(STREAMS[0]!, 0, 500));
  for (let index = 0; index < 10; index += 1) await world.run(append(1, 5));
  await world.run({ kind: 'work', job: 1, count: 5 });
  assert.equal(buffer.job(1)?.cursor, 5);
  release();
  for (const answer of await Promise.all(readers)) assert.equal(answer.kind, 'blocks');
  await world.run({ kind: 'crash', deaths: [{ power: true, calls: 0 }] });
});

test('I1: while a sync hangs nobody is answered, and a power cut then takes back no answer', async () => {
  const world = new World(3);
  await world.start();
  await world.run(append(0, 5));
  const never = new Promise<void>(() => {});
  world.disk.plan({ operation: 'sync', nth: 1, effect: { kind: 'stall', until: never } });
  let answers = 0;
  for (let index = 0; index < 5; index += 1) {
    const lines = linesOf([`{"hanging":${index}}`]);
    void world.shard.buffer
      .append({ stream: STREAMS[0]!, account: 'a1', lines })
      .then(() => (answers += 1));
  }
  for (let index = 0; index < 50; index += 1) await turn();
  assert.equal(answers, 0);
  world.disk.crash();
  for (let index = 0; index < 50; index += 1) await turn();
  assert.equal(answers, 0, 'a dead process answers nobody');
});

test('an open file too many is a refusal that ends, and no file is left open', async () => {
  const world = new World(4);
  await world.start();
  for (let index = 0; index < 10; index += 1) await world.run(append(0, 9));
  await world.run({
    kind: 'fault',
    operation: 'open',
    nth: 1,
    forever: true,
    effect: 'EMFILE',
  });
  for (let index = 0; index < 20; index += 1) await world.run(append(index % 3, 9));
  await world.run({ kind: 'read', stream: 0, share: 0, bytes: 500 });
  assert.ok(world.seen.refused > 0);
  await world.run({ kind: 'heal' });
  await world.run(append(0, 9));
  await world.run({ kind: 'read', stream: 0, share: 0, bytes: 500 });
  assert.ok(world.disk.openHandles() <= 5, `${world.disk.openHandles()} files are open`);
});

/** A file system that waits for the test before it reads. */
function beforeReading(files: FileSystem, ready: (path: string) => Promise<unknown>): FileSystem {
  return instead(files, {
    async open(path, mode) {
      const file = await files.open(path, mode);
      return instead(file, {
        async read(target, at) {
          await ready(path);
          return file.read(target, at);
        },
        async readEach(places, lately) {
          await ready(path);
          return file.readEach(places, lately);
        },
      });
    },
  });
}
