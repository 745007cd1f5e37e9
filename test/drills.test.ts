// The day that Waybill exists for, in its short form, as a user runs it. No time is judged here: only loss and refusals.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Counter } from '../drills/kit/counter.ts';
import { Histogram } from '../drills/kit/histogram.ts';
import { identify, lineOf } from '../drills/kit/lines.ts';
import { judge, totals } from '../drills/kit/verdict.ts';
import { listDrills, runDrill } from './support/drills.ts';

suite('drills', { concurrency: true }, () => {
  test('14 November: a blank configuration takes effect nowhere, a flood costs configured customers nothing (I3, I4, I5, I6, I9)', async () => {
    const { code, report, said } = await runDrill('november-14');
    // 5: a part could not be run. What was run must have held all the same.
    assert.ok(code === 0 || code === 5, said);
    assert.ok(report);
    assert.ok(report.verdict.lines.acked > 1_000, said);
    assert.equal(report.verdict.lines.lostSilently, 0);
    const held = report.verdict.expectations.filter(({ good }) => good).map(({ what }) => what);
    for (const what of [
      'a blank configuration by API is refused by the guard',
      'the store is rebuilt from what is in force',
      'a forwarder that never had a set sends neither all nor nothing: it spools',
      'the flood was wanted by nobody and made no stream',
      'no restart was needed',
    ]) {
      assert.ok(held.includes(what), what);
    }
  });

  test('the list names every drill with what must hold', async () => {
    const drills = await listDrills();
    assert.equal(new Set(drills.map(({ name }) => name)).size, 11);
    for (const { name, claim } of drills) assert.ok(claim.length > 40, name);
  });

  test('a drill that there is not is misuse', async () => {
    const { code, said } = await runDrill('november-15');
    assert.equal(code, 2);
    assert.match(said, /there is no drill november-15; there are november-14, /);
  });
});

test('the counter tells missing, spurious, damaged and repeated lines apart, and a line that is taken away is missed', () => {
  const counter = new Counter();
  counter.acked('a', counter.next('a', 4), 4);
  counter.next('a', 1);
  const line = (n: number, zone = 'a') => lineOf(zone, n, 1_000);
  for (const n of [0, 1, 2]) assert.equal(counter.arrived('a', line(n)), 1_000);
  counter.arrived('a', line(1));
  counter.arrived('a', line(99));
  counter.arrived('a', line(3, 'b'));
  counter.arrived('a', line(3).replace('GET', 'PUT'));
  const { missing, delivered, repeated, spurious, damaged } = counter.tally('a');
  assert.deepEqual(
    { missing, delivered, repeated, spurious, damaged },
    { missing: 1, delivered: 3, repeated: 1, spurious: 2, damaged: 1 },
  );
  const putBack = counter.takeAway();
  assert.equal(counter.missing(), 2);
  putBack?.();
  assert.equal(counter.missing(), 1);
});

test('one line lost silently, or one part that was not run, is no verdict of "held"', () => {
  const counter = new Counter();
  counter.acked('a', counter.next('a', 2), 2);
  counter.arrived('a', lineOf('a', 0, 1_000));
  const verdict = (told: number, notRun: { what: string; why: string }[] = []) =>
    judge(totals(counter.tallies(), told), [], notRun, []).kind;
  assert.equal(verdict(0), 'broken');
  assert.equal(verdict(1), 'held');
  assert.equal(verdict(1, [{ what: 'act two', why: 'not built' }]), 'incomplete');
});

test('a line knows whether a byte of it has changed', () => {
  const line = lineOf('a', 7, 1_000);
  assert.deepEqual(identify(line), { zone: 'a', number: 7, madeMs: 1_000 });
  for (let at = 0; at < line.length; at += 1) {
    const changed = line.slice(0, at) + (line[at] === '1' ? '2' : '1') + line.slice(at + 1);
    assert.equal(identify(changed), undefined, `byte ${at}`);
  }
});

test('quantiles of a histogram are right within its steps', () => {
  const histogram = new Histogram();
  for (let ms = 1; ms <= 1_000; ms += 1) histogram.add(ms);
  assert.ok(Math.abs(histogram.quantileMs(0.5) - 500) < 15);
  assert.ok(Math.abs(histogram.quantileMs(0.99) - 990) < 30);
  assert.equal(histogram.quantileMs(1), 1_000);
});
