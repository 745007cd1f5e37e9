import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from './clock-manual.ts';
import { PassedThrough, readVia } from './via.ts';

const S = 'zones/z1/http_requests';
const DAY = 86_400_000;

function passed(bounds: { namesPerStream?: number; names?: number } = {}) {
  const clock = manualClock(0);
  const via = new PassedThrough(clock, { namesPerStream: 3, names: 5, keepMs: DAY, ...bounds });
  return { clock, via };
}

test('names are read from a header whatever else stands in it, and only so many', () => {
  assert.deepEqual(readVia(undefined, 3), []);
  assert.deepEqual(readVia('a1', 3), ['a1']);
  assert.deepEqual(readVia(' a1 ,b-2,c_3,d', 3), ['a1', 'b-2', 'c_3']);
  assert.deepEqual(readVia(`a b,${'x'.repeat(33)},,\u00e9,ok`, 9), ['ok']);
});

test('a batch is told to have come through a server exactly when some of its lines may have', () => {
  const { via } = passed();
  via.note(S, { from: 10, to: 20 }, ['a']);
  via.note(S, { from: 40, to: 50 }, ['a', 'b']);
  const names = (from: number, to: number) => via.names(S, { from, to });
  assert.deepEqual(names(0, 10), []);
  assert.deepEqual(names(0, 11), ['a']);
  assert.deepEqual(names(25, 30), ['a'], 'between two that came so, too');
  assert.deepEqual(names(49, 99), ['a', 'b']);
  assert.deepEqual(names(50, 99), [], 'lines that came by themselves go on');
  assert.deepEqual(via.names('zones/z2/http_requests', { from: 0, to: 99 }), []);
});

test('I5: a stream keeps the names seen last, all streams together a bounded number, and none for ever', () => {
  const { via, clock } = passed();
  const all = { from: 0, to: 1 };
  for (const name of ['a', 'b', 'c', 'a', 'd']) via.note(S, all, [name]);
  assert.deepEqual(via.names(S, all), ['c', 'a', 'd']);
  via.note('other', all, ['x', 'y']);
  assert.equal(via.names(S, all).length, 3);
  via.note('third', all, ['z']);
  assert.deepEqual(via.names(S, all), [], 'the stream that was fed longest ago made room');
  assert.deepEqual(via.names('other', all), ['x', 'y']);
  clock.advance(DAY);
  assert.deepEqual(via.names('third', all), ['z']);
  clock.advance(1);
  assert.deepEqual(via.names('third', all), []);
});
