/** What each rule sees, and what it keeps quiet about. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobLook, StreamLook } from './contract.ts';
import { jobLook, STREAM, streamLook, testWatch } from './testing.ts';

const MINUTE_S = 60;
const HOUR_MS = 3_600_000;

/** A stream that grows each second and whose job settles nothing. */
const stuck =
  (job: Partial<JobLook> = {}, from = 1_000) =>
  (second: number): readonly StreamLook[] => [
    streamLook(from + second, jobLook({ waiting: from + second, ...job })),
  ];

test('lines that come in while no job of their stream settles any are seen after minutes, also when nobody reports an error', () => {
  const watch = testWatch();
  watch.pass(2 * MINUTE_S, stuck());
  assert.deepEqual(watch.firing(), []);
  watch.pass(2 * MINUTE_S, stuck({}, 2_000));
  assert.deepEqual(watch.firing(), [`nothing_settles stream ${STREAM}`]);
  assert.match(
    watch.told[0]!.alert.text,
    /none of the stream's one job settled any.*No job reports/,
  );
  // It ends with the first line that is settled.
  watch.second([streamLook(3_000, jobLook({ waiting: 2_999, settled: 1 }))]);
  assert.deepEqual(watch.firing(), []);
  assert.deepEqual(
    watch.told.map(({ reason }) => reason),
    ['firing', 'resolved'],
  );
});

test('one job that settles is enough, and a stream at rest with a backlog accepts nothing', () => {
  const watch = testWatch();
  watch.pass(10 * MINUTE_S, (second) => [
    streamLook(
      second,
      jobLook({ waiting: second + 1 }),
      jobLook({ job: 2, settled: second, waiting: 1 }),
    ),
    { stream: 'zones/quiet/http_requests', head: 7, jobs: [jobLook({ job: 3, waiting: 7 })] },
    {
      stream: 'zones/off/http_requests',
      head: second,
      jobs: [jobLook({ job: 4, waiting: 7, state: 'paused' })],
    },
  ]);
  assert.deepEqual(watch.firing(), []);
});

test('a job that has been failing for minutes is told with its error, and is over once it has been well for a while', () => {
  const watch = testWatch();
  const failing = {
    failures: 6,
    state: 'backing_off' as const,
    waiting: 5,
    error: 'The receiver answered 403.',
  };
  watch.pass(2 * MINUTE_S, () => [streamLook(5, jobLook(failing))]);
  assert.deepEqual(watch.firing(), []);
  watch.pass(2 * MINUTE_S, () => [streamLook(5, jobLook(failing))]);
  assert.deepEqual(watch.firing(), ['job_failing job 1']);
  assert.match(watch.told[0]!.alert.text, /6 attempts in a row.*5 lines wait.*answered 403/);
  watch.pass(30, (second) => [streamLook(5, jobLook({ settled: second, waiting: 5 }))]);
  assert.deepEqual(watch.firing(), ['job_failing job 1'], 'half a minute of health is not enough');
  watch.second([streamLook(5, jobLook(failing))]);
  watch.pass(50, (second) => [streamLook(5, jobLook({ settled: second, waiting: 5 }))]);
  assert.deepEqual(watch.firing(), ['job_failing job 1'], 'it counts anew after a failure');
  watch.pass(20, (second) => [streamLook(5, jobLook({ settled: 50 + second, waiting: 5 }))]);
  assert.deepEqual(watch.firing(), []);
  assert.equal(watch.told.length, 2);
});

test('a job that fails now and then is no alert', () => {
  const watch = testWatch();
  watch.pass(20 * MINUTE_S, (second) => [
    streamLook(
      second,
      jobLook({ settled: second, waiting: 1, failures: second % 50 === 0 ? 1 : 0 }),
    ),
  ]);
  assert.deepEqual(watch.firing(), []);
});

test('a restart keeps what fires, tells nothing twice, and does not take a start for health', () => {
  const watch = testWatch();
  const failing = { failures: 6, state: 'backing_off' as const, waiting: 5, error: 'no answer' };
  watch.pass(4 * MINUTE_S, () => [streamLook(5, jobLook(failing))]);
  watch.restart();
  assert.deepEqual(watch.firing(), ['job_failing job 1']);
  watch.pass(2 * MINUTE_S, () => [streamLook(5, jobLook({ waiting: 5 }))]);
  assert.deepEqual(watch.firing(), ['job_failing job 1'], 'it has settled nothing since');
  assert.equal(watch.told.length, 1);
  // Delivered while nobody looked: nothing waits any more.
  watch.pass(2 * MINUTE_S, () => [streamLook(5, jobLook({ state: 'idle' }))]);
  assert.deepEqual(watch.firing(), []);
});

test('a job that is switched off or deleted has no alert any more', () => {
  const watch = testWatch();
  const failing = { failures: 6, state: 'backing_off' as const, waiting: 5, error: 'no answer' };
  watch.pass(4 * MINUTE_S, () => [streamLook(5, jobLook(failing))]);
  watch.standings.set(1, 'gone');
  watch.pass(MINUTE_S);
  assert.deepEqual(watch.firing(), []);
});

test('a stream that had lines in every minute and has none now is told, by the configuration that is meant and not by what runs', () => {
  const watch = testWatch();
  watch.pass(20 * MINUTE_S, (second) => (second % 20 === 0 ? [streamLook(second + 1)] : []));
  watch.pass(2 * MINUTE_S);
  assert.deepEqual(watch.firing(), []);
  watch.pass(2 * MINUTE_S);
  assert.deepEqual(watch.firing(), [`stream_silent stream ${STREAM}`]);
  assert.match(watch.told[0]!.alert.text, /every minute for 19 minutes, and none for 3 minutes/);
  watch.second([streamLook(5_000)]);
  assert.deepEqual(watch.firing(), []);
});

test('streams that come and go, that nobody wants any more, or that nobody could see are not silent', () => {
  const watch = testWatch();
  // A batch job's lines every five minutes.
  watch.pass(40 * MINUTE_S, (second) => (second % 300 === 0 ? [streamLook(second + 1)] : []));
  watch.pass(10 * MINUTE_S);
  assert.deepEqual(watch.firing(), []);
  // Its owner deleted the job.
  watch.pass(20 * MINUTE_S, (second) => [streamLook(10_000 + second)]);
  watch.unwanted.add(STREAM);
  watch.pass(10 * MINUTE_S);
  assert.deepEqual(watch.firing(), []);
  watch.unwanted.clear();
  // The shard was down for five minutes: nobody saw lines, and producers need a while to come back.
  watch.pass(20 * MINUTE_S, (second) => [streamLook(20_000 + second)]);
  for (let second = 0; second < 5 * MINUTE_S; second += 1) {
    watch.clock.advance(1_000);
    watch.watcher.tick();
  }
  watch.pass(2 * MINUTE_S);
  assert.deepEqual(watch.firing(), []);
  watch.pass(5 * MINUTE_S);
  assert.deepEqual(watch.firing(), [`stream_silent stream ${STREAM}`]);
});

test('a stream that was steady before a restart and is silent after it is seen', () => {
  const watch = testWatch();
  watch.pass(20 * MINUTE_S, (second) => [streamLook(second + 1)]);
  watch.restart();
  watch.pass(2 * MINUTE_S);
  assert.deepEqual(watch.firing(), []);
  watch.pass(5 * MINUTE_S);
  assert.deepEqual(watch.firing(), [`stream_silent stream ${STREAM}`]);
  watch.restart();
  assert.deepEqual(watch.firing(), [`stream_silent stream ${STREAM}`]);
  watch.second([streamLook(1_200)]);
  watch.second([streamLook(1_201)]);
  assert.deepEqual(watch.firing(), []);
});

test('a backlog that will reach its end is told with the time of it, and is over well below the bound', () => {
  const watch = testWatch({}, 24 * HOUR_MS);
  const oldest = watch.clock.wallMs();
  const waiting = { waiting: 900, oldestWaitingMs: oldest, state: 'backing_off' as const };
  watch.clock.advance(12 * HOUR_MS);
  watch.second([streamLook(900, jobLook(waiting))]);
  assert.ok(
    !watch.firing().includes('backlog_ends job 1'),
    'hours of reception are known to the hour',
  );
  watch.clock.advance(HOUR_MS);
  watch.second([streamLook(900, jobLook(waiting))]);
  assert.ok(watch.firing().includes('backlog_ends job 1'));
  const notice = watch.told.find(({ alert }) => alert.kind === 'backlog_ends');
  const endsMs = Number(notice!.alert.facts['endsMs']);
  // The hour of the oldest line ends half an hour after it came.
  assert.ok(Math.abs(endsMs - (oldest + 24.5 * HOUR_MS)) < 5_000);
  assert.match(
    notice!.alert.text,
    /12 hours old.*kept for 24 hours.*first of 900 lines will be dropped at about 2026-11-24 07:00 UTC/,
  );
  watch.second([
    streamLook(
      900,
      jobLook({ ...waiting, oldestWaitingMs: watch.clock.wallMs() - 12.2 * HOUR_MS }),
    ),
  ]);
  assert.ok(watch.firing().includes('backlog_ends job 1'), 'it does not flap around the bound');
  watch.second([
    streamLook(900, jobLook({ ...waiting, oldestWaitingMs: watch.clock.wallMs() - 3 * HOUR_MS })),
  ]);
  assert.ok(!watch.firing().includes('backlog_ends job 1'));
});

test('a disk that fills is told with the time at which it will be full; short and full are alerts of their own', () => {
  const watch = testWatch();
  let share = 0.6;
  const grow = (seconds: number, perSecond: number) => {
    for (let second = 0; second < seconds; second += 1) {
      share += perSecond;
      watch.second([], { diskUsedShare: share });
    }
  };
  grow(9 * MINUTE_S, 0.0001);
  assert.deepEqual(watch.firing(), [], 'a few minutes are no trend');
  grow(2 * MINUTE_S, 0.0001);
  assert.deepEqual(watch.firing(), ['disk_filling server']);
  assert.match(watch.told[0]!.alert.text, /66 % of the disk is in use.*reaches 92 % in 43 minutes/);
  grow(25 * MINUTE_S, 0.0001);
  assert.deepEqual(watch.firing(), ['disk_filling server', 'disk_low server']);
  grow(20 * MINUTE_S, 0.0001);
  assert.deepEqual(watch.firing().toSorted(), ['disk_full server', 'disk_low server']);
  share = 0.91;
  grow(1, 0);
  assert.ok(watch.firing().includes('disk_full server'), 'it does not flap around the mark');
  share = 0.4;
  grow(1, 0);
  assert.ok(
    !watch.firing().includes('disk_full server') && !watch.firing().includes('disk_low server'),
  );
});

test('a disk that is full in a year is no alert', () => {
  const watch = testWatch();
  let share = 0.6;
  for (let second = 0; second < 30 * MINUTE_S; second += 1) {
    share += 0.000_000_01;
    watch.second([], { diskUsedShare: share });
  }
  assert.deepEqual(watch.firing(), []);
});

test('lost lines are told per job and reason, summed while they go on, also over a restart', () => {
  const watch = testWatch();
  const atMs = watch.clock.wallMs();
  const hour = Math.floor(atMs / HOUR_MS);
  const loss = { job: 1, stream: STREAM, reason: 'expired', lines: 200, hour, atMs };
  watch.watcher.lost(loss);
  watch.watcher.lost({ ...loss, lines: 1_004, hour: hour + 2 });
  watch.watcher.lost({ ...loss, job: 2, reason: 'malformed', lines: 1 });
  assert.deepEqual(watch.firing(), ['lines_lost job 1: expired', 'lines_lost job 2: malformed']);
  watch.restart();
  watch.watcher.lost({ ...loss, lines: 1 });
  assert.match(
    watch.watcher.alerts.current('lines_lost', 'job 1: expired')!.text,
    /^1,205 lines received from 2026-11-23 06:00 UTC to 2026-11-23 09:00 UTC were dropped as expired/,
  );
  assert.equal(watch.told.length, 2, 'once for each job and reason');
  watch.pass(61 * MINUTE_S);
  assert.deepEqual(watch.firing(), []);
});

test('books that are summed anew do not tell old losses once more', () => {
  const watch = testWatch();
  const atMs = watch.clock.wallMs() - 3 * 24 * HOUR_MS;
  watch.watcher.lost({ job: 1, stream: STREAM, reason: 'expired', lines: 1, hour: 1, atMs });
  assert.deepEqual(watch.firing(), []);
});

test('lines that cannot be read back are told once, also over a restart', () => {
  const watch = testWatch();
  watch.second([], { corruptLines: 0 });
  watch.second([], { corruptLines: 12 });
  assert.deepEqual(watch.firing(), ['corrupt_lines shard 0']);
  for (let minute = 0; minute < 61; minute += 1) {
    watch.clock.advance(60_000);
    watch.second([], { corruptLines: 12 });
  }
  assert.deepEqual(watch.firing(), []);
  watch.restart();
  watch.second([], { corruptLines: 12 });
  assert.deepEqual(watch.firing(), []);
  assert.equal(watch.told.filter(({ reason }) => reason === 'firing').length, 1);
});

test('books that do not balance twice in a row are told; what the books never had is no drift', () => {
  const watch = testWatch();
  const job = { job: 1, stream: STREAM, unbalanced: [], settledByShard: 500, settledByBooks: 100 };
  watch.watcher.audited(job);
  watch.watcher.audited({ ...job, settledByShard: 600, settledByBooks: 200 });
  assert.deepEqual(watch.firing(), []);
  watch.watcher.audited({ ...job, settledByShard: 700, settledByBooks: 299 });
  assert.deepEqual(watch.firing(), []);
  watch.watcher.audited({ ...job, settledByShard: 800, settledByBooks: 399 });
  assert.deepEqual(watch.firing(), ['books_drift job 1']);
  assert.match(watch.told[0]!.alert.text, /The shard counts 1 line more settled than the books/);
  watch.watcher.audited({ ...job, settledByShard: 800, settledByBooks: 400 });
  assert.deepEqual(watch.firing(), []);
  const odd = { ...job, job: 2, unbalanced: ['2026-11-23T06:00:00Z'] };
  watch.watcher.audited(odd);
  assert.deepEqual(watch.firing(), []);
  watch.watcher.audited(odd);
  assert.deepEqual(watch.firing(), ['books_drift job 2']);
});

test('a configuration that does not come into force is told, however often it is published', () => {
  const watch = testWatch();
  watch.second([], { version: 7 });
  for (let version = 8; version < 60; version += 1) {
    watch.watcher.published(version);
    watch.second([], { version: 7 });
  }
  assert.deepEqual(watch.firing(), ['configuration_behind server']);
  watch.second([], { version: 59 });
  assert.deepEqual(watch.firing(), []);
});

test('an alarm of the log is an alert until it has not come again for a while', () => {
  const watch = testWatch();
  watch.watcher.logged('archive is damaged', 'file 7');
  watch.watcher.logged('the control store does not take changes', 'disk I/O error');
  watch.watcher.logged('shard thread ended; starting it again', undefined);
  assert.deepEqual(watch.firing(), [
    'alarm_logged log: archive is damaged',
    'configuration_read_only log: the control store does not take changes',
  ]);
  watch.pass(30 * MINUTE_S);
  watch.restart();
  watch.watcher.logged('archive is damaged', 'file 7');
  assert.match(
    watch.watcher.alerts.current('alarm_logged', 'log: archive is damaged')!.text,
    /file 7 \(2 times\)/,
  );
  watch.pass(61 * MINUTE_S);
  assert.deepEqual(watch.firing(), []);
});
