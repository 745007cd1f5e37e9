import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../lib/clock-manual.ts';
import { FairRate } from './fair-rate.ts';

const KIB = 1024;
const BODY = 100 * KIB;

/** A thread that can take `capacity` bytes a second, and accounts that send in bodies of 100 KiB whatever they are answered. */
function simulate(
  wishes: Readonly<Record<string, number>>,
  capacity: number,
  seconds: number,
  weights: Readonly<Record<string, number>> = {},
) {
  const clock = manualClock();
  let worked = 0;
  const rate = new FairRate({
    clock,
    busyShare: () => {
      const busy = Math.min(1, worked / (capacity / 2));
      worked = 0;
      return busy;
    },
    weightOf: (account) => weights[account] ?? 1,
    limits: {
      fairFrom: 0.7,
      fairTickMs: 500,
      fairAccounts: 100,
      requestCostBytes: 0,
      fairBurstBytes: 0,
    },
  });
  const steps = 20;
  const due: Record<string, number> = {};
  const taken: Record<string, number> = {};
  const refused: Record<string, number> = {};
  for (let step = 0; step < seconds * steps; step += 1) {
    clock.advance(1_000 / steps);
    for (const [account, wish] of Object.entries(wishes))
      due[account] = (due[account] ?? 0) + wish / steps;
    // What the thread cannot take in this step waits at its senders; a refusal costs it next to nothing.
    let room = capacity / steps;
    for (let moved = true; moved && room > 0;) {
      moved = false;
      for (const account of Object.keys(wishes)) {
        if (due[account]! < BODY) continue;
        moved = true;
        due[account]! -= BODY;
        if (rate.waitMs(account, BODY) > 0) {
          refused[account] = (refused[account] ?? 0) + 1;
          continue;
        }
        rate.charge(account, BODY);
        worked += BODY;
        room -= BODY;
        taken[account] = (taken[account] ?? 0) + BODY;
      }
    }
    for (const account of Object.keys(wishes))
      due[account] = Math.min(due[account]!, wishes[account]!);
  }
  const perSecond = (account: string) => (taken[account] ?? 0) / seconds;
  return { rate, perSecond, refused };
}

const MIB = KIB * KIB;

test('while there is enough nobody is held to a share, however loud', () => {
  const { refused } = simulate({ loud: 60 * MIB, quiet: MIB }, 100 * MIB, 20);
  assert.deepEqual(refused, {});
});

test('I6: a quiet account is never refused because of a loud one, and the loud one is', () => {
  const { refused, perSecond, rate } = simulate(
    { loud: 150 * MIB, quiet: 4 * MIB, other: 9 * MIB },
    100 * MIB,
    30,
  );
  assert.deepEqual(Object.keys(refused), ['loud']);
  assert.ok(perSecond('quiet') > 3.9 * MIB);
  assert.ok(perSecond('other') > 8.9 * MIB);
  assert.ok(perSecond('loud') > 60 * MIB, `what the others leave is its own: ${perSecond('loud')}`);
  assert.equal(rate.limitedAccounts, 1);
});

test('accounts that all want too much share by weight', () => {
  const { perSecond } = simulate({ a: 200 * MIB, b: 200 * MIB, c: 200 * MIB }, 100 * MIB, 60, {
    c: 2,
  });
  assert.ok(Math.abs(perSecond('a') / perSecond('b') - 1) < 0.1);
  const ratio = perSecond('c') / perSecond('a');
  assert.ok(Math.abs(ratio - 2) < 0.4, `${ratio}`);
});

test('where all send as much, nobody is refused: they wait alike, and the thread is kept busy', () => {
  const wishes = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`a${n}`, 3 * MIB]));
  const { refused, perSecond } = simulate(wishes, 100 * MIB, 60);
  assert.deepEqual(refused, {});
  const taken = Object.keys(wishes).map(perSecond);
  assert.ok(
    taken.reduce((sum, one) => sum + one, 0) > 95 * MIB,
    'refusing would leave the thread idle',
  );
});

test('I6: beside many who send as much, the one who sends more is refused and nobody else, however busy the thread is', () => {
  const equal = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`a${n}`, 1.3 * MIB]));
  const { refused } = simulate({ loud: 90 * MIB, ...equal }, 100 * MIB, 60);
  assert.deepEqual(Object.keys(refused), ['loud']);
});

test('I6: a crowd that is as loud as each other does not pass for usual beside some who are not', () => {
  const quiet = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`quiet${n}`, MIB]));
  const loud = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`loud${n}`, 30 * MIB]));
  const { refused, perSecond } = simulate({ ...quiet, ...loud }, 100 * MIB, 60);
  for (const name of Object.keys(quiet)) {
    assert.equal(refused[name], undefined);
    assert.ok(perSecond(name) > 0.9 * MIB);
  }
  assert.ok(Object.keys(refused).length >= 18);
});

test('one account alone is not held back: that would help nobody', () => {
  const { refused } = simulate({ only: 300 * MIB }, 100 * MIB, 20);
  assert.deepEqual(refused, {});
});

test('accounts that have nothing to send are forgotten, and there are only so many', () => {
  const clock = manualClock();
  const limits = {
    fairFrom: 0.7,
    fairTickMs: 500,
    fairAccounts: 3,
    requestCostBytes: 0,
    fairBurstBytes: 0,
  };
  const rate = new FairRate({ clock, busyShare: () => 1, weightOf: () => 1, limits });
  for (let account = 0; account < 10; account += 1) rate.charge(`${account}`, MIB);
  clock.advance(500);
  assert.equal(rate.waitMs('9', 1), 0, 'one that is not remembered is not refused');
  for (let look = 0; look < 100; look += 1) {
    clock.advance(500);
    rate.waitMs('0', 0);
  }
  rate.charge('new', MIB);
  clock.advance(500);
  assert.equal(rate.waitMs('new', 0), 0);
});

test('I6: of thousands of accounts nobody is refused for a request now and then, however little its part is, and a loud one is', () => {
  const clock = manualClock();
  const accounts = 2_000;
  const request = 9 * KIB;
  const limits = {
    fairFrom: 0.7,
    fairTickMs: 500,
    fairAccounts: 5_000,
    requestCostBytes: 8 * KIB,
    fairBurstBytes: 64 * KIB,
  };
  const rate = new FairRate({ clock, busyShare: () => 0.84, weightOf: () => 1, limits });
  let seed = 1;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const refused = new Map<string, number>();
  const send = (account: string, bytes: number): void => {
    if (rate.waitMs(account, bytes) === 0) return rate.charge(account, bytes);
    refused.set(account, (refused.get(account) ?? 0) + 1);
  };
  // Each once in five seconds, drawn at random; one as much as all of them.
  for (let step = 0; step < 30 * 400; step += 1) {
    clock.advance(2.5);
    send(`quiet${Math.floor(random() * accounts)}`, request);
    send('loud', request);
  }
  assert.deepEqual([...refused.keys()], ['loud']);
  assert.ok(refused.get('loud')! > 500, `${refused.get('loud')}`);
});
