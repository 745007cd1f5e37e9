/** Space and time on a simulated disk: what may fill it, what gives way and in which order, and what time alone never takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { DAY_MS, HOUR_MS, Rig } from './sim/rig.ts';
import { deadJobWeek } from './sim/week.ts';

test('one dead job among 50 does not hold their disk: a week at ten times the disk', async () => {
  await deadJobWeek({ jobs: 50, diskBytes: 2_000_000 });
});

const KIB = 1_024;

test('I3, I5: a full disk gives way in order: holdback, then who is above the fair share, then all', async () => {
  const rig = new Rig({
    diskBytes: 2_000 * KIB,
    segmentBytes: 40 * KIB,
    archiveApart: true,
    buffer: { reserveBytes: 64 * KIB },
  });
  await rig.open();
  for (const [id, account] of [
    [1, 'large'],
    [2, 'small'],
  ] as const) {
    await rig.openJob(id, `zones/${account}/http_requests`, account);
  }
  const append = (account: string, bytes: number) =>
    rig.append(`zones/${account}/http_requests`, bytes, account);
  const settled = async (id: number): Promise<void> => {
    while ((await rig.settleNext(id))?.kind === 'durable');
  };

  // Settled lines alone never make the disk full: the oldest go, although their holdback is not over.
  for (let round = 0; round < 120; round += 1) {
    assert.equal((await append('large', 25 * KIB)).kind, 'stored');
    await settled(1);
    await rig.tend();
  }
  assert.ok(rig.buffer.stream('zones/large/http_requests')!.oldest > 0, 'the holdback gave way');
  assert.ok(rig.buffer.stats().replayableSinceMs !== null, 'and the ledger says since when');

  // Then lines wait: the account with the larger backlog is refused first, the other goes on.
  assert.equal((await append('small', 10 * KIB)).kind, 'stored');
  const answers = new Map<string, string>();
  for (let round = 0; round < 200 && !answers.has('small'); round += 1) {
    for (const account of ['large', 'small']) {
      const answer = await append(account, account === 'large' ? 20 * KIB : 6 * KIB);
      if (answer.kind === 'refused' && !answers.has(account)) answers.set(account, answer.reason);
    }
    await rig.tend();
  }
  assert.deepEqual(
    [...answers],
    [
      ['large', 'over_fair_share'],
      ['small', 'disk_full'],
    ],
  );
  const waiting = rig.waitingLines([1, 2]);

  // Nothing that waits was given up, and all of it can still be settled; then intake goes on by itself.
  await settled(1);
  await settled(2);
  assert.equal(rig.waitingLines([1, 2]), 0);
  assert.ok(waiting > 0);
  for (let round = 0; round < 3; round += 1) await rig.tend();
  assert.equal((await append('large', KIB)).kind, 'stored');
  assert.equal((await append('small', KIB)).kind, 'stored');
});

test('the reserve is enough for every settlement, however suddenly the disk filled', async () => {
  const jobs = 60;
  const rig = new Rig({
    diskBytes: 3_000 * KIB,
    segmentBytes: 100 * KIB,
    buffer: { reserveBytes: 200 * KIB },
  });
  await rig.open();
  const ids = Array.from({ length: jobs }, (_, id) => id);
  for (const id of ids) await rig.openJob(id, `zones/z${id}/http_requests`);
  await rig.tend();
  // All of it within a second, so that nobody looks at the disk meanwhile.
  let stored = 0;
  for (let full = false; !full;) {
    const answers = await Promise.all(
      ids.map((id) => rig.append(`zones/z${id}/http_requests`, 2 * KIB)),
    );
    stored += answers.filter(({ kind }) => kind === 'stored').length;
    full = answers.some(({ kind }) => kind === 'refused');
  }
  assert.equal(rig.waitingLines(ids), stored);
  for (const id of ids) {
    for (let waits = true; waits;) {
      const result = await rig.settleNext(id);
      assert.notEqual(result?.kind, 'failed', JSON.stringify(result));
      waits = result !== undefined;
    }
    await rig.tend();
  }
  assert.equal(rig.waitingLines(ids), 0);
  for (let round = 0; round < 3; round += 1) await rig.tend();
  assert.equal((await rig.append('zones/z1/http_requests', KIB)).kind, 'stored');
});

test('being switched off for a month and clock jumps of days age and drop nothing', async () => {
  const rig = new Rig({ segmentBytes: 20 * KIB });
  await rig.open();
  const streams = ['zones/z1/http_requests', 'zones/z2/http_requests'];
  for (const [index, stream] of streams.entries()) await rig.openJob(index + 1, stream);
  for (let round = 0; round < 20; round += 1) {
    for (const stream of streams) assert.equal((await rig.append(stream, KIB)).kind, 'stored');
  }
  for (let round = 0; round < 10; round += 1) await rig.settleNext(1);
  await rig.buffer.closeJob(2);
  await rig.tend();
  const before = rig.buffer.stats().serviceMs;
  const look = () => ({
    waiting: [rig.buffer.waiting(1)?.lines, rig.buffer.waiting(2)?.lines],
    oldest: streams.map((stream) => rig.buffer.stream(stream)?.oldest),
    closed: rig.buffer.job(2)?.closedMs !== null,
  });
  const expected = look();
  assert.deepEqual(expected, { waiting: [0, 20], oldest: [0, 0], closed: true });

  for (const ended of ['closed', 'killed']) {
    if (ended === 'closed') await rig.close();
    rig.disk.kill();
    rig.clock.advance(30 * DAY_MS);
    await rig.open();
    for (let round = 0; round < 5; round += 1) await rig.tend();
    assert.deepEqual(look(), expected, `after a month off, ${ended}`);
  }
  for (const days of [5, -12, 30, -400]) {
    rig.clock.setWall(rig.clock.wallMs() + days * DAY_MS);
    assert.equal((await rig.append('zones/z3/http_requests', 10)).kind, 'stored');
    for (let round = 0; round < 3; round += 1) await rig.tend();
    assert.deepEqual(look(), expected, `after a jump of ${days} days`);
  }
  assert.ok(rig.buffer.stats().serviceMs - before < HOUR_MS, 'service time counts service alone');
  // In service the same time is not nothing.
  for (let hour = 0; hour < 26; hour += 1) {
    rig.clock.advance(HOUR_MS);
    await rig.tend();
  }
  assert.equal(rig.buffer.job(2), undefined, 'its holdback is over');
});

test('I3: a sweep that would drop more than one percent of all that waits stops and asks, over restarts too', async () => {
  const rig = new Rig({ segmentBytes: 20 * KIB });
  await rig.open();
  await rig.openJob(1, 'zones/z1/http_requests');
  for (let line = 0; line < 50; line += 1) await rig.append('zones/z1/http_requests', 100);
  await rig.tend();
  const week = async (): Promise<void> => {
    for (let hour = 0; hour < 8 * 24; hour += 1) {
      rig.clock.advance(HOUR_MS);
      await rig.tend();
    }
  };
  await week();
  assert.equal(rig.buffer.waiting(1)?.lines, 50);
  assert.ok(rig.alarms.named('buffer.retention_stopped') > 0, 'an operator is asked');
  await rig.close();
  rig.disk.crash();
  await rig.open();
  await rig.tend();
  assert.equal(rig.buffer.waiting(1)?.lines, 50);

  // An operator who names fewer lines than it asks for meant others.
  assert.equal(rig.buffer.stats().expiryAsksForLines, 50);
  assert.equal(rig.buffer.expire(49), 50);
  for (let round = 0; round < 5; round += 1) await rig.tend();
  assert.equal(rig.buffer.waiting(1)?.lines, 50);

  // The same lines are less than a percent once enough others wait.
  await rig.openJob(2, 'zones/z2/http_requests');
  for (let request = 0; request < 60; request += 1) {
    await rig.appendLines('zones/z2/http_requests', 100);
  }
  for (let round = 0; round < 5; round += 1) {
    rig.clock.advance(HOUR_MS);
    await rig.tend();
  }
  assert.equal(rig.buffer.waiting(1)?.lines, 0);
  assert.equal(rig.buffer.job(1)?.totals.dropped.expired, 50, 'by waybill');
  assert.equal(rig.buffer.waiting(2)?.lines, 6_000);
  assert.ok(rig.alarms.named('buffer.lines_expired') > 0);
});

test('I3: what retention asks for goes by waybill once an operator says so, over several rounds', async () => {
  const rig = new Rig({ segmentBytes: 20 * KIB });
  await rig.open();
  // More hours than one round has waybills for.
  await rig.openJob(1, 'zones/z1/http_requests');
  for (let hour = 0; hour < 8 * 24; hour += 1) {
    await rig.append('zones/z1/http_requests', 100);
    await rig.append('zones/z1/http_requests', 100);
    rig.clock.advance(HOUR_MS);
    await rig.tend();
  }
  const asked = rig.buffer.stats().expiryAsksForLines;
  assert.ok(asked >= 40, `${asked} lines`);
  assert.equal(rig.buffer.expire(asked), asked);
  // Looked at meanwhile, as metrics and status do.
  for (let round = 0; round < 5; round += 1) {
    await rig.tend();
    assert.equal(rig.buffer.stats().expiryAsksForLines, 0);
  }
  assert.equal(rig.buffer.job(1)?.totals.dropped.expired, asked);
  assert.equal(rig.buffer.waiting(1)?.lines, 8 * 24 * 2 - asked);
  // The answer was for these lines and for no later ones.
  for (let hour = 0; hour < 24; hour += 1) {
    rig.clock.advance(HOUR_MS);
    await rig.tend();
  }
  assert.equal(rig.buffer.job(1)?.totals.dropped.expired, asked);
  assert.ok(rig.buffer.stats().expiryAsksForLines > 0, 'it asks again');
});
