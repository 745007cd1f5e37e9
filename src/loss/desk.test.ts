import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { manualClock } from '../lib/clock-manual.ts';
import { silent as diagnostics } from '../lib/diagnostics.ts';
import { limits } from '../model/limits.ts';
import { hourOf } from '../model/delivery.ts';
import type { OutcomeCounts, Waybill } from '../model/delivery.ts';
import type { LossAnswer, LossLimits, LossMarker } from './contract.ts';
import { LossDesk } from './desk.ts';
import { openLossStore } from './store.ts';

const EPOCH = '00112233445566ff';
const NOW_MS = Date.parse('2026-11-23T06:30:00Z');
const HOUR = hourOf(NOW_MS);

let sequence = 0;

/** A waybill of ten lines from `from` on. */
function waybill(
  from: number,
  dropped: OutcomeCounts['dropped'],
  more: Partial<Waybill> = {},
): Waybill {
  sequence += 1;
  return {
    job: 3,
    sequence,
    stream: 'zones/shop/http_requests',
    epoch: EPOCH,
    range: { from, to: from + 10 },
    hour: HOUR,
    counts: { delivered: 0, excluded: {}, dropped },
    plan: null,
    sha256: null,
    plainBytes: 0,
    sentBytes: 0,
    receipt: null,
    destination: null,
    configVersion: 1,
    atMs: NOW_MS,
    previous: null,
    ...more,
  };
}

interface Rig {
  readonly told: LossMarker[];
  readonly lines: () => Record<string, unknown>[];
  readonly hear: (...waybills: Waybill[]) => void;
  readonly answer: (answer: LossAnswer | 'rejects') => void;
  /** Lets time pass, a second at a time. */
  readonly pass: (seconds: number) => Promise<void>;
  /** The same store under a new desk, as after a crash. */
  readonly restart: () => void;
}

function rig(most: Partial<LossLimits> = {}): Rig {
  const clock = manualClock(NOW_MS);
  const bounds: LossLimits = { ...limits.lossNotices, ...most };
  const store = openLossStore(':memory:', NOW_MS, bounds);
  const told: LossMarker[] = [];
  let answer: LossAnswer | 'rejects' = 'told';
  const open = () =>
    new LossDesk({
      store,
      limits: bounds,
      clock,
      diagnostics,
      async tell(marker) {
        told.push(marker);
        if (answer === 'rejects') throw new Error('the shard is down');
        return answer;
      },
    });
  let desk = open();
  return {
    told,
    lines: () => told.map(({ line }) => JSON.parse(line) as Record<string, unknown>),
    hear(...waybills) {
      for (const each of waybills) desk.heard(each);
      desk.keep();
    },
    answer(next) {
      answer = next;
    },
    async pass(seconds) {
      for (let second = 0; second < seconds; second += 1) {
        clock.advance(1_000);
        desk.tend();
        await nextTurn();
      }
    },
    restart() {
      desk = open();
    },
  };
}

test('losses of one job, hour and reason are one marker, which says how many, when, where and why', async () => {
  const { hear, pass, told, lines } = rig();
  hear(waybill(0, { malformed: 1 }), waybill(10, { malformed: 2 }), waybill(40, { malformed: 4 }));
  await pass(5);
  assert.equal(told.length, 1);
  assert.deepEqual(lines()[0], {
    waybill_notice: 'lines_lost',
    id: `loss-3-${EPOCH}-0-malformed`,
    job: 3,
    stream: 'zones/shop/http_requests',
    reason: 'malformed',
    lines: 7,
    from: '2026-11-23T06:00:00Z',
    to: '2026-11-23T07:00:00Z',
    epoch: EPOCH,
    offsets: [
      { from: 0, to: 20 },
      { from: 40, to: 50 },
    ],
    told: '2026-11-23T06:30:02Z',
  });
  assert.equal(
    told[0]?.name,
    `20261123T060000Z_20261123T070000Z_loss-3-${EPOCH}-0-malformed.loss.json.gz`,
  );
  await pass(1_000);
  assert.equal(told.length, 1, 'it is told once');
});

test('other jobs, hours and reasons have markers of their own; what the owner ordered has none', async () => {
  const { hear, pass, lines } = rig();
  hear(
    waybill(0, { malformed: 1, corrupt: 2 }),
    waybill(10, { malformed: 1 }, { hour: HOUR - 1 }),
    waybill(20, { malformed: 1 }, { job: 4 }),
    waybill(30, { erased: 5, skipped_by_owner: 5 }),
  );
  await pass(30);
  assert.deepEqual(
    lines()
      .map(({ job, reason, from }) => [job, reason, from].join(' '))
      .toSorted(),
    [
      '3 corrupt 2026-11-23T06:00:00Z',
      '3 malformed 2026-11-23T05:00:00Z',
      '3 malformed 2026-11-23T06:00:00Z',
      '4 malformed 2026-11-23T06:00:00Z',
    ],
  );
});

test('a waybill that is heard again after a crash is told once (I7)', async () => {
  const { hear, pass, restart, told, lines } = rig();
  const lost = waybill(0, { expired: 10 });
  hear(lost, lost);
  restart();
  hear(lost);
  await pass(5);
  hear(lost);
  await pass(200);
  assert.equal(told.length, 1);
  assert.equal(lines()[0]?.['lines'], 10);
});

test('a repeat has the same name and bytes, also after a restart; what was lost meanwhile has a marker of its own (I7)', async () => {
  const { hear, pass, answer, restart, told, lines } = rig();
  answer('rejects');
  hear(waybill(0, { expired: 10 }));
  await pass(3);
  hear(waybill(10, { expired: 10 }));
  restart();
  answer('told');
  await pass(30);
  const [first, again, other] = told;
  assert.equal(told.length, 3);
  assert.deepEqual(again, first);
  assert.notEqual(other?.name, first?.name);
  assert.deepEqual(lines()[2]?.['offsets'], [{ from: 10, to: 20 }]);
});

test('a destination that is down is asked ever less often, and has its marker once it is back', async () => {
  const { hear, pass, answer, told } = rig();
  answer('later');
  hear(waybill(0, { expired: 10 }));
  await pass(3_600);
  assert.ok(told.length > 5 && told.length < 20, `${told.length} attempts in an hour`);
  answer('told');
  await pass(600);
  const attempts = told.length;
  await pass(3_600);
  assert.equal(told.length, attempts);
});

test('a job that loses lines all the time gets a marker a minute', async () => {
  const { hear, pass, lines } = rig();
  for (let from = 0; from < 300; from += 1) {
    hear(waybill(from * 10, { malformed: 1 }));
    await pass(1);
  }
  await pass(120);
  assert.ok(lines().length <= 7, `${lines().length} markers`);
  assert.equal(
    lines().reduce((sum, { lines: lost }) => sum + Number(lost), 0),
    300,
  );
});

test('a marker that the receiver calls bad is not sent again, and the next one is', async () => {
  const { hear, pass, answer, told } = rig();
  answer('refused');
  hear(waybill(0, { malformed: 1 }));
  await pass(600);
  assert.equal(told.length, 1);
  answer('told');
  hear(waybill(10, { malformed: 1 }));
  await pass(10);
  assert.equal(told.length, 2);
});

test('what is owed is bounded: beyond it hours are told together, and no line is left out', async () => {
  const { hear, pass, lines } = rig({ owedPerJob: 2, ranges: 3 });
  for (let hours = 0; hours < 10; hours += 1) {
    hear(waybill(hours * 100, { expired: 10 }, { hour: HOUR - 9 + hours }));
  }
  await pass(60);
  assert.equal(lines().length, 2);
  assert.equal(
    lines().reduce((sum, { lines: lost }) => sum + Number(lost), 0),
    100,
  );
  for (const { offsets } of lines()) assert.ok((offsets as unknown[]).length <= 3);
});

test('a job that is gone is waited for, and not for ever', async () => {
  const { hear, pass, answer, told } = rig({ keepMs: 3_600_000 });
  answer('no job');
  hear(waybill(0, { unclaimed: 10 }));
  await pass(3 * 3_600);
  const attempts = told.length;
  assert.ok(attempts > 5);
  await pass(3_600);
  assert.equal(told.length, attempts);
});

test('memory of what was told is bounded; what lies before it is not told again', async () => {
  const { hear, pass, told } = rig({ heard: 2, spacingMs: 1_000 });
  const all = [0, 1, 2, 3].map((n) => waybill(n * 10, { malformed: 1 }, { atMs: NOW_MS + n }));
  hear(...all);
  await pass(20);
  assert.equal(told.length, 1);
  hear(...all, waybill(90, { malformed: 1 }, { atMs: NOW_MS - 2 * 86_400_000 }));
  await pass(20);
  assert.equal(told.length, 1);
});
