/** The breaker that jobs of one place share. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accepts, jobOf, numbered, World } from './testing/world.ts';
import type { Receiver } from './testing/world.ts';

const MINUTE_MS = 60_000;
const CONF = 'test://shared?key=a';

/** Jobs of one account that deliver to one place. */
const jobsAt = (count: number, conf = CONF, from = 1) =>
  Array.from({ length: count }, (_, index) =>
    jobOf(from + index, { account: 'shop', destinationConf: conf }),
  );
type Jobs = ReturnType<typeof jobsAt>;

const streamOf = (id: number) => `zones/z${id}/http_requests`;

function addTo(world: World, jobs: Jobs, from = 0): void {
  for (const { stream } of jobs) world.add(stream, numbered(3, from));
}

const dead: Receiver = () => ({ kind: 'retry', reason: 'The connection was refused.' });
const answers =
  (status: number, more: { afterMs?: number } = {}): Receiver =>
  () => ({ kind: 'retry', reason: `status ${status}`, status, ...more });

describe('a place that many jobs share', () => {
  it('100 jobs of a dead place probe it together, once in 30 s, and lose nothing', async () => {
    const world = new World();
    const times: number[] = [];
    world.receiver = () => {
      times.push(world.clock.monotonicMs());
      return { kind: 'retry', reason: 'The connection was refused.' };
    };
    const jobs = jobsAt(100);
    await world.delivery.apply(jobs, 1);
    for (let minute = 0; minute < 30; minute += 1) {
      addTo(world, jobs, minute * 3);
      await world.pass(MINUTE_MS);
    }
    const late = times.filter((time) => time > 10 * MINUTE_MS);
    assert.ok(times.length <= 32 + 5 + 30 * 3, `${times.length} attempts`);
    assert.ok(late.length >= 40 && late.length <= 55, `${late.length} probes in 20 minutes`);
    const gaps = late.slice(1).map((time, index) => time - late[index]!);
    assert.ok(Math.max(...gaps) <= 30_000 && Math.min(...gaps) >= 22_500);
    const probed = new Set(world.sent.slice(-50).map(({ batch }) => batch.job));
    assert.equal(probed.size, 50, 'each time another job’s batch');
    assert.equal(world.delivery.stats().openBreakers, 1, 'one breaker for all of them');

    world.receiver = accepts;
    await world.pass(30_000);
    assert.equal(world.delivered().length, 100 * 90, 'all of them, with one accepted probe');
    assert.equal(world.delivery.stats().openBreakers, 0);
    for (const { id, stream } of jobs) {
      assert.deepEqual(world.delivered(stream), numbered(90));
      const status = world.delivery.status(id);
      assert.deepEqual([status?.state, status?.errorMessage], ['idle', null]);
    }
  });

  it('when it is back, jobs go on so many a turn', async () => {
    const world = new World();
    world.receiver = dead;
    const jobs = jobsAt(300);
    await world.delivery.apply(jobs, 1);
    addTo(world, jobs);
    await world.pass(2 * MINUTE_MS);
    // All are ended by one answer.
    world.receiver = accepts;
    const busy = () => world.delivery.stats().inFlight + world.delivery.stats().queued;
    const begun: number[] = [];
    for (let turns = 0; turns < 200; turns += 1) {
      if (busy() === 0) world.clock.advance(500);
      const before = busy();
      await new Promise((resolve) => void setImmediate(resolve));
      begun.push(busy() - before);
    }
    assert.ok(Math.max(...begun) <= 32, String(begun.filter((count) => count > 0)));
    await world.quiet();
    assert.equal(world.delivered().length, 300 * 3);
  });

  it('each job says why it waits and until when, also one that has not asked itself', async () => {
    const world = new World();
    world.receiver = answers(403);
    const jobs = jobsAt(9);
    const [quiet] = jobsAt(1, CONF, 10);
    await world.delivery.apply([...jobs, quiet!], 1);
    addTo(world, jobs);
    await world.pass(2 * MINUTE_MS);
    const before = world.sent.length;
    assert.equal(world.delivery.status(10)?.state, 'idle');
    assert.equal(world.delivery.status(10)?.errorMessage, null);
    world.add(quiet!.stream, numbered(1));
    await world.pass(1_000);
    assert.ok(world.sent.length - before <= 1);
    for (const { id } of [...jobs, quiet!]) {
      const status = world.delivery.status(id)!;
      assert.deepEqual([status.state, status.errorMessage], ['backing_off', 'status 403']);
      const waitsMs = (status.nextAttemptMs ?? Infinity) - world.clock.wallMs();
      assert.ok(waitsMs >= 0 && waitsMs <= 30_000);
    }
  });

  it('a job whose key is corrected is tried at once, the others keep waiting; all corrected, the backlog follows', async () => {
    const world = new World();
    world.receiver = (received, signal) =>
      received.conf === CONF ? answers(401)(received, signal) : accepts(received, signal);
    const jobs = jobsAt(20);
    await world.delivery.apply(jobs, 1);
    addTo(world, jobs);
    await world.pass(10 * MINUTE_MS);
    addTo(world, jobs, 3);
    await world.pass(5_000);
    const right = 'test://shared?key=b';
    const edited = [...jobsAt(1, right), ...jobs.slice(1)];
    await world.delivery.apply(edited, 2);
    await world.pass(1_000);
    assert.deepEqual(world.delivered(), numbered(6));
    await world.delivery.apply(jobsAt(20, right), 3);
    await world.pass(1_000);
    for (const { stream } of jobs) assert.deepEqual(world.delivered(stream), numbered(6));
  });

  it('an edit that leads to a place known as down asks it at once', async () => {
    const world = new World();
    world.receiver = dead;
    const jobs = jobsAt(5);
    const elsewhere = jobOf(9, { account: 'shop', destinationConf: 'test://wrong' });
    await world.delivery.apply([...jobs, elsewhere], 1);
    addTo(world, [...jobs, elsewhere]);
    await world.pass(20 * MINUTE_MS);
    world.receiver = accepts;
    await world.delivery.apply([...jobs, ...jobsAt(1, CONF, 9)], 2);
    await world.pass(1_000);
    assert.equal(world.delivered().length, 18, 'and what it found helps the others');
  });

  it('jobs with another key, path or account do not share', async () => {
    const world = new World();
    world.receiver = (received, signal) =>
      received.batch.job <= 20 ? dead(received, signal) : accepts(received, signal);
    const others = [
      ...jobsAt(1, 'test://shared?key=b', 21),
      ...jobsAt(1, 'test://shared/path?key=a', 22),
      jobOf(23, { account: 'another', destinationConf: CONF }),
    ];
    const jobs = jobsAt(20);
    await world.delivery.apply([...jobs, ...others], 1);
    for (let second = 0; second < 60; second += 1) {
      addTo(world, [...jobs, ...others], second * 3);
      await world.pass(2_000);
      for (const { id } of others) assert.equal(world.buffer.waiting(id)?.lines, 0);
    }
  });

  it('what one job alone meets (413, 400, a batch that breaks the receiver) leaves the others alone (I6)', async () => {
    const world = new World();
    const bad: Receiver[] = [
      () => ({ kind: 'split', reason: 'too large', status: 413 }),
      () => ({ kind: 'reject', reason: 'not valid', status: 400 }),
      answers(500),
      answers(408),
    ];
    world.receiver = (received, signal) =>
      (bad[received.batch.job - 1] ?? accepts)(received, signal);
    for (const alone of [1, 2, 3, 4]) {
      const jobs = [...jobsAt(1, `${CONF}${alone}`, alone), ...jobsAt(5, `${CONF}${alone}`, 10)];
      await world.delivery.apply(jobs, alone);
      addTo(world, jobs.slice(0, 1));
      await world.pass(5 * MINUTE_MS);
      world.add(streamOf(10), numbered(1, alone));
      await world.pass(2_000);
      assert.equal(world.buffer.waiting(10)?.lines, 0, `beside job ${alone}`);
    }
  });

  it('Retry-After of one holds for all who share the key', async () => {
    const world = new World();
    world.receiver = answers(429, { afterMs: 10 * MINUTE_MS });
    const jobs = jobsAt(50);
    await world.delivery.apply(jobs, 1);
    addTo(world, jobs);
    await world.pass(5_000);
    const before = world.sent.length;
    assert.ok(before <= 40, `${before} attempts`);
    await world.pass(9 * MINUTE_MS);
    assert.equal(world.sent.length, before);
    world.receiver = accepts;
    await world.pass(MINUTE_MS + 5_000);
    assert.equal(world.delivered().length, 150);
  });

  it('a receiver that restarts is found again within seconds', async () => {
    const world = new World();
    world.receiver = (received, signal) =>
      (world.clock.monotonicMs() < 4_000 ? dead : accepts)(received, signal);
    const jobs = jobsAt(100);
    await world.delivery.apply(jobs, 1);
    addTo(world, jobs);
    await world.pass(8_000);
    assert.equal(world.delivered().length, 300);
  });

  it('a probe that hangs, or whose job is deleted, switched off or edited, does not stand in the others’ way', async () => {
    const world = new World();
    world.receiver = dead;
    const jobs = jobsAt(6);
    await world.delivery.apply(jobs, 1);
    addTo(world, jobs);
    await world.pass(5 * MINUTE_MS);
    world.receiver = () => new Promise(() => {});
    await world.pass(30_000);
    const [prober] = world.sent.slice(-1).map(({ batch }) => batch.job);
    const rest = jobs.filter(({ id }) => id !== prober);
    await world.delivery.apply(rest, 2);
    const off = rest.map((job, n) =>
      n === 0 ? { ...job, enabled: false, version: job.version + 1_000 } : job,
    );
    await world.delivery.apply(off, 3);
    world.receiver = accepts;
    await world.pass(4 * MINUTE_MS);
    assert.equal(world.delivered().length, 12);
    await world.delivery.close();
    assert.equal(world.clock.timers(), 0);
  });

  it('a breaker is counted until the last of its jobs leaves, and one that all have moved away from is none', async () => {
    const world = new World();
    world.receiver = dead;
    const jobs = jobsAt(6);
    await world.delivery.apply(jobs, 1);
    addTo(world, jobs);
    await world.pass(MINUTE_MS);
    assert.equal(world.delivery.stats().openBreakers, 1);
    await world.delivery.apply(jobs.slice(1), 2);
    assert.equal(world.delivery.stats().openBreakers, 1);
    await world.delivery.apply([], 3);
    assert.equal(world.delivery.stats().openBreakers, 0);

    const refuse: (() => void)[] = [];
    world.receiver = () =>
      new Promise((resolve) => {
        refuse.push(() => resolve({ kind: 'retry', reason: 'The connection was reset.' }));
      });
    const others = jobsAt(6, 'test://other?key=b', 11);
    await world.delivery.apply(others, 4);
    addTo(world, others);
    await world.pass(10_000);
    assert.equal(refuse.length, 6);
    const moved = others.map((job) => ({
      ...job,
      destinationConf: 'test://elsewhere?key=c',
      version: job.version + 1_000,
    }));
    world.receiver = accepts;
    await world.delivery.apply(moved, 5);
    for (const answer of refuse) answer();
    await world.pass(MINUTE_MS);
    assert.equal(world.delivery.stats().openBreakers, 0);
    assert.equal(world.delivered().length, 18);
    await world.delivery.close();
  });
});
