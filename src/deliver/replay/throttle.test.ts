import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { JobConfig } from '../../model/snapshot.ts';
import { ReplayThrottle } from './throttle.ts';
import type { LiveJob } from './throttle.ts';

const NOW = 1_000_000;
const LIMITS = { replays: 2, replayLagMs: 30_000 };

function replay(id: number, account = 'a1', conf = 'elsewhere'): JobConfig {
  const range = { of: 1, epoch: 'e', from: 0, to: 10 };
  return { id, account, destinationConf: conf, replay: range } as unknown as JobConfig;
}

function live(more: Partial<LiveJob> = {}): LiveJob {
  return {
    account: 'a1',
    state: 'waiting',
    destinationConf: 'home',
    oldestWaitingMs: null,
    intervalMs: 5_000,
    ...more,
  };
}

function throttle(jobs: readonly LiveJob[], queued = 0): ReplayThrottle {
  return new ReplayThrottle({
    liveOf: (account) => jobs.filter((job) => job.account === account),
    live: () => jobs[0],
    queued: () => queued,
    wallMs: () => NOW,
    limits: LIMITS,
  });
}

function allowed(jobs: readonly LiveJob[], replays: readonly JobConfig[], queued = 0): number[] {
  const looked = throttle(jobs, queued);
  looked.look(replays);
  return replays.map(({ id }) => id).filter((id) => looked.may(id));
}

test('a replay goes on while live delivery keeps up, and waits while a batch of anybody waits', () => {
  assert.deepEqual(allowed([live({ oldestWaitingMs: NOW - 35_000 })], [replay(9)]), [9]);
  assert.deepEqual(allowed([live()], [replay(9)], 1), []);
});

test('a live job that is behind keeps the replays of its account waiting, and of no other (I6)', () => {
  const behind = live({ oldestWaitingMs: NOW - 35_001 });
  assert.deepEqual(allowed([behind], [replay(8), replay(9, 'a2')]), [9]);
  for (const state of ['sending', 'idle'] as const)
    assert.deepEqual(allowed([{ ...behind, state }], [replay(9)]), [], state);
});

test('a job whose destination is down is not behind; a replay to the same place waits for it', () => {
  for (const state of ['backing_off', 'blocked', 'paused', 'closed'] as const) {
    const down = live({ oldestWaitingMs: 0, state });
    assert.deepEqual(allowed([down], [replay(9)]), [9], state);
  }
  const down = live({ oldestWaitingMs: 0, state: 'backing_off' });
  assert.deepEqual(allowed([down], [replay(9, 'a1', 'home')]), []);
});

test('only a few are at work at once, and they take turns', () => {
  const looked = throttle([]);
  const all = [5, 6, 7, 8, 9].map((id) => replay(id));
  const turns: number[][] = [];
  for (let look = 0; look < 5; look += 1) {
    looked.look(all);
    turns.push(all.map(({ id }) => id).filter((id) => looked.may(id)));
  }
  assert.ok(turns.every((turn) => turn.length === LIMITS.replays));
  assert.deepEqual(new Set(turns.flat()), new Set([5, 6, 7, 8, 9]));
});
