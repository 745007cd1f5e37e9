import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pace } from './pace.ts';

const limits = { intervalMs: 5_000, intervalMsMost: 30_000, batchesPerSecond: 100 };

function paceOf(jobs: Readonly<Record<string, number>>): Pace {
  const pace = new Pace(limits);
  for (const [account, count] of Object.entries(jobs))
    for (let n = 0; n < count; n++) pace.begin(account);
  return pace;
}

test('few jobs wait the usual interval', () => {
  const pace = paceOf({ a: 499, b: 1 });
  assert.equal(pace.intervalMs('a'), 5_000);
  assert.equal(pace.intervalMs('new'), 5_000);
});

test('more jobs than batches may be made in an interval wait longer, up to a bound', () => {
  assert.equal(paceOf({ a: 1_000 }).intervalMs('a'), 10_000);
  assert.equal(paceOf({ a: 100_000 }).intervalMs('a'), 30_000);
});

test('many accounts with a job each share the number', () => {
  const each = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`a${n}`, 1]));
  assert.equal(paceOf(each).intervalMs('a7'), 10_000);
});

test('of what it waits longer a first batch waits any share, and never less than usual', () => {
  const pace = paceOf({ a: 100_000, b: 1 });
  assert.equal(pace.intervalMs('a', 0), 5_000);
  assert.equal(pace.intervalMs('a', 0.5), 17_500);
  assert.equal(pace.intervalMs('b', 0.3), 5_000);
});

test('one account with very many jobs makes nobody else wait (I6)', () => {
  const pace = paceOf({ flood: 50_000, b: 1, c: 20 });
  assert.equal(pace.intervalMs('flood'), 30_000);
  assert.equal(pace.intervalMs('b'), 5_000);
  assert.equal(pace.intervalMs('c'), 5_000);
});

test('when the flood is over the interval is as before', () => {
  const pace = paceOf({ flood: 1_000 });
  for (let n = 0; n < 600; n++) pace.end('flood');
  assert.equal(pace.intervalMs('flood'), 5_000);
});

test('who waits longer is told so, and nobody else', () => {
  const pace = paceOf({ flood: 50_000, b: 1 });
  assert.equal(pace.isStretched('flood'), true);
  assert.equal(pace.isStretched('b'), false);
  assert.equal(paceOf({ a: 499 }).isStretched('a'), false);
});
