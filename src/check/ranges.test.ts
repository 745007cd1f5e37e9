import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { Ranges } from './ranges.ts';

test('ranges hold what a plain set of offsets holds', () => {
  const run = fc.tuple(fc.nat(60), fc.nat(12));
  fc.assert(
    fc.property(fc.array(run, { maxLength: 20 }), run, (added, [from, length]) => {
      const ranges = new Ranges();
      const plain = new Set<number>();
      for (const [start, size] of added) {
        let known = 0;
        for (let offset = start; offset < start + size; offset += 1) {
          if (plain.has(offset)) known += 1;
          plain.add(offset);
        }
        assert.equal(ranges.add(start, start + size), known);
      }
      const inside = [...plain].filter((offset) => offset >= from && offset < from + length);
      assert.equal(ranges.within(from, from + length), inside.length);
      assert.equal(ranges.end, plain.size === 0 ? 0 : Math.max(...plain) + 1);
      const gaps = ranges.holes().reduce((sum, hole) => sum + hole.to - hole.from, 0);
      const span = plain.size === 0 ? 0 : ranges.end - Math.min(...plain);
      assert.equal(gaps, span - plain.size);
    }),
  );
});
