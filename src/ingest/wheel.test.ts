import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineCount } from './lines.ts';
import { Wheel } from './wheel.ts';

/** A thread on which every step takes a millisecond. */
function costly() {
  let nowMs = 0;
  const order: string[] = [];
  const wheel = new Wheel({ monotonicMs: () => nowMs });
  const work = async (name: string, steps: number, payer = name, isWanted = true) => {
    let left = steps;
    await wheel.run(payer, isWanted, () => {
      nowMs += 1;
      order.push(name);
      return --left > 0;
    });
  };
  return { wheel, order, work };
}

test('I6: accounts take turns; a small body waits for one step of each of the others, not for all that they have', async () => {
  const { order, work } = costly();
  const loud = Array.from({ length: 20 }, (_, n) => work(`loud ${n}`, 5, 'loud'));
  const other = work('other', 50);
  await work('small', 1);
  assert.ok(order.filter((name) => name.startsWith('loud')).length <= 7, order.join());
  await Promise.all([...loud, other]);
  assert.equal(order.length, 20 * 5 + 50 + 1);
});

test('I6: lines that nobody wants go behind those that somebody wants, and are not starved by them', async () => {
  const { order, work } = costly();
  const unwanted = Array.from({ length: 40 }, (_, n) => work('unwanted', 1, `u${n}`, false));
  const wanted = work('wanted', 30);
  await wanted;
  const before = order.filter((name) => name === 'unwanted').length;
  // One each time that the event loop comes round, and those that came when nobody else was there.
  assert.ok(before >= 5 && before <= 15, `${before} unwanted before the wanted were done`);
  await Promise.all(unwanted);
});

test('the event loop comes round between steps, however much waits', async () => {
  const { work } = costly();
  let [rounds, isDone] = [0, false];
  const count = (): void => {
    rounds += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all(Array.from({ length: 100 }, (_, n) => work(`w${n}`, 1)));
  isDone = true;
  assert.ok(rounds >= 20, `${rounds} rounds`);
});

test('what a step throws is its own, and the others go on', async () => {
  const { wheel, work } = costly();
  const broken = (async () =>
    await wheel.run('broken', true, () => {
      throw new Error('torn');
    }))();
  const good = work('good', 3);
  await assert.rejects(broken, /torn/);
  await good;
});

test('lines that nobody wants are counted as framing would, wherever the pieces are cut', () => {
  const text = '{"a":1}\n\n  \r\n{"b":2}\r\n{"long":"' + 'x'.repeat(50) + '"}\n \n{"c":3}';
  for (let cut = 0; cut <= text.length; cut++) {
    const count = new LineCount();
    count.push(Buffer.from(text.slice(0, cut)));
    count.push(Buffer.from(text.slice(cut)));
    count.end();
    assert.equal(count.lines, 4, `cut at ${cut}`);
  }
});
