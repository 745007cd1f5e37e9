import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding } from './contract.ts';
import { Heartbeat } from './heartbeat.ts';
import { testWatch } from './testing.ts';

const finding = (subject: string): Finding => ({
  kind: 'alarm_logged',
  subject,
  stream: null,
  job: null,
  text: 'something',
  facts: {},
});
const MINUTE_S = 60;

test('an alert that goes on is told again after hours, not before', () => {
  const watch = testWatch();
  watch.watcher.report(finding('a'));
  for (let hour = 0; hour < 13; hour += 1) {
    watch.clock.advance(3_600_000);
    watch.watcher.report(finding('a'));
    watch.watcher.tick();
  }
  assert.deepEqual(
    watch.told.map(({ reason }) => reason),
    ['firing', 'reminder', 'reminder'],
  );
});

test('an alert that comes and goes is counted and not told each time; one that comes back and stays is', () => {
  const watch = testWatch();
  for (let times = 0; times < 5; times += 1) {
    watch.watcher.report(finding('a'));
    watch.pass(MINUTE_S);
    watch.watcher.over('alarm_logged', 'a');
    watch.pass(MINUTE_S);
  }
  assert.deepEqual(
    watch.told.map(({ reason }) => reason),
    ['firing', 'resolved'],
  );
  const [alert] = watch.watcher.alerts.list();
  assert.equal(alert?.state, 'resolved');
  assert.equal(alert?.times, 5);
  watch.watcher.report(finding('a'));
  watch.pass(20 * MINUTE_S);
  assert.equal(watch.told.length, 3);
  assert.equal(watch.told[2]?.reason, 'firing');
});

test('alerts and their history are bounded; that there are more is an alert itself', () => {
  const watch = testWatch({ alerts: 3, resolved: 2 });
  for (const subject of ['a', 'b', 'c', 'd', 'e']) watch.watcher.report(finding(subject));
  assert.deepEqual(watch.firing(), [
    'alarm_logged a',
    'alarm_logged b',
    'alarm_logged c',
    'too_many_alerts server',
  ]);
  for (const subject of ['a', 'b', 'c']) watch.watcher.over('alarm_logged', subject);
  assert.deepEqual(watch.firing(), []);
  assert.equal(watch.watcher.alerts.list().length, 2);
  watch.watcher.tick();
  assert.equal(watch.store.alerts().length, 2);
});

test('a disk that takes nothing costs no alert: it is written when it can be', () => {
  const watch = testWatch();
  const write = watch.store.write.bind(watch.store);
  let isFull = true;
  Object.assign(watch.store, {
    write: (...args: Parameters<typeof write>) => {
      if (isFull) throw new Error('database or disk is full');
      write(...args);
    },
  });
  watch.watcher.report(finding('a'));
  watch.watcher.tick();
  assert.deepEqual(watch.firing(), ['alarm_logged a']);
  assert.equal(watch.store.alerts().length, 0);
  isFull = false;
  watch.watcher.tick();
  assert.equal(watch.store.alerts().length, 1);
});

test('a shard that gives no sign of life hangs, and is to be started again once', () => {
  const heartbeat = new Heartbeat({ hungBeats: 3, restartBeats: 5 });
  const checks = (times: number) => Array.from({ length: times }, () => heartbeat.check());
  assert.deepEqual(
    checks(9),
    Array(9).fill('fine'),
    'of one that is known to be down nothing is expected',
  );
  heartbeat.expect(true);
  assert.deepEqual(checks(7), ['fine', 'fine', 'hung', 'hung', 'restart', 'hung', 'hung']);
  heartbeat.beat();
  assert.deepEqual(checks(2), ['fine', 'fine']);
});
