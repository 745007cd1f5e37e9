import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manualClock } from './clock-manual.ts';

describe('manualClock', () => {
  it('fires timers in the order of their times, and those that they set', () => {
    const clock = manualClock(0);
    const fired: string[] = [];
    clock.after(20, () => fired.push(`b at ${clock.monotonicMs()}`));
    clock.after(10, () => {
      fired.push(`a at ${clock.monotonicMs()}`);
      clock.after(5, () => fired.push(`c at ${clock.monotonicMs()}`));
    });
    clock.after(40, () => fired.push('too late'));
    clock.advance(30);
    assert.deepEqual(fired, ['a at 10', 'c at 15', 'b at 20']);
    assert.equal(clock.wallMs(), 30);
    assert.equal(clock.timers(), 1);
  });

  it('repeats and cancels', () => {
    const clock = manualClock(0);
    let count = 0;
    const cancel = clock.every(10, () => (count += 1));
    clock.advance(35);
    assert.equal(count, 3);
    cancel();
    clock.advance(100);
    assert.equal(count, 3);
  });

  it('sleeps until the time, or until aborted', async () => {
    const clock = manualClock(0);
    const stop = new AbortController();
    const sleeping = clock.sleep(1_000, stop.signal);
    stop.abort();
    await sleeping;
    assert.equal(clock.timers(), 0);
    const slept = clock.sleep(1_000);
    clock.advance(1_000);
    await slept;
  });

  it('lets the wall clock jump without moving timers', () => {
    const clock = manualClock(1_000);
    let fired = false;
    clock.after(10, () => (fired = true));
    clock.setWall(5);
    assert.equal(clock.wallMs(), 5);
    clock.advance(9);
    assert.equal(fired, false);
    clock.advance(1);
    assert.equal(fired, true);
  });
});
