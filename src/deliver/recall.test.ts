import assert from 'node:assert/strict';
import { test } from 'node:test';

import { hangs, jobOf, numbered, World } from './testing/world.ts';

const STREAM = 'zones/z1/http_requests';

test('lines that are erased while they are sent are given up, and the batch goes on without them', async () => {
  const world = new World();
  world.receiver = hangs;
  await world.delivery.apply([jobOf(1)], 1);
  world.add(STREAM, numbered(10));
  world.add(STREAM, numbered(10, 10));
  await world.pass(2_000);
  assert.equal(world.sent.length, 1, 'a batch is on its way, and hangs');
  world.buffer.lose(STREAM, { from: 0, to: 10 }, 'erased');
  world.receiver = ({ batch }) => ({ kind: 'accepted', receipt: batch.name });
  world.delivery.recall([STREAM]);
  await world.pass(100);
  assert.equal(world.sent.length, 2, 'at once, and not when the receiver gives up');
  assert.deepEqual(world.delivered(STREAM), numbered(10, 10));
  const { delivered, dropped } = world.buffer.job(1)!.totals;
  assert.deepEqual([delivered, dropped], [10, { erased: 10 }]);
  assert.equal(
    world.delivery.status(1)!.consecutiveFailures,
    0,
    'the destination did nothing wrong',
  );
});

test('lines that are erased between reading and sending are not sent', async () => {
  const world = new World();
  const job = jobOf(1);
  await world.delivery.apply([job], 1);
  world.add(STREAM, numbered(10));
  // The plan is being recorded: its batch stands in memory already.
  const plan = world.buffer.plan.bind(world.buffer);
  world.buffer.plan = async (...args) => {
    const recorded = await plan(...args);
    world.buffer.lose(STREAM, { from: 0, to: 10 }, 'erased');
    world.delivery.recall([STREAM]);
    return recorded;
  };
  await world.pass(5_000);
  assert.deepEqual(world.sent, []);
  assert.deepEqual(world.buffer.job(1)!.totals.dropped, { erased: 10 });
});
