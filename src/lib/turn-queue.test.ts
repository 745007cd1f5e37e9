import assert from 'node:assert/strict';
import { it } from 'node:test';
import { seededRandom } from './random.ts';
import { TurnQueue } from './turn-queue.ts';

/** A queue whose turns are ended by hand, and what was done in each. */
function world(most: number) {
  const turns: number[][] = [[]];
  let end: (() => void)[] = [];
  const queue = new TurnQueue(most, () => new Promise((resolve) => void end.push(resolve)));
  return {
    turns,
    add: (n: number) => queue.do(() => void turns.at(-1)!.push(n)),
    close: () => queue.close(),
    endTurn: async (): Promise<void> => {
      const ending = end;
      end = [];
      turns.push([]);
      for (const resolve of ending) resolve();
      await new Promise((resolve) => void setImmediate(resolve));
    },
  };
}

it('does no more in one turn than it may, all of it, in the order in which it came', async () => {
  const random = seededRandom(7);
  const below = (end: number) => Math.floor(random.fraction() * end);
  for (let round = 0; round < 50; round += 1) {
    const most = 1 + below(8);
    const { add, endTurn, turns } = world(most);
    let added = 0;
    for (let turn = 0; turn < 30; turn += 1) {
      for (let more = below(2 * most); more > 0; more -= 1) add(added++);
      await endTurn();
    }
    for (let turn = 0; turn < 60; turn += 1) await endTurn();
    assert.ok(turns.every((done) => done.length <= most));
    assert.deepEqual(
      turns.flat(),
      Array.from({ length: added }, (_, n) => n),
    );
  }
});

it('a piece is done at once while there is room, and nothing after closing', async () => {
  const { add, close, endTurn, turns } = world(2);
  for (const n of [1, 2, 3]) add(n);
  assert.deepEqual(turns, [[1, 2]]);
  close();
  add(4);
  await endTurn();
  await endTurn();
  assert.deepEqual(turns.flat(), [1, 2]);
});
