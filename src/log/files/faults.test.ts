/**
 * Faults of the disk: no answer without durability, nothing acknowledged lost, nothing refused read, and intake goes on by
 * itself when the fault ends.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { OPERATIONS, SimDisk } from '../../lib/fs/sim.ts';
import type { Effect, Operation } from '../../lib/fs/sim.ts';
import { seededRandom } from '../../lib/random.ts';
import { all, durable, record, textOf } from '../conformance.ts';
import type { ShardLog } from '../contract.ts';
import { openFilesLog } from './open.ts';
import { Oracle, act, action, append } from './testing/oracle.ts';
import { DIRECTORY, opened, smallOptions } from './testing.ts';

/** How often each property is tried; the long runs raise it. */
const RUNS = Number(process.env['WAYBILL_RUNS'] ?? 150);

/** Opens, with another try when a fault struck meanwhile. */
async function openAtLast(disk: SimDisk): Promise<ShardLog> {
  const first = await openFilesLog(smallOptions(disk.files()));
  if (first.kind === 'open') return first.log;
  assert.equal(first.kind, 'failed');
  disk.heal();
  const { log, damage } = opened(await openFilesLog(smallOptions(disk.files())));
  assert.deepEqual(damage, []);
  return log;
}

/** What is done while the fault strikes: opening, commits alone and together, a roll, a trim, reading. */
async function scenario(disk: SimDisk, oracle: Oracle, log: ShardLog): Promise<void> {
  await append(log, oracle.offer([20, 30]));
  await Promise.all([1500, 1500, 1500].map((size) => append(log, oracle.offer([size]))));
  await append(log, oracle.offer([40]), true);
  await append(log, oracle.offer([1000, 1000]));
  oracle.trimmedBefore = log.durableEnd() / 2;
  await log.trimBefore((log.durableEnd() / 2) as ReturnType<ShardLog['start']>);
  await log.read(log.start(), 4000);
  await append(log, oracle.offer([50]));
  assert.ok(disk.openHandles() <= 6, 'files are closed again after faults');
}

const EFFECTS: readonly Effect[] = [
  { kind: 'fail', code: 'EIO' },
  { kind: 'fail', code: 'ENOSPC', afterBytes: 100 },
  { kind: 'fail', code: 'EROFS' },
  { kind: 'short', bytes: 100 },
  { kind: 'stall', until: new Promise((resolve) => setTimeout(resolve, 20)) },
];

/** Runs the scenario with the n-th call of one kind struck; returns whether there was such a call. */
async function strike(
  operation: Operation,
  nth: number,
  forever: boolean,
  effect: Effect,
): Promise<boolean> {
  const disk = new SimDisk({ random: seededRandom(nth) });
  const oracle = new Oracle();
  // Something to recover: two commits, so that there is a tail past the frontier, and no closing.
  let log = await openAtLast(disk);
  for (const size of [100, 200]) await append(log, oracle.offer([size]));
  disk.kill();

  disk.plan({ operation, nth, forever, effect });
  log = await openAtLast(disk);
  const earlier = oracle.offers.length;
  await scenario(disk, oracle, log);
  const struck = disk.struck > 0;
  disk.heal();

  await append(log, oracle.offer([60]));
  assert.equal(oracle.offers.at(-1)?.answer, 'durable', 'intake goes on without a restart');
  await oracle.check(log, earlier);
  disk.crash();
  log = await openAtLast(disk);
  await oracle.check(log);
  return struck;
}

for (const operation of OPERATIONS) {
  test(`I1: whichever ${operation} fails, once or for ever, nothing acknowledged is lost`, async () => {
    for (const effect of EFFECTS) {
      if (effect.kind === 'short' && operation !== 'read' && operation !== 'write') continue;
      for (const forever of [false, true]) {
        // A read that is short for ever gets there all the same, 100 bytes at a time.
        let nth = 1;
        while (await strike(operation, nth, forever, effect)) nth++;
        // The one that the log has no use for.
        assert.ok(nth > 1 || operation === 'realPath', 'the fault struck');
      }
    }
  });
}

test('I1: random work under random faults and crashes keeps every answer', async () => {
  const seen = { struck: 0, refused: 0, deaths: 0 };
  const fault = fc.record({
    operation: fc.constantFrom<Operation>(
      'write',
      'sync',
      'syncDirectory',
      'open',
      'rename',
      'unlink',
      'truncate',
      'close',
      'list',
    ),
    nth: fc.integer({ min: 1, max: 12 }),
    forever: fc.boolean(),
    effect: fc.constantFrom(...EFFECTS.slice(0, 3)),
  });
  const life = fc.record({
    faults: fc.array(fault, { maxLength: 3 }),
    actions: fc.array(action, { minLength: 1, maxLength: 8 }),
    stopAt: fc.integer({ min: 20, max: 200 }),
    powerCut: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(life, { minLength: 1, maxLength: 5 }),
      fc.nat(),
      async (lives, seed) => {
        const disk = new SimDisk({ random: seededRandom(seed) });
        const oracle = new Oracle();
        for (const { faults, actions, stopAt, powerCut } of lives) {
          let died = false;
          const stopped = disk.stopAt(stopAt).then(() => (died = true));
          const live = async (): Promise<void> => {
            for (const planned of faults) disk.plan(planned);
            const log = await openAtLast(disk);
            const earlier = oracle.offers.length;
            for (const todo of actions) {
              if (todo.kind === 'append' || todo.kind === 'roll' || todo.kind === 'trim') {
                await act(log, oracle, todo);
              }
            }
            disk.heal();
            await append(log, oracle.offer([30]));
            assert.equal(oracle.offers.at(-1)?.answer, 'durable');
            await oracle.check(log, earlier);
          };
          await Promise.race([live(), stopped]);
          disk.heal();
          if (died) seen.deaths++;
          if (powerCut) disk.crash();
          else disk.kill();
        }
        seen.struck += disk.struck;
        seen.refused += oracle.offers.filter(({ answer }) => answer === 'refused').length;
        await oracle.check(await openAtLast(disk));
      },
    ),
    { numRuns: RUNS },
  );
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, `${what} was met`);
});

test('a full disk answers full, and takes more when there is room again', async () => {
  const disk = new SimDisk({ random: seededRandom(1), totalBytes: 6000 });
  const { log } = opened(await openFilesLog(smallOptions(disk.files())));
  const kept: string[] = [];
  let refused = 0;
  for (let index = 0; index < 20; index++) {
    const text = `${index}`.padEnd(500, '.');
    const outcome = await log.append([record(text)]);
    if (outcome.kind === 'durable') kept.push(text);
    else {
      assert.equal(outcome.kind, 'full');
      refused++;
    }
  }
  assert.ok(refused > 0 && kept.length > 5);
  disk.resize(20_000);
  durable(await log.append([record('after')]));
  assert.deepEqual((await all(log)).map(textOf), [...kept, 'after']);
});

test('space comes back by trimming, without a restart', async () => {
  const disk = new SimDisk({ random: seededRandom(1), totalBytes: 10_000 });
  const { log } = opened(await openFilesLog(smallOptions(disk.files())));
  while ((await log.append([record('x'.repeat(900))])).kind === 'durable');
  await log.trimBefore(log.durableEnd());
  durable(await log.append([record('after')]));
});

test('other failures answer failed', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  const { log } = opened(await openFilesLog(smallOptions(disk.files())));
  disk.plan({ operation: 'write', nth: 1, forever: true, effect: { kind: 'fail', code: 'EIO' } });
  assert.equal((await log.append([record('a')])).kind, 'failed');
  disk.heal();
  durable(await log.append([record('b')]));
  assert.deepEqual((await all(log)).map(textOf), ['b']);
});

test('a disk that refuses for long leaves no pile of files', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  const { log } = opened(await openFilesLog(smallOptions(disk.files())));
  durable(await log.append([record('a')]));
  disk.plan({ operation: 'sync', nth: 1, forever: true, effect: { kind: 'fail', code: 'EIO' } });
  for (let index = 0; index < 20; index++) await log.append([record('b')]);
  disk.heal();
  durable(await log.append([record('c')]));
  const names = await disk.files().list(DIRECTORY);
  assert.ok(names.length <= 4, names.join(' '));
  assert.equal(disk.openHandles(), 1);
});

test('a file whose sync failed is never written again', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  const { log } = opened(await openFilesLog(smallOptions(disk.files())));
  durable(await log.append([record('a')]));
  const [, first] = await disk
    .files()
    .list(DIRECTORY)
    .then((names) => [names.length, names[0]!]);
  disk.plan({ operation: 'sync', nth: 1, effect: { kind: 'fail', code: 'EIO' } });
  durable(await log.append([record('b')]));
  const sealed = disk.content(`${DIRECTORY}/${first}`);
  durable(await log.append([record('c')]));
  assert.deepEqual(disk.content(`${DIRECTORY}/${first}`), sealed);
  assert.equal(log.stats().segments, 2);
  assert.equal(log.stats().failedSyncs, 1);
  assert.deepEqual((await all(log)).map(textOf), ['a', 'b', 'c']);
});

test('a file is not written again either when it was a mark whose sync failed', async () => {
  for (const operation of ['write', 'sync'] as const) {
    const disk = new SimDisk({ random: seededRandom(1) });
    const { log } = opened(await openFilesLog(smallOptions(disk.files())));
    durable(await log.append([record('a')]));
    const [first] = await disk.files().list(DIRECTORY);
    disk.plan({ operation, nth: 1, effect: { kind: 'fail', code: 'EIO' } });
    await log.mark();
    const sealed = disk.content(`${DIRECTORY}/${first}`);
    durable(await log.append([record('b')]));
    assert.deepEqual(disk.content(`${DIRECTORY}/${first}`), sealed);
    assert.equal(log.stats().segments, 2);
    disk.crash();
    const { log: again, damage } = opened(await openFilesLog(smallOptions(disk.files())));
    assert.deepEqual(damage, []);
    assert.deepEqual((await all(again)).map(textOf), ['a', 'b']);
  }
});

test('short writes and reads are gone on with', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  for (const operation of ['read', 'write'] as const) {
    disk.plan({ operation, nth: 1, forever: true, effect: { kind: 'short', bytes: 7 } });
  }
  const { log } = opened(await openFilesLog(smallOptions(disk.files())));
  durable(await log.append([record('x'.repeat(100)), record('y'.repeat(100))]));
  assert.deepEqual((await all(log)).map(textOf), ['x'.repeat(100), 'y'.repeat(100)]);
});

test('a read that the disk does not answer is failed and not damage; the next one may pass', async () => {
  const disk = new SimDisk({ random: seededRandom(1) });
  const { log } = opened(await openFilesLog(smallOptions(disk.files())));
  const { positions } = durable(await log.append([record('a')]));
  for (const code of ['EIO', 'EMFILE']) {
    const operation = code === 'EIO' ? 'read' : 'open';
    disk.plan({ operation, nth: 1, effect: { kind: 'fail', code } });
    if (operation === 'open') await log.append([record('b')], { roll: true });
    const from = operation === 'open' ? log.durableEnd() : log.start();
    if (operation === 'read') assert.equal((await log.read(from, 100)).kind, 'failed');
    disk.heal();
  }
  disk.plan({ operation: 'read', nth: 1, effect: { kind: 'fail', code: 'EIO' } });
  assert.equal((await log.readOne(positions[0]!)).kind, 'failed');
  assert.equal((await log.readOne(positions[0]!)).kind, 'record');
});
