import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Range } from '../model/delivery.ts';
import { addRange } from './ranges.ts';

const within = (ranges: readonly Range[], offset: number) =>
  ranges.some(({ from, to }) => offset >= from && offset < to);

test('every offset that was added is named, in few ascending ranges, and nothing else while there is room', () => {
  const range = fc
    .tuple(fc.nat(200), fc.integer({ min: 1, max: 20 }))
    .map(([from, length]) => ({ from, to: from + length }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 20 }), fc.integer({ min: 1, max: 5 }), (all, most) => {
      let few: Range[] = [];
      let exact: Range[] = [];
      for (const each of all) {
        few = addRange(few, each, most);
        exact = addRange(exact, each, Infinity);
      }
      assert.ok(few.length <= most);
      for (let offset = 0; offset < 230; offset += 1) {
        assert.equal(within(exact, offset), within(all, offset));
        if (within(all, offset)) assert.ok(within(few, offset));
      }
      for (const ranges of [few, exact]) {
        assert.ok(ranges.every(({ from }, index) => from > (ranges[index - 1]?.to ?? -1)));
      }
    }),
  );
});
