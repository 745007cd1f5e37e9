import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manualClock } from './clock-manual.ts';
import { ShortTurns } from './short-turns.ts';

/** A clock that pieces of work move on, and turns of the event loop that are counted. */
function world() {
  const clock = manualClock();
  let turn = 0;
  const turns = new ShortTurns(clock, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    turn += 1;
  });
  /** Milliseconds worked in each turn. */
  const worked: number[] = [];
  const piece = (ms: number): void => {
    clock.advance(ms);
    worked[turn] = (worked[turn] ?? 0) + ms;
  };
  return { turns, piece, worked };
}

test('many takers together get no more of a turn than one of them', async () => {
  const { turns, piece, worked } = world();
  const taker = async (): Promise<void> => {
    for (let n = 0; n < 10; n += 1) await turns.run(() => piece(1));
  };
  await Promise.all(Array.from({ length: 6 }, taker));
  const total = worked.reduce((sum, ms) => sum + ms, 0);
  assert.equal(total, 60);
  assert.ok(Math.max(...worked) <= 3, `worked so many milliseconds a turn: ${worked.join(', ')}`);
});

test('takers take turns: none waits for all of another', async () => {
  const { turns, piece } = world();
  const order: string[] = [];
  const taker = async (name: string): Promise<void> => {
    for (let n = 0; n < 4; n += 1) {
      await turns.run(() => {
        order.push(name);
        piece(2);
      });
    }
  };
  await Promise.all([taker('a'), taker('b')]);
  assert.equal(order.join(''), 'abababab');
});

test('short pieces share a turn, and cost no wait while there is time', async () => {
  const { turns, piece, worked } = world();
  for (let n = 0; n < 3; n += 1) await turns.run(() => piece(0.5));
  assert.deepEqual(worked, [1.5]);
});

test('what a piece throws reaches its taker alone', async () => {
  const { turns, piece } = world();
  const failed = turns.run(() => {
    piece(5);
    throw new Error('broken');
  });
  const next = turns.run(() => 'done');
  await assert.rejects(failed, /broken/);
  assert.equal(await next, 'done');
});
