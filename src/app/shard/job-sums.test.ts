import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobState } from '../../buffer/index.ts';
import { manualClock } from '../../lib/clock-manual.ts';
import { jobSums } from './job-sums.ts';

const JOBS = 100_000;

function* jobs(work: () => void): Generator<JobState> {
  for (let job = 1; job <= JOBS; job += 1) {
    work();
    yield {
      job,
      stream: `zones/z${job}/http_requests`,
      epoch: '0'.repeat(16),
      start: 0,
      cursor: 10,
      settled: [{ from: 12, to: 13 }],
      open: [],
      totals: { delivered: 9, excluded: {}, dropped: { expired: 1 } },
      deliveredBytes: 0,
      sequence: 1,
      chain: null,
      lastCompleteMs: null,
      closedMs: null,
      end: job === JOBS ? 20 : null,
    };
  }
}

test('I9: the metrics of a hundred thousand jobs are summed in turns of milliseconds, and name the largest lags', async () => {
  const clock = manualClock();
  let turns = 0;
  let turnFromMs = 0;
  let longestMs = 0;
  const sums = await jobSums({
    buffer: {
      // Each job costs a hundredth of a millisecond.
      jobs: () => jobs(() => clock.advance(0.01)),
      stream: (key) => ({
        stream: key,
        epoch: '0'.repeat(16),
        head: key === 'zones/z77/http_requests' ? 500 : 20,
        oldest: 0,
        account: 'a',
        erasedTo: 0,
        acceptedLines: 20,
        acceptedBytes: 0,
        lastReceivedMs: 0,
      }),
      waiting: (job) => ({ job, lines: 0, bytes: 0, oldestReceivedMs: 7, byHour: new Map() }),
    },
    clock,
    most: 3,
    nextTurn: async () => {
      turns += 1;
      longestMs = Math.max(longestMs, clock.monotonicMs() - turnFromMs);
      turnFromMs = clock.monotonicMs();
    },
  });
  assert.equal(sums.jobs, JOBS - 1, 'a replay is no job');
  assert.equal(sums.waiting, (JOBS - 1) * 9 + 480);
  assert.deepEqual(sums.totals, {
    delivered: (JOBS - 1) * 9,
    excluded: {},
    dropped: { expired: JOBS - 1 },
  });
  assert.deepEqual(sums.lags[0], {
    job: 77,
    stream: 'zones/z77/http_requests',
    waiting: 489,
    delivered: 9,
    oldestWaitingMs: 7,
  });
  assert.equal(sums.lags.length, 3);
  assert.ok(turns > 100);
  assert.ok(longestMs < 10, `${longestMs}`);
});
