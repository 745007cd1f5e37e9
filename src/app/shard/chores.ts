/** What a shard's thread does by the clock, besides its work: signs of life, chores, and handing over what happened. */
import type { ShardBuffer } from '../../buffer/index.ts';
import type { Delivery } from '../../deliver/index.ts';
import type { OpenArchiveWriter } from '../../ledger/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { LongestTurns } from '../../lib/longest-turns.ts';
import type { Attempt } from '../../model/delivery.ts';
import { limits } from '../../model/limits.ts';
import { Observer } from '../../watch/index.ts';
import type { Beat } from '../../watch/index.ts';
import { mindLargeHeap } from './large-heap.ts';

/** How often the buffer's chores are looked at, attempts are handed over, and the archive's memory is emptied. */
const TEND_MS = 1_000;
const ATTEMPTS_MS = 250;

/** What the watchdogs look at; that it comes at all is the thread's sign of life. */
export function showSignsOfLife(deps: {
  readonly shard: number;
  readonly buffer: ShardBuffer;
  readonly delivery: Delivery;
  readonly version: () => number;
  readonly turns: LongestTurns;
  readonly clock: Clock;
  readonly tell: (beat: Beat) => void;
}): void {
  const { shard, buffer, delivery, version, clock, turns, tell } = deps;
  const observer = new Observer({
    shard,
    buffer,
    jobsOf: (stream) => delivery.statusesOf(stream),
    version,
    clock,
    limits: limits.watch,
  });
  clock.every(limits.watch.beatMs, () => {
    turns.second();
    tell(observer.beat());
  });
}

/** Attempts go to the control thread in bunches: it only lists them. */
export function handOverAttempts(
  clock: Clock,
  tell: (attempts: Attempt[]) => void,
): (attempt: Attempt) => void {
  let waiting: Attempt[] = [];
  const send = () => {
    if (waiting.length > 0) tell(waiting);
    waiting = [];
  };
  clock.every(ATTEMPTS_MS, send);
  return (attempt) => {
    waiting.push(attempt);
    if (waiting.length >= limits.deliver.attemptsListed) send();
  };
}

export function tendEvery(deps: {
  readonly buffer: ShardBuffer;
  readonly delivery: Delivery;
  readonly archive: OpenArchiveWriter;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
}): void {
  const { buffer, delivery, archive, clock, diagnostics } = deps;
  let under = false;
  clock.every(TEND_MS, () => {
    if (under) return;
    under = true;
    delivery.tend();
    mindLargeHeap();
    void (async () => {
      try {
        await buffer.tend();
        await archive.flush();
      } catch (error) {
        diagnostics.error('chores failed; they are tried again', { error: String(error) });
      } finally {
        under = false;
      }
    })();
  });
}
