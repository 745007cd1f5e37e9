import { assert } from './assert.ts';
import type { Cancel, Clock } from './clock.ts';

/** A clock that stands still until it is told to go on. For tests and simulations. */
export interface ManualClock extends Clock {
  /** Lets time pass, firing timers in their order. What they start asynchronously runs after this returns. */
  advance(byMs: number): void;
  /** Sets the wall clock as an operator or a time server would; timers do not care. */
  setWall(wallMs: number): void;
  /** Timers that are set. */
  timers(): number;
  /** Monotonic time of the next timer, or undefined when none is set. */
  nextAtMs(): number | undefined;
}

interface Timer {
  atMs: number;
  readonly everyMs: number | undefined;
  readonly fire: () => void;
}

/** @param wallMs where the wall clock begins */
export function manualClock(wallMs = Date.UTC(2026, 10, 23, 6, 30)): ManualClock {
  let monotonicMs = 0;
  let wallOffsetMs = wallMs;
  // In the order of setting: equal times fire first come, first served.
  const timers = new Set<Timer>();

  const set = (delayMs: number, everyMs: number | undefined, fire: () => void): Cancel => {
    const timer = { atMs: monotonicMs + Math.max(0, delayMs), everyMs, fire };
    timers.add(timer);
    return () => timers.delete(timer);
  };
  const next = (): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) if (!first || timer.atMs < first.atMs) first = timer;
    return first;
  };

  return {
    wallMs: () => wallOffsetMs + monotonicMs,
    monotonicMs: () => monotonicMs,
    after: (delayMs, fire) => set(delayMs, undefined, fire),
    every(intervalMs, fire) {
      assert(intervalMs > 0, 'an interval is longer than nothing');
      return set(intervalMs, intervalMs, fire);
    },
    sleep(delayMs, signal) {
      return new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const cancel = set(delayMs, undefined, resolve);
        signal?.addEventListener(
          'abort',
          () => {
            cancel();
            resolve();
          },
          { once: true },
        );
      });
    },
    advance(byMs) {
      const until = monotonicMs + byMs;
      for (let timer = next(); timer && timer.atMs <= until; timer = next()) {
        monotonicMs = Math.max(monotonicMs, timer.atMs);
        if (timer.everyMs === undefined) timers.delete(timer);
        else timer.atMs += timer.everyMs;
        timer.fire();
      }
      monotonicMs = until;
    },
    setWall(to) {
      wallOffsetMs = to - monotonicMs;
    },
    timers: () => timers.size,
    nextAtMs: () => next()?.atMs,
  };
}
