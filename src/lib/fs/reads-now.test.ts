import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReadsNow } from './reads-now.ts';

/** A disk of which some reads take so many milliseconds, all others nothing. */
function disk() {
  let diskReads = 7;
  let nowMs = 0;
  const reads = new ReadsNow({ diskReads: () => diskReads, monotonicMs: () => nowMs });
  return {
    run: (onDisk: Readonly<Record<number, number>> = {}, preempted: number[] = []): number[] => {
      const done: number[] = [];
      const count = reads.run(5, (index) => {
        done.push(index);
        if (preempted.includes(index)) nowMs += 3;
        const tookMs = onDisk[index];
        if (tookMs === undefined) return;
        nowMs += tookMs;
        diskReads += 8;
      });
      assert.equal(count, done.length);
      return done;
    },
    othersRead: () => void (diskReads += 100),
    wait: (ms: number) => void (nowMs += ms),
    get waitedMs() {
      return nowMs;
    },
  };
}
const ALL = [0, 1, 2, 3, 4];

test('once a read had to wait for the disk none is done at once for a hundred times as long', () => {
  const { run, othersRead, wait } = disk();
  assert.deepEqual(run(), ALL);
  othersRead();
  assert.deepEqual(run(), ALL, 'what others have read is nothing to it');
  assert.deepEqual(run({}, [1, 3]), ALL, 'nor that the thread had no core');
  assert.deepEqual(run({ 2: 0.5, 4: 0.5 }), [0, 1, 2]);
  wait(49);
  assert.deepEqual(run(), []);
  wait(1.1);
  assert.deepEqual(run({ 0: 2 }), [0], 'tried again, and ended again');
  wait(199);
  assert.deepEqual(run(), []);
  wait(1.1);
  assert.deepEqual(run(), ALL);
});

test('a disk that hung once is tried again after ten seconds', () => {
  const { run, wait } = disk();
  assert.deepEqual(run({ 0: 60_000 }), [0]);
  wait(9_999);
  assert.deepEqual(run(), []);
  wait(1.1);
  assert.deepEqual(run(), ALL);
});

test('however often reads have to wait, the thread waits for a hundredth of its time', () => {
  const world = disk();
  let waitedMs = 0;
  for (let n = 0; n < 20_000; n += 1) {
    const tookMs = 0.1 + (n % 7) / 2;
    if (world.run({ 1: tookMs }).length > 0) waitedMs += tookMs;
    world.wait(1);
  }
  const share = waitedMs / world.waitedMs;
  assert.ok(share > 0.005 && share < 0.0101, `it waits for ${share} of its time`);
});
