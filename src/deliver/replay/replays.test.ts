import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { JobConfig } from '../../model/snapshot.ts';
import { EPOCH } from '../testing/memory-buffer.ts';
import { hangs, jobOf, numbered, World } from '../testing/world.ts';

const STREAM = 'zones/z1/http_requests';

function replayOf(
  job: JobConfig,
  from: number,
  to: number,
  more: Partial<JobConfig> = {},
): JobConfig {
  const { account, destinationConf, stream } = job;
  const replay = { of: job.id, epoch: EPOCH, from, to };
  return jobOf(9, { account, destinationConf, stream, replay, ...more });
}

test('a replay delivers its range and nothing else, one batch at a time, and leaves the job alone (I7)', async () => {
  const world = new World();
  const job = jobOf(1);
  await world.delivery.apply([job], 1);
  world.add(STREAM, numbered(20));
  await world.pass(5_000);
  const live = new Set(world.objects.keys());
  const before = world.buffer.job(1);
  let [sending, most] = [0, 0];
  world.receiver = async ({ batch }) => {
    sending += 1;
    most = Math.max(most, sending);
    await new Promise((resolve) => setImmediate(resolve));
    sending -= 1;
    return { kind: 'accepted', receipt: batch.name };
  };
  await world.delivery.apply([job, replayOf(job, 5, 15, { maxUploadRecords: 2 })], 2);
  await world.pass(5_000);
  const again = [...world.objects].filter(([name]) => !live.has(name));
  assert.equal(again.length, 5);
  assert.deepEqual(
    again.flatMap(([, { lines }]) => lines),
    numbered(10, 5),
  );
  assert.equal(most, 1);
  assert.deepEqual(world.buffer.job(1), before);
  assert.deepEqual([world.buffer.job(9)!.cursor, world.delivery.status(9)!.state], [15, 'idle']);
  world.add(STREAM, numbered(5, 20));
  await world.pass(5_000);
  assert.equal(world.buffer.job(9)!.cursor, 15, 'new lines are the job’s alone');
});

test('I7: a replay that is cut off sends the same batch under the same name', async () => {
  const world = new World();
  const job = jobOf(1);
  await world.delivery.apply([job], 1);
  world.add(STREAM, numbered(20));
  await world.pass(5_000);
  world.receiver = hangs;
  const replay = replayOf(job, 0, 20);
  await world.delivery.apply([job, replay], 2);
  await world.pass(2_000);
  const { name } = world.sent.at(-1)!.batch;
  world.restart();
  world.receiver = ({ batch }) => ({ kind: 'accepted', receipt: batch.name });
  await world.delivery.apply([job, replay], 2);
  await world.pass(5_000);
  assert.deepEqual(world.objects.get(name)!.lines, numbered(20));
  assert.equal(world.buffer.job(9)!.cursor, 20);
});

test('a replay whose lines are others now sends nothing, and says so', async () => {
  const world = new World();
  const job = jobOf(1);
  await world.delivery.apply([job], 1);
  world.add(STREAM, numbered(20));
  await world.pass(5_000);
  const sent = world.sent.length;
  const replay = { of: 1, epoch: 'ffffffffffffffff', from: 0, to: 20 };
  await world.delivery.apply([job, replayOf(job, 0, 20, { replay })], 2);
  await world.pass(5_000);
  assert.equal(world.sent.length, sent);
  assert.match(world.delivery.status(9)!.errorMessage ?? '', /not there any more/);
});

test('a replay that is gone from the configuration stops, also one of before a restart', async () => {
  const world = new World();
  const job = jobOf(1);
  await world.delivery.apply([job], 1);
  world.add(STREAM, numbered(20));
  await world.pass(5_000);
  world.receiver = () => ({ kind: 'retry', reason: 'down' });
  await world.delivery.apply([job, replayOf(job, 0, 20)], 2);
  await world.pass(2_000);
  world.restart();
  await world.delivery.apply([job], 3);
  await world.pass(2_000);
  assert.notEqual(world.buffer.job(9)!.closedMs, null);
});

test('I2: a job that goes on from now settles what it skips before it sends', async () => {
  const world = new World();
  const job = jobOf(1);
  world.receiver = () => ({ kind: 'retry', reason: 'down' });
  await world.delivery.apply([job], 1);
  world.add(STREAM, numbered(10));
  await world.pass(2_000);
  await world.delivery.apply([], 2);
  await world.pass(2_000);
  world.receiver = ({ batch }) => ({ kind: 'accepted', receipt: batch.name });
  const skipTo = { epoch: EPOCH, offset: 10 };
  await world.delivery.apply([jobOf(1, { skipTo })], 3);
  world.add(STREAM, numbered(5, 10));
  await world.pass(5_000);
  assert.deepEqual(world.delivered(STREAM), numbered(5, 10));
  assert.deepEqual(world.buffer.job(1)!.totals.dropped, { skipped_by_owner: 10 });
});
