import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from '../lib/clock-manual.ts';
import { RecordWindow } from './record-window.ts';

const LIMITS = { recordsPerSecond: 10, recordsGatherMs: 50 };

test('few records pass at once', () => {
  const clock = manualClock();
  const window = new RecordWindow(clock, LIMITS);
  for (let n = 0; n < 100; n += 1) {
    assert.equal(window.pass(), undefined);
    clock.advance(100);
  }
});

test('of many in a second all that come within a window pass together, at its end', async () => {
  const clock = manualClock();
  const window = new RecordWindow(clock, LIMITS);
  for (let n = 0; n < LIMITS.recordsPerSecond; n += 1) assert.equal(window.pass(), undefined);
  let passed = 0;
  const waits = Array.from({ length: 5 }, () => window.pass()!.then(() => (passed += 1)));
  clock.advance(LIMITS.recordsGatherMs - 1);
  waits.push(window.pass()!.then(() => (passed += 1)));
  await Promise.resolve();
  assert.equal(passed, 0);
  clock.advance(1);
  await Promise.all(waits);
  assert.equal(passed, 6);
  assert.notEqual(window.pass(), undefined, 'the next ones have a window of their own');
});

test('once there are few again, each passes at once', () => {
  const clock = manualClock();
  const window = new RecordWindow(clock, LIMITS);
  for (let n = 0; n < 50; n += 1) void window.pass();
  clock.advance(1_000);
  assert.notEqual(window.pass(), undefined, 'the second before had many');
  clock.advance(1_000);
  assert.equal(window.pass(), undefined);
});
