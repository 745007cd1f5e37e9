import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slots } from './slots.ts';

test('so many begin at once, the others in their order as slots are given back', () => {
  const slots = new Slots(2);
  const begun: number[] = [];
  for (let n = 0; n < 5; n += 1) slots.take(() => begun.push(n));
  assert.deepEqual(begun, [0, 1]);
  slots.give();
  assert.deepEqual(begun, [0, 1, 2]);
  for (let n = 0; n < 4; n += 1) slots.give();
  assert.deepEqual(begun, [0, 1, 2, 3, 4]);
  for (let n = 5; n < 8; n += 1) slots.take(() => begun.push(n));
  assert.deepEqual(begun, [0, 1, 2, 3, 4, 5, 6], 'as many as at first');
});

test('one that ends at once lets the next begin', () => {
  const slots = new Slots(1);
  const begun: number[] = [];
  slots.take(() => begun.push(0));
  for (let n = 1; n < 4; n += 1)
    slots.take(() => {
      begun.push(n);
      slots.give();
    });
  slots.give();
  assert.deepEqual(begun, [0, 1, 2, 3]);
});
