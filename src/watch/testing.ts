/** A watcher under a clock that stands still until it is told to go on, for tests of rules. */
import { manualClock } from '../lib/clock-manual.ts';
import type { ManualClock } from '../lib/clock-manual.ts';
import { silent } from '../lib/diagnostics.ts';
import { limits } from '../model/limits.ts';
import { openAlertStore } from './alert-store.ts';
import type { AlertStore } from './alert-store.ts';
import type { Beat, JobLook, JobStanding, Notice, StreamLook, WatchLimits } from './contract.ts';
import { Watcher } from './watcher.ts';

export interface TestWatch {
  readonly clock: ManualClock;
  readonly store: AlertStore;
  readonly told: Notice[];
  /** Jobs of the configuration that are not `on`. */
  readonly standings: Map<number, JobStanding>;
  readonly unwanted: Set<string>;
  watcher: Watcher;
  /** Ends the watcher and starts another on what the first left behind. */
  restart(): void;
  /** A second passes, with a sign of life that shows these streams. */
  second(streams?: readonly StreamLook[], more?: Partial<Beat>): void;
  /** Seconds pass, each with a sign of life. */
  pass(seconds: number, streams?: (second: number) => readonly StreamLook[]): void;
  /** Kinds and subjects of what fires. */
  firing(): readonly string[];
}

export function testWatch(
  change: Partial<WatchLimits> = {},
  retentionMs = 7 * 86_400_000,
): TestWatch {
  const clock = manualClock();
  const store = openAlertStore(':memory:');
  const told: Notice[] = [];
  const standings = new Map<number, JobStanding>();
  const unwanted = new Set<string>();
  const made = (): Watcher =>
    new Watcher({
      store,
      clock,
      diagnostics: silent,
      limits: { ...limits.watch, ...change },
      retentionMs,
      diskMarks: { low: 0.8, high: 0.92 },
      jobStanding: (job) => standings.get(job) ?? 'on',
      streamWanted: (stream) => !unwanted.has(stream),
      tell: (notice) => told.push(notice),
    });
  const test: TestWatch = {
    clock,
    store,
    told,
    standings,
    unwanted,
    watcher: made(),
    restart() {
      test.watcher.close();
      test.watcher = made();
    },
    second(streams = [], more = {}) {
      clock.advance(1_000);
      test.watcher.beat({
        shard: 0,
        pass: 1,
        version: 1,
        corruptLines: 0,
        diskUsedShare: 0.1,
        streams,
        ...more,
      });
      test.watcher.tick();
    },
    pass(seconds, streams = () => []) {
      for (let second = 0; second < seconds; second += 1) test.second(streams(second));
    },
    firing: () => test.watcher.alerts.firing().map(({ kind, subject }) => `${kind} ${subject}`),
  };
  return test;
}

export const STREAM = 'zones/shop/http_requests';

export function jobLook(change: Partial<JobLook> = {}): JobLook {
  return {
    job: 1,
    state: 'sending',
    settled: 0,
    waiting: 0,
    oldestWaitingMs: null,
    failures: 0,
    error: null,
    ...change,
  };
}

export function streamLook(head: number, ...jobs: readonly JobLook[]): StreamLook {
  return { stream: STREAM, head, jobs };
}
