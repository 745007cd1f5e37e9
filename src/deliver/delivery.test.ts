/** The way of a line through delivery when nothing goes wrong, and what a job's settings change. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jobOf, numbered, World } from './testing/world.ts';

const STREAM = 'zones/z1/http_requests';

describe('delivery', () => {
  it('delivers lines byte for byte in one batch when the interval ends', async () => {
    const world = new World();
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, ['{"a":1,  "b":"é\\u0000"}', '{"n":1732000000123456789}']);
    world.clock.advance(300);
    world.add(STREAM, numbered(3));
    await world.pass(699);
    assert.equal(world.sent.length, 0);
    assert.equal(world.delivery.status(1)?.state, 'waiting');
    await world.pass(1);
    assert.equal(world.sent.length, 1);
    const [{ plain, batch }] = world.sent as [(typeof world.sent)[0]];
    assert.equal(
      plain,
      `{"a":1,  "b":"é\\u0000"}\n{"n":1732000000123456789}\n${numbered(3).join('\n')}\n`,
    );
    assert.equal(batch.id, '1-00000000000000e1-0-5');
    assert.equal(batch.name, '20261123T063000Z_20261123T063000Z_1-00000000000000e1-0-5.log.gz');
    assert.equal(world.delivery.status(1)?.state, 'idle');
  });

  it('the end of a burst goes out when its stream has been quiet for a fifth of the interval', async () => {
    const world = new World();
    await world.delivery.apply([jobOf(1, { maxUploadBytes: 2_000 })], 1);
    const line = `{"a":"${'x'.repeat(190)}"}`;
    world.add(STREAM, [line]);
    await world.pass(100);
    world.add(STREAM, [line, line, line]);
    await world.pass(150);
    world.add(STREAM, [line]);
    await world.pass(199);
    assert.equal(world.sent.length, 0);
    await world.pass(1);
    assert.deepEqual([world.sent[0]?.batch.from, world.sent[0]?.batch.to], [0, 5]);
    // Less than a quarter of a batch waits for the interval.
    world.add(STREAM, [line, line]);
    await world.pass(999);
    assert.equal(world.sent.length, 1);
    await world.pass(1);
    assert.equal(world.sent.length, 2);
  });

  it('while many have lines their blocks are copied, and made anew again when they are few', async () => {
    const line = JSON.stringify({ a: numbered(40) });
    const limits = { smallBlockBytes: 10_000, sparingBlockBytes: 400 };
    const world = new World({ ...limits, batchesPerSecond: 5, stretchedMs: 2_000 });
    const jobs = Array.from({ length: 10 }, (_, n) => jobOf(n + 1));
    await world.delivery.apply(jobs, 1);
    const bodyBytes = async (some: typeof jobs): Promise<readonly number[]> => {
      world.sent.length = 0;
      for (const { stream } of some)
        for (let n = 0; n < 3; n += 1) world.add(stream, [line], 'deflate');
      await world.pass(2_000);
      assert.equal(world.sent.length, some.length);
      for (const { plain } of world.sent) assert.equal(plain, `${line}\n`.repeat(3));
      return world.sent.map(({ batch }) => batch.bodyBytes);
    };
    const many = await bodyBytes(jobs);
    const [few] = await bodyBytes(jobs.slice(0, 3));
    assert.ok(many[0]! > 2 * few!, `${many[0]} and ${few} bytes`);
    assert.equal(many.at(-1), few, 'those that are left are few');
  });

  it('jobs that begin together and wait longer than usual do not send together for ever', async () => {
    const world = new World({ batchesPerSecond: 3, stretchedMs: 10_000 });
    const jobs = Array.from({ length: 120 }, (_, n) => jobOf(n + 1));
    await world.delivery.apply(jobs, 1);
    const sentIn: number[] = [];
    for (let second = 0; second < 35; second += 1) {
      for (const { stream } of jobs) world.add(stream, numbered(1, second));
      const before = world.sent.length;
      await world.pass(1_000);
      sentIn.push(world.sent.length - before);
    }
    // Twelve a second, once all have their interval: the longest, after their first batch.
    const steady = sentIn.slice(15);
    assert.ok(Math.max(...steady) <= 36, `${steady.join(' ')}`);
    const all = steady.reduce((sum, sent) => sum + sent, 0);
    assert.ok(all >= 210 && all <= 270, `${all} batches`);
  });

  it('a stream that goes on growing waits for the interval, however often it is looked at', async () => {
    const world = new World();
    await world.delivery.apply([jobOf(1, { maxUploadBytes: 100_000 })], 1);
    const line = `{"a":"${'x'.repeat(990)}"}`;
    for (let at = 0; at < 900; at += 100) {
      world.add(STREAM, at === 0 ? Array.from({ length: 30 }, () => line) : [line]);
      await world.pass(100);
    }
    world.add(STREAM, [line]);
    await world.pass(99);
    assert.equal(world.sent.length, 0);
    await world.pass(1);
    assert.equal(world.sent[0]?.batch.to, 39);
  });

  it('a plan that was settled just now is not tried again, whenever the next one is recorded', async () => {
    for (let later = 0; later < 30; later += 1) {
      const world = new World();
      const { buffer } = world;
      const [plan, settle] = [buffer.plan.bind(buffer), buffer.settle.bind(buffer)];
      const answered = Promise.withResolvers<void>();
      const settled = Promise.withResolvers<void>();
      let plans = 0;
      buffer.plan = async (...args) => {
        if (++plans === 2) {
          await settled.promise;
          for (let step = 0; step < later; step += 1) await Promise.resolve();
        }
        return await plan(...args);
      };
      buffer.settle = async (waybill) => {
        const recorded = await settle(waybill);
        settled.resolve();
        return recorded;
      };
      world.receiver = async ({ batch }) => {
        await answered.promise;
        return { kind: 'accepted', receipt: batch.name };
      };
      await world.delivery.apply([jobOf(1)], 1);
      for (let n = 0; n < 2; n += 1) {
        world.add(STREAM, numbered(2, 2 * n));
        await world.pass(1_000);
      }
      assert.equal(plans, 2);
      answered.resolve();
      await world.pass(1_000);
      assert.deepEqual(world.delivered(), numbered(4));
      assert.deepEqual(world.log, [], `recorded ${later} steps later`);
    }
  });

  it('settles by a waybill that says what was sent where', async () => {
    const world = new World();
    await world.delivery.apply([jobOf(1, { version: 77 })], 1);
    world.add(STREAM, numbered(2));
    await world.pass(1_000);
    world.add(STREAM, numbered(2, 2));
    await world.pass(1_000);
    const [first, second] = world.buffer.waybills;
    assert.deepEqual(first?.counts, { delivered: 2, excluded: {}, dropped: {} });
    assert.equal(first?.plan, world.sent[0]?.batch.id);
    assert.equal(first?.sha256, world.sent[0]?.batch.sha256);
    assert.equal(first?.plainBytes, Buffer.byteLength(world.sent[0]!.plain));
    assert.equal(first?.sentBytes, world.sent[0]?.batch.bodyBytes);
    assert.equal(first?.receipt, world.sent[0]?.batch.name);
    assert.equal(first?.destination, 'print of test://receiver-1');
    assert.equal(first?.configVersion, 77);
    assert.equal(second?.sequence, 2);
    assert.notEqual(second?.previous, null);
    assert.equal(world.attempts[0]?.outcome, 'accepted');
    assert.equal(world.attempts[0]?.stage, 'destination');
  });

  it('an idle job has no timer', async () => {
    const world = new World();
    await world.delivery.apply([jobOf(1), jobOf(2)], 1);
    await world.quiet();
    assert.equal(world.clock.timers(), 0);
    world.add(STREAM, numbered(1));
    await world.quiet();
    assert.equal(world.clock.timers(), 1);
    await world.pass(1_000);
    assert.equal(world.clock.timers(), 0);
  });

  it('a batch that is full does not wait for the interval', async () => {
    const world = new World({ batchLines: 10 });
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(6));
    await world.quiet();
    assert.equal(world.sent.length, 0);
    world.add(STREAM, numbered(6, 6));
    await world.quiet();
    assert.deepEqual(
      world.sent.map(({ lines }) => lines.length),
      [6],
    );
    await world.pass(1_000);
    assert.deepEqual(world.delivered(), numbered(12));
  });

  it('a wall clock set back by days delays no line beyond the interval', async () => {
    const world = new World();
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(3));
    world.clock.setWall(world.clock.wallMs() - 3 * 86_400_000);
    await world.pass(1_000);
    assert.deepEqual(world.delivered(), numbered(3));
    // Reception never goes back in a stream: what comes now is dated in days to come.
    world.buffer.add(STREAM, numbered(3, 3), world.clock.wallMs() + 3 * 86_400_000, 'raw');
    await world.pass(999);
    assert.equal(world.sent.length, 1);
    await world.pass(1);
    assert.deepEqual(world.delivered(), numbered(6));
  });

  it('never lets a batch span a UTC hour', async () => {
    const world = new World();
    await world.delivery.apply([jobOf(1)], 1);
    world.clock.advance(30 * 60_000 - 400);
    world.add(STREAM, numbered(3));
    await world.pass(399);
    assert.equal(world.sent.length, 0);
    await world.pass(1);
    assert.equal(world.sent.length, 1, 'the hour’s end closes the batch');
    world.clock.advance(3_600_000 - 100);
    world.add(STREAM, numbered(1, 3));
    world.clock.advance(100);
    world.add(STREAM, numbered(1, 4));
    await world.pass(1_000);
    assert.deepEqual(
      world.sent.map(({ lines }) => lines),
      [numbered(3), numbered(1, 3), numbered(1, 4)],
    );
    assert.equal(new Set(world.buffer.waybills.map(({ hour }) => hour)).size, 3);
  });

  it('several jobs read one stream, each at its own pace', async () => {
    const world = new World();
    const stream = STREAM;
    await world.delivery.apply([jobOf(1), jobOf(2, { stream, maxUploadIntervalMs: 200 })], 1);
    world.add(STREAM, numbered(3));
    await world.pass(200);
    assert.deepEqual(
      world.sent.map(({ batch }) => batch.job),
      [2],
    );
    await world.pass(800);
    assert.deepEqual(
      world.sent.map(({ batch }) => batch.job),
      [2, 1],
    );
  });

  it('excluded lines are settled without a delivery', async () => {
    const world = new World();
    const empty = Buffer.alloc(0);
    world.content = () => ({
      contentType: 'application/x-ndjson',
      prefix: empty,
      suffix: empty,
      encode: (_plain, _first, { from, to }) => ({
        bytes: empty,
        lines: 0,
        excluded: { filter: to - from - 1 },
        malformed: [from],
      }),
    });
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(5));
    await world.pass(1_000);
    assert.equal(world.sent.length, 0);
    assert.deepEqual(world.buffer.planned, []);
    const [waybill] = world.buffer.waybills;
    assert.deepEqual(waybill?.counts, {
      delivered: 0,
      excluded: { filter: 4 },
      dropped: { malformed: 1 },
    });
    assert.equal(waybill?.plan, null);
    assert.deepEqual(
      world.kept.map(({ offset, bytes, reason }) => [offset, bytes.toString(), reason]),
      [[0, '{"n":0}', 'malformed']],
    );
  });

  it('encoded batches carry prefix, delimiters and suffix once, over blocks and turns', async () => {
    const world = new World({ turnBytes: 16 });
    world.content = () => ({
      contentType: 'application/json',
      prefix: Buffer.from('['),
      suffix: Buffer.from(']'),
      encode(plain, first, { from, to }, afterRecord) {
        const records = plain
          .toString()
          .split('\n')
          .slice(from - first, to - first);
        const text = `${afterRecord ? ',' : ''}${records.join(',')}`;
        return { bytes: Buffer.from(text), lines: to - from, excluded: {}, malformed: [] };
      },
    });
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(7));
    world.add(STREAM, numbered(4, 7), 'deflate');
    await world.pass(1_000);
    assert.equal(world.sent[0]?.plain, `[${numbered(11).join(',')}]`);
    assert.equal(world.sent[0]?.batch.contentType, 'application/json');
  });

  it('lines that cannot be read are dropped by name, told, and do not stop the others', async () => {
    const world = new World();
    await world.delivery.apply([jobOf(1)], 1);
    for (let block = 0; block < 4; block += 1) world.add(STREAM, numbered(3, block * 3));
    world.buffer.lose(STREAM, { from: 3, to: 6 }, 'corrupt');
    world.buffer.lose(STREAM, { from: 9, to: 12 }, 'erased');
    await world.pass(1_000);
    assert.deepEqual(world.delivered(), [...numbered(3), ...numbered(3, 6)]);
    assert.deepEqual(world.buffer.job(1)?.totals, {
      delivered: 6,
      excluded: {},
      dropped: { corrupt: 3, erased: 3 },
    });
    assert.equal(world.buffer.job(1)?.cursor, 12);
    assert.match(world.log.join(''), /"level":"alarm","event":"delivery.lines.corrupt"/);
  });
});

describe('settings', () => {
  it('a paused job stops planning, and goes on where it stopped', async () => {
    const world = new World();
    await world.delivery.apply([jobOf(1)], 1);
    await world.delivery.apply([jobOf(1, { enabled: false })], 2);
    world.add(STREAM, numbered(3));
    await world.pass(60_000);
    assert.equal(world.sent.length, 0);
    assert.equal(world.delivery.status(1)?.state, 'paused');
    assert.notEqual(world.buffer.job(1)?.closedMs, null);
    await world.delivery.apply([jobOf(1)], 3);
    await world.pass(1_000);
    assert.deepEqual(world.delivered(), numbered(3));
  });

  it('a deleted job ends what is under way and is forgotten', async () => {
    const world = new World();
    let answer = () => {};
    world.receiver = () =>
      new Promise((resolve) => {
        answer = () => resolve({ kind: 'accepted', receipt: 'r' });
      });
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(3));
    await world.pass(1_000);
    await world.delivery.apply([], 2);
    assert.equal(world.delivery.status(1)?.state, 'closed');
    answer();
    await world.quiet();
    assert.equal(world.delivery.status(1), undefined);
    assert.equal(world.buffer.job(1)?.totals.delivered, 3);
    assert.deepEqual([...world.openSenders.values()], [0]);
  });

  it('a job that the buffer cannot open yet is opened later', async () => {
    const world = new World();
    world.buffer.failing.openJob = 3;
    await world.delivery.apply([jobOf(1)], 1);
    await world.pass(60_000);
    world.add(STREAM, numbered(2));
    await world.pass(1_000);
    assert.deepEqual(world.delivered(), numbered(2));
  });

  it('a job that the buffer cannot open yet begins where its stream stood then: what was accepted since is its own', async () => {
    const world = new World();
    world.add(STREAM, numbered(2));
    world.buffer.failing.openJob = 3;
    await world.delivery.apply([jobOf(1)], 1);
    // The route is in force from here on: these lines were wanted because of the job.
    world.add(STREAM, numbered(3, 2));
    await world.pass(60_000);
    assert.deepEqual(world.delivered(), numbered(3, 2));
    assert.equal(world.buffer.job(1)?.start, 2);
  });

  it('whoever stores lines learns of jobs that could not be opened yet, and has them tried at once', async () => {
    const world = new World();
    const { buffer, delivery } = world;
    await delivery.apply([jobOf(2)], 1);
    assert.equal(delivery.opened('zones/z2/http_requests'), undefined);
    buffer.failing.openJob = 2;
    await delivery.apply([jobOf(1), jobOf(2)], 2);
    assert.equal(delivery.opened('zones/z2/http_requests'), undefined, 'others do not wait');
    assert.equal(await delivery.opened(STREAM), false);
    assert.equal(await delivery.opened(STREAM), true);
    assert.equal(buffer.job(1)?.start, 0);
    assert.equal(delivery.opened(STREAM), undefined);
    buffer.failing.openJob = 1;
    await delivery.apply([jobOf(1), jobOf(2), { ...jobOf(3), stream: STREAM }], 3);
    assert.equal(
      await Promise.race([delivery.opened(STREAM), Promise.resolve('at once')]),
      'at once',
    );
    await delivery.apply([jobOf(1), jobOf(2)], 4);
    assert.equal(delivery.opened(STREAM), undefined, 'it is not wanted any more');
  });

  it('I6: a job whose settings meet a fault of ours keeps no other from its own, and is tried again', async () => {
    const world = new World();
    const openJob = world.buffer.openJob.bind(world.buffer);
    world.buffer.openJob = (id, ...rest) => {
      assert.notEqual(id, 1, 'a fault');
      return openJob(id, ...rest);
    };
    const jobs = [jobOf(1), jobOf(2)];
    await world.delivery.apply(jobs, 1);
    world.add('zones/z2/http_requests', numbered(2));
    await world.pass(1_000);
    assert.deepEqual(world.delivered(), numbered(2));
    assert.ok(world.log.some((line) => line.includes('"delivery.fault"')));
    world.buffer.openJob = openJob;
    await world.delivery.apply(jobs, 2);
    world.add(STREAM, numbered(3, 2));
    await world.pass(1_000);
    assert.deepEqual(world.delivered(STREAM), numbered(3, 2));
  });

  it('a new destination is used at once, and the old sender is closed', async () => {
    const world = new World();
    world.receiver = ({ conf }) =>
      conf === 'test://wrong'
        ? { kind: 'retry', reason: 'The key is not known.', status: 403 }
        : { kind: 'accepted', receipt: 'r' };
    await world.delivery.apply([jobOf(1, { destinationConf: 'test://wrong' })], 1);
    world.add(STREAM, numbered(2));
    await world.pass(600_000);
    assert.equal(world.delivery.status(1)?.state, 'backing_off');
    await world.delivery.apply([jobOf(1, { destinationConf: 'test://right' })], 2);
    await world.quiet();
    assert.deepEqual(world.delivered(), numbered(2));
    assert.deepEqual(Object.fromEntries(world.openSenders), {
      'test://wrong': 0,
      'test://right': 1,
    });
    assert.equal(world.delivery.status(1)?.errorMessage, null);
  });

  it('a plan that was attempted keeps its content when the settings change (I7)', async () => {
    const world = new World();
    const tagged = (tag: string) => ({
      contentType: 'text/plain',
      prefix: Buffer.from(tag),
      suffix: Buffer.alloc(0),
      encode: (plain: Buffer, _first: number, range: { from: number; to: number }) => ({
        bytes: plain,
        lines: range.to - range.from,
        excluded: {},
        malformed: [],
      }),
    });
    world.content = (job) => tagged(`v${job.contentVersion}:`);
    let refusing = true;
    world.receiver = () =>
      refusing ? { kind: 'retry', reason: 'busy' } : { kind: 'accepted', receipt: 'r' };
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(2));
    await world.pass(1_000);
    const changed = jobOf(1, { contentVersion: 2 });
    await world.delivery.apply([changed], 2);
    refusing = false;
    world.add(STREAM, numbered(2, 2));
    await world.pass(60_000);
    const first = world.sent.filter(({ batch }) => batch.from === 0);
    assert.ok(first.length >= 2);
    assert.ok(first.every(({ plain }) => plain.startsWith('v1:')));
    assert.ok(world.sent.find(({ batch }) => batch.from === 2)?.plain.startsWith('v2:'));
  });
});
