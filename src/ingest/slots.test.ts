import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slots } from './slots.ts';

test('I6: places are given to payers in turn, however many of one wait', async () => {
  const places = slots(1);
  const done: string[] = [];
  const job = (payer: string) =>
    places.run(payer, async () => {
      await Promise.resolve();
      done.push(payer);
    });
  await Promise.all([job('a'), job('a'), job('a'), job('a'), job('b'), job('c'), job('b')]);
  assert.deepEqual(done, ['a', 'a', 'b', 'c', 'a', 'b', 'a']);
});

test('no more run at once than there are places, and a failure frees its place', async () => {
  const places = slots(2);
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
    throw new Error('failed');
  };
  const results = await Promise.allSettled(Array.from({ length: 7 }, () => places.run('a', work)));
  assert.equal(most, 2);
  assert.ok(results.every((result) => result.status === 'rejected'));
  assert.equal(await places.run('a', async () => 'free'), 'free');
});
