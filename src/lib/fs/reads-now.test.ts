import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReadsNow } from './reads-now.ts';

test('once a read had to wait for the disk none is done at once for a while', () => {
  let diskReads = 7;
  let nowMs = 0;
  const reads = new ReadsNow({ diskReads: () => diskReads, monotonicMs: () => nowMs });
  const run = (onDisk: readonly number[] = []): number[] => {
    const done: number[] = [];
    const count = reads.run(5, (index) => {
      done.push(index);
      if (onDisk.includes(index)) diskReads += 8;
    });
    assert.equal(count, done.length);
    return done;
  };
  assert.deepEqual(run(), [0, 1, 2, 3, 4]);
  diskReads += 100;
  assert.deepEqual(run(), [0, 1, 2, 3, 4], 'what others have read is nothing to it');
  nowMs = 100;
  assert.deepEqual(run([2, 4]), [0, 1, 2]);
  nowMs = 10_099;
  assert.deepEqual(run(), []);
  nowMs = 10_100;
  assert.deepEqual(run([0]), [0], 'tried again, and ended again');
  nowMs = 20_099;
  assert.deepEqual(run(), []);
  nowMs = 20_100;
  assert.deepEqual(run(), [0, 1, 2, 3, 4]);
});
