/** Jobs that have nothing to do have no runner, and nobody can tell. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jobOf, numbered, World } from './testing/world.ts';

const MINUTE = 60_000;
const streamOf = (id: number): string => `zones/z${id}/http_requests`;

/** Jobs that an earlier run has opened, applied to a delivery that has just started. */
async function restarted(count: number) {
  const world = new World();
  const jobs = Array.from({ length: count }, (_, n) => jobOf(n + 1));
  await world.delivery.apply(jobs, 1);
  await world.delivery.close();
  world.restart();
  await world.delivery.apply(jobs, 1);
  return { world, jobs };
}

describe('a job at rest', () => {
  it('has no runner after a start, says that it is idle, and delivers what comes', async () => {
    const { world } = await restarted(3);
    assert.deepEqual([world.delivery.stats().jobs, world.delivery.stats().runners], [3, 0]);
    assert.equal(world.delivery.status(2)?.state, 'idle');
    world.add(streamOf(2), numbered(4));
    assert.equal(world.delivery.stats().runners, 1);
    await world.pass(1_000);
    assert.deepEqual(world.delivered(), numbered(4));
    assert.deepEqual(
      world.delivery.statusesOf(streamOf(2)).map(({ attempts }) => attempts.accepted),
      [1],
    );
  });

  it('lets go of its runner some minutes after its last batch, and keeps its counts', async () => {
    const { world } = await restarted(1);
    world.add(streamOf(1), numbered(2));
    await world.pass(1_000);
    world.delivery.tend();
    assert.equal(
      world.delivery.stats().runners,
      1,
      'an accepted batch counts as proof for a while',
    );
    await world.pass(5 * MINUTE + 1);
    for (let second = 0; second < 2; second += 1) world.delivery.tend();
    assert.equal(world.delivery.stats().runners, 0);
    assert.equal(world.delivery.status(1)?.attempts.accepted, 1);
    world.add(streamOf(1), numbered(3, 2));
    await world.pass(1_000);
    assert.equal(world.delivery.status(1)?.attempts.accepted, 2);
    assert.deepEqual(world.delivered(), numbered(5));
  });

  it('keeps its runner while lines wait, an attempt fails, or its record disagrees', async () => {
    const { world, jobs } = await restarted(2);
    world.receiver = () => ({ kind: 'retry', reason: 'Not now.' });
    world.add(streamOf(1), numbered(1));
    await world.pass(20 * MINUTE);
    for (let second = 0; second < 3; second += 1) world.delivery.tend();
    assert.equal(world.delivery.stats().runners, 1);
    assert.equal(world.delivery.status(1)?.errorMessage, 'Not now.');
    // Switched off while at rest: the buffer has to record that.
    await world.delivery.apply([jobs[0]!, jobOf(2, { enabled: false })], 2);
    await world.quiet();
    assert.notEqual(world.buffer.job(2)?.closedMs, null);
    assert.equal(world.delivery.status(2)?.state, 'paused');
    for (let second = 0; second < 3; second += 1) world.delivery.tend();
    assert.equal(world.delivery.stats().runners, 1);
  });

  it('is closed when it is deleted, and is not there any more', async () => {
    const { world, jobs } = await restarted(2);
    await world.delivery.apply([jobs[0]!], 2);
    assert.notEqual(world.buffer.job(2)?.closedMs, null);
    assert.equal(world.delivery.status(2), undefined);
    assert.deepEqual(world.delivery.statusesOf(streamOf(2)), []);
  });

  it('is woken with others so many a turn when one commit brings lines for all', async () => {
    const { world } = await restarted(500);
    // One commit: nothing else runs between.
    for (let id = 1; id <= 500; id += 1) world.add(streamOf(id), numbered(1));
    const woken: number[] = [];
    let before = 0;
    while (before < 500) {
      const { runners } = world.delivery.stats();
      woken.push(runners - before);
      before = runners;
      await new Promise((resolve) => void setImmediate(resolve));
    }
    assert.ok(Math.max(...woken) <= 32, String(woken));
    // Their timers are worked through in as many turns.
    for (let pass = 0; pass < 5; pass += 1) await world.pass(1_000);
    assert.equal(world.delivered().length, 500);
  });
});
