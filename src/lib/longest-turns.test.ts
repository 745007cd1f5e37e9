import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LongestTurns, TURN_CLASSES_MS } from './longest-turns.ts';

/** A histogram that shows what it is told. */
function scripted() {
  const looks = {
    max: 0,
    isOn: false,
    enable: () => (looks.isOn = true),
    disable: () => {
      looks.isOn = false;
      return true;
    },
    reset: () => (looks.max = 0),
  };
  return looks;
}

test('each busy second counts once, by its longest turn', () => {
  const looks = scripted();
  const turns = new LongestTurns(() => 0.5, looks);
  turns.second();
  for (const ms of [1, 12, 4_000]) {
    looks.max = (ms + 5) * 1e6;
    turns.second();
  }
  const { seconds, sumMs } = turns.times();
  const expected = TURN_CLASSES_MS.map((bound) => Number(bound === 2 || bound === 20));
  assert.deepEqual(seconds, [...expected, 1]);
  assert.equal(sumMs, 4_013);
});

test('an idle thread is not looked at', () => {
  const looks = scripted();
  let busy = 0.5;
  const turns = new LongestTurns(() => busy, looks);
  turns.second();
  assert.ok(looks.isOn);
  busy = 0.001;
  turns.second();
  assert.ok(!looks.isOn);
  looks.max = 50e6;
  turns.second();
  assert.equal(
    turns.times().seconds.reduce((sum, count) => sum + count, 0),
    1,
  );
});
