/** What delivery does when receivers, disks or the process fail. */
import assert from 'node:assert/strict';
import { runs } from '../lib/testing/depth.ts';
import { describe, it } from 'node:test';
import { accepts, hangs, jobOf, numbered, World } from './testing/world.ts';
import type { Received, Receiver } from './testing/world.ts';

const STREAM = 'zones/z1/http_requests';
const HOUR_MS = 3_600_000;

/** Refuses batches that hold the line, as a receiver with a strict schema would. */
const refuses =
  (poison: string): Receiver =>
  (received, signal) =>
    received.lines.includes(poison)
      ? { kind: 'reject', reason: 'The receiver says that the batch is not valid.', status: 400 }
      : accepts(received, signal);

describe('retry', () => {
  it('a retry has the same lines, bytes, name and id (I7)', async () => {
    const world = new World();
    let failures = 4;
    world.receiver = (received, signal) =>
      failures-- > 0 ? { kind: 'retry', reason: 'busy', status: 503 } : accepts(received, signal);
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(40), 'deflate');
    await world.pass(1_000);
    world.add(STREAM, numbered(3, 40));
    await world.pass(60_000);
    const first = world.sent.filter(({ batch }) => batch.from === 0);
    assert.ok(first.length >= 2);
    for (const again of first) assert.deepEqual(again, first[0]);
    assert.deepEqual(world.delivered(), numbered(43));
    assert.equal(world.delivery.status(1)?.attempts.retry, 4);
  });

  it('403 for an hour loses nothing, and is probed at least every 30 s', async () => {
    const world = new World();
    const times: number[] = [];
    world.receiver = (received, signal) => {
      times.push(world.clock.monotonicMs());
      return world.clock.monotonicMs() < HOUR_MS
        ? { kind: 'retry', reason: 'The receiver answered 403.', status: 403 }
        : accepts(received, signal);
    };
    await world.delivery.apply([jobOf(1)], 1);
    for (let minute = 0; minute < 60; minute += 10) {
      world.add(STREAM, numbered(10, minute));
      await world.pass(600_000);
      const status = world.delivery.status(1);
      if (minute === 10) {
        assert.equal(status?.state, 'backing_off');
        assert.equal(status.errorMessage, 'The receiver answered 403.');
        assert.ok((status.nextAttemptMs ?? 0) >= world.clock.wallMs());
      }
    }
    await world.pass(60_000);
    assert.deepEqual(world.delivered(), numbered(60));
    assert.equal(world.delivery.status(1)?.errorMessage, null);
    const gaps = times.slice(1).map((time, index) => time - times[index]!);
    assert.ok(Math.max(...gaps.slice(0, -8)) <= 30_000);
    assert.ok(times.length < 500, 'and not hammered');
  });

  it('Retry-After is obeyed', async () => {
    const world = new World();
    const times: number[] = [];
    world.receiver = (received, signal) => {
      times.push(world.clock.monotonicMs());
      return times.length === 1
        ? { kind: 'retry', reason: 'slow down', status: 429, afterMs: 120_000 }
        : accepts(received, signal);
    };
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(1));
    await world.pass(200_000);
    assert.equal(times.length, 2);
    assert.ok(times[1]! - times[0]! >= 120_000);
  });

  it('with the breaker open, one attempt at a time probes', async () => {
    const world = new World({ batchLines: 2, breakerFailures: 3 });
    let under = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    world.receiver = () => {
      under += 1;
      most = Math.max(most, under);
      return new Promise((resolve) => {
        waiting.push(() => {
          under -= 1;
          resolve({ kind: 'retry', reason: 'down' });
        });
      });
    };
    const failAll = () => waiting.splice(0).forEach((fail) => fail());
    await world.delivery.apply([jobOf(1)], 1);
    for (let n = 0; n < 8; n += 1) world.add(STREAM, numbered(2, n * 2));
    await world.quiet();
    assert.equal(most, 4, 'up to four while it flows');
    failAll();
    most = 0;
    for (let n = 0; n < 10; n += 1) {
      await world.pass(30_000);
      failAll();
    }
    assert.equal(most, 1);
    world.receiver = accepts;
    await world.pass(60_000);
    assert.deepEqual(world.delivered(), numbered(16));
  });

  it('a receiver that never answers is aborted, also when the sender ignores that', async () => {
    const world = new World();
    world.receiver = () => new Promise(() => {});
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(1));
    await world.pass(130_000);
    assert.equal(world.attempts[0]?.outcome, 'retry');
    assert.equal(world.attempts[0]?.durationMs, 125_000);
    world.receiver = accepts;
    await world.pass(200_000);
    assert.deepEqual(world.delivered(), numbered(1));
  });

  it('a sender that cannot be opened, or throws, is tried again', async () => {
    const world = new World();
    const { openSender } = world;
    let broken = 3;
    world.openSender = async (job) => {
      if (broken-- > 0) throw new Error('no such key');
      return await openSender(job);
    };
    let throwing = 2;
    world.receiver = (received, signal) => {
      if (throwing-- > 0) throw new TypeError('a bug');
      return accepts(received, signal);
    };
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(2));
    await world.pass(120_000);
    assert.deepEqual(world.delivered(), numbered(2));
    assert.deepEqual(
      world.attempts.map(({ stage }) => stage),
      ['before', 'before', 'before', 'destination', 'destination', 'destination'],
    );
  });
});

describe('the disk', () => {
  it('what the receiver has is not sent again while its receipt cannot be recorded', async () => {
    const world = new World();
    world.buffer.failing.settle = 5;
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(3));
    await world.pass(1_000);
    assert.equal(world.buffer.waybills.length, 0);
    assert.equal(world.delivery.status(1)?.state, 'sending');
    assert.match(world.delivery.status(1)?.errorMessage ?? '', /could not be recorded/);
    await world.pass(60_000);
    assert.equal(world.sent.length, 1);
    assert.equal(world.buffer.waybills.length, 1);
    assert.deepEqual(
      world.attempts.map(({ stage, outcome }) => `${stage} ${outcome}`),
      ['destination accepted', 'after retry'],
    );
    assert.equal(world.delivery.status(1)?.errorMessage, null);
  });

  it('nothing is sent before its plan is durable', async () => {
    const world = new World();
    world.buffer.failing.plan = 3;
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(3));
    await world.pass(1_000);
    assert.equal(world.sent.length, 0);
    await world.pass(60_000);
    assert.deepEqual(world.delivered(), numbered(3));
    assert.equal(world.delivery.status(1)?.errorMessage, null);
  });

  it('a probe whose lines cannot be read is not made again at once, and loses nothing', async () => {
    const world = new World();
    world.receiver = () => ({ kind: 'retry', reason: 'busy', status: 503 });
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(10));
    await world.pass(120_000);
    assert.equal(world.delivery.status(1)?.state, 'backing_off');
    world.buffer.failing.read = 1_000;
    await world.pass(120_000);
    const reads = 1_000 - world.buffer.failing.read;
    assert.ok(reads >= 4 && reads < 200, `${reads} reads in two minutes`);
    world.buffer.failing.read = 0;
    world.receiver = accepts;
    await world.pass(60_000);
    assert.deepEqual(world.delivered(), numbered(10));
  });

  it('failing reads delay and lose nothing', async () => {
    const world = new World();
    world.buffer.failing.read = 4;
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(3));
    await world.pass(60_000);
    assert.deepEqual(world.delivered(), numbered(3));
  });
});

describe('after a crash', () => {
  it('open plans are sent first, exactly as they were (I7)', async () => {
    const world = new World({ batchLines: 5 });
    world.receiver = hangs;
    const job = jobOf(1);
    await world.delivery.apply([job], 1);
    world.add(STREAM, numbered(5), 'deflate');
    world.add(STREAM, numbered(5, 5));
    world.add(STREAM, numbered(5, 10));
    await world.quiet();
    const before = world.sent.splice(0);
    assert.equal(before.length, 3);
    world.receiver = accepts;
    world.restart();
    // With other bounds now: they hold for new plans only.
    await world.delivery.apply([{ ...job, maxUploadRecords: 1 }], 2);
    await world.quiet();
    // They are under way side by side, so their order among each other is free.
    const byRange = (a: Received, b: Received) => a.batch.from - b.batch.from;
    assert.deepEqual(world.sent.toSorted(byRange), before.toSorted(byRange));
    assert.equal(world.buffer.planned.length, 3);
    assert.equal(world.buffer.job(1)?.cursor, 15);
  });

  it('an open plan keeps the content version that it pinned', async () => {
    const world = new World();
    const tagged = (tag: string) => ({
      contentType: 'text/plain',
      prefix: Buffer.from(tag),
      suffix: Buffer.alloc(0),
      encode: (bytes: Buffer, _first: number, { from, to }: { from: number; to: number }) => ({
        bytes,
        lines: to - from,
        excluded: {},
        malformed: [],
      }),
    });
    world.content = (job) => tagged(`v${job.contentVersion}:`);
    world.receiver = hangs;
    const then = jobOf(1);
    await world.delivery.apply([then], 1);
    world.add(STREAM, numbered(1));
    await world.pass(1_000);
    world.receiver = accepts;
    world.restart();
    world.contentOf = (_job, version) => (version === 1 ? then : undefined);
    await world.delivery.apply([jobOf(1, { contentVersion: 2 })], 2);
    await world.quiet();
    assert.equal(world.sent.at(-1)?.plain, 'v1:{"n":0}\n');
  });

  it('when nobody knows that content any more, today’s is used, and said aloud', async () => {
    const world = new World();
    world.receiver = hangs;
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(1));
    await world.pass(1_000);
    world.receiver = accepts;
    world.restart();
    await world.delivery.apply([jobOf(1, { contentVersion: 2 })], 2);
    await world.quiet();
    assert.deepEqual(world.delivered(), numbered(1));
    assert.match(world.log.join(''), /delivery\.plan\.content_unknown/);
  });

  it('a job that was deleted just before is closed at the buffer', async () => {
    const world = new World();
    await world.delivery.apply([jobOf(1), jobOf(2)], 1);
    world.restart();
    await world.delivery.apply([jobOf(2)], 2);
    assert.notEqual(world.buffer.job(1)?.closedMs, null);
    assert.equal(world.buffer.job(2)?.closedMs, null);
  });
});

describe('split', () => {
  it('a batch that is too large is halved until its parts pass', async () => {
    const world = new World();
    world.receiver = (received, signal) =>
      received.lines.length > 3
        ? { kind: 'split', reason: 'The receiver says that it is too large.', status: 413 }
        : accepts(received, signal);
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(10), 'deflate');
    await world.pass(1_000);
    assert.deepEqual(world.delivered(), numbered(10));
    assert.ok(world.sent.length > 4);
    assert.deepEqual(world.buffer.job(1)?.open, []);
    assert.equal(world.delivery.status(1)?.state, 'idle');
  });

  it('a receiver that always asks for less causes a bounded number of plans, and loses nothing', async () => {
    const world = new World({ splitPlans: 6 });
    world.receiver = () => ({ kind: 'split', reason: 'too large', status: 413 });
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(1_000));
    await world.pass(HOUR_MS);
    assert.ok(world.buffer.job(1)!.open.length <= 6);
    assert.equal(world.delivery.status(1)?.state, 'blocked');
    world.receiver = accepts;
    await world.pass(60_000);
    assert.deepEqual(world.delivered(), numbered(1_000));
  });
});

describe('reject', () => {
  it('a receiver that refuses everything blocks the job and drops nothing', async () => {
    const world = new World();
    world.receiver = () => ({ kind: 'reject', reason: 'The schema is not known.', status: 400 });
    await world.delivery.apply([jobOf(1)], 1);
    for (let n = 0; n < 20; n += 1) {
      world.add(STREAM, numbered(5, n * 5));
      await world.pass(60_000);
    }
    const status = world.delivery.status(1);
    assert.equal(status?.state, 'blocked');
    assert.equal(status.errorMessage, 'The schema is not known.');
    assert.ok((status.nextAttemptMs ?? 0) - world.clock.wallMs() <= 30_000);
    assert.equal(world.buffer.waybills.length, 0);
    world.receiver = accepts;
    await world.pass(60_000);
    assert.deepEqual(world.delivered(), numbered(100));
  });

  it('a destination that turns bad after it was good halves at most, and drops nothing', async () => {
    const world = new World();
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(5));
    await world.pass(1_000);
    world.receiver = () => ({ kind: 'reject', reason: 'The schema is not known.', status: 400 });
    for (let n = 1; n < 20; n += 1) {
      world.add(STREAM, numbered(5, n * 5));
      await world.pass(60_000);
    }
    assert.equal(world.kept.length, 0);
    assert.equal(world.delivery.status(1)?.state, 'blocked');
    world.receiver = accepts;
    await world.pass(120_000);
    assert.deepEqual(world.delivered(), numbered(100));
  });

  it('a single bad line among good ones is kept with the answer, all others arrive', async () => {
    const world = new World();
    world.receiver = refuses('{"n":21}');
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(16));
    await world.pass(1_000);
    world.add(STREAM, numbered(16, 16), 'deflate');
    await world.pass(1_000);
    world.add(STREAM, numbered(16, 32));
    await world.pass(120_000);
    assert.deepEqual(
      world.delivered(),
      numbered(48).filter((line) => line !== '{"n":21}'),
    );
    assert.deepEqual(
      world.kept.map(({ offset, bytes, reason, detail }) => [
        offset,
        bytes.toString(),
        reason,
        detail,
      ]),
      [
        [
          21,
          '{"n":21}',
          'rejected_by_destination',
          'The receiver says that the batch is not valid.',
        ],
      ],
    );
    assert.deepEqual(world.buffer.job(1)?.totals.dropped, { rejected_by_destination: 1 });
    assert.equal(world.buffer.job(1)?.cursor, 48);
  });

  it('a job whose open batches all hold a bad line finds the good ones by halving a few', async () => {
    const world = new World({ batchLines: 8 });
    world.receiver = (received, signal) =>
      received.lines.some((line) => line.endsWith('5}'))
        ? { kind: 'reject', reason: 'not valid', status: 400 }
        : accepts(received, signal);
    await world.delivery.apply([jobOf(1)], 1);
    const lines = [1, 2, 3, 4].flatMap((tens) => numbered(8, tens * 10));
    for (let n = 0; n < 32; n += 8) world.add(STREAM, lines.slice(n, n + 8));
    await world.pass(20_000);
    assert.equal(world.delivery.status(1)?.state, 'blocked');
    await world.pass(HOUR_MS);
    assert.deepEqual(
      world.delivered(),
      lines.filter((line) => !line.endsWith('5}')),
    );
    assert.equal(world.kept.length, 4);
  });

  it('a single line is never given up while nothing else has passed', async () => {
    const world = new World();
    world.receiver = refuses('{"n":0}');
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(1));
    await world.pass(HOUR_MS);
    assert.equal(world.kept.length, 0);
    assert.equal(world.delivery.status(1)?.state, 'blocked');
    world.add(STREAM, numbered(1, 1));
    await world.pass(120_000);
    assert.deepEqual(world.delivered(), numbered(1, 1));
    assert.equal(world.kept.length, 1);
  });
});

describe('among others', () => {
  it('dead, slow and refusing jobs among 100 do not delay the others (I6)', async () => {
    // Nobody waits for a commit that is shared: what is seen here is only what others do.
    const recordsPerSecond = Infinity;
    const bounds = { attempts: 24, attemptsPerAccount: 8, heldBytes: 64 * 1024, recordsPerSecond };
    const world = new World(bounds);
    const answers: readonly Receiver[] = [
      hangs,
      () => ({ kind: 'retry', reason: 'down' }),
      () => ({ kind: 'reject', reason: 'bad' }),
    ];
    world.receiver = (received, signal) => {
      const answer = received.batch.job <= 9 ? answers[received.batch.job % 3] : undefined;
      return (answer ?? accepts)(received, signal);
    };
    const jobs = Array.from({ length: 100 }, (_, index) => jobOf(index + 1));
    await world.delivery.apply(jobs, 1);
    for (let second = 0; second < runs(40, 10); second += 1) {
      for (const { stream } of jobs) world.add(stream, numbered(3, second * 3));
      await world.pass(1_000);
      for (const { id, stream } of jobs.slice(9)) {
        const waits = world.buffer.waiting(id)!.lines;
        assert.ok(waits === 0, `${stream} waits for ${waits} lines after ${second} s`);
      }
    }
    assert.equal(world.delivered(jobs[0]!.stream).length, 0);
  });

  it('senders in excess of the bound are closed, longest unused first', async () => {
    const world = new World({ senders: 3 });
    const jobs = Array.from({ length: 8 }, (_, index) => jobOf(index + 1));
    await world.delivery.apply(jobs, 1);
    for (const { stream } of jobs) world.add(stream, numbered(1));
    await world.pass(2_000);
    assert.equal(world.sent.length, 8);
    const open = [...world.openSenders.values()].reduce((sum, count) => sum + count, 0);
    assert.equal(open, 3);
  });
});

describe('drain and close', () => {
  it('draining lets attempts end and settle, and starts nothing', async () => {
    const world = new World();
    let answer = () => {};
    world.receiver = (received, signal) =>
      new Promise((resolve) => {
        answer = () => resolve(accepts(received, signal));
      });
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(2));
    await world.pass(1_000);
    world.add(STREAM, numbered(2, 2));
    let drained = false;
    const draining = world.delivery.drain().then(() => (drained = true));
    await world.pass(60_000);
    assert.equal(drained, false);
    answer();
    await draining;
    assert.equal(world.sent.length, 1);
    assert.equal(world.buffer.waybills.length, 1);
    await world.delivery.close();
    assert.deepEqual([...world.openSenders.values()], [0]);
    assert.equal(world.clock.timers(), 0);
  });

  it('draining ends with the app’s signal, closing aborts, and the next start goes on', async () => {
    const world = new World();
    world.receiver = hangs;
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(2));
    await world.pass(1_000);
    const enough = new AbortController();
    const draining = world.delivery.drain(enough.signal);
    enough.abort();
    await draining;
    await world.delivery.close();
    assert.equal(world.clock.timers(), 0);
    world.receiver = accepts;
    world.restart();
    await world.delivery.apply([jobOf(1)], 2);
    await world.quiet();
    assert.deepEqual(world.delivered(), numbered(2));
  });
});
