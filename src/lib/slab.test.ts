import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Slabs } from './slab.ts';
import { runs } from './testing/depth.ts';

test('copies hold what they were made of, whatever is copied after them and whatever becomes of the original', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: 40_000 }), fc.nat({ max: 255 })), { maxLength: 60 }),
      (pieces) => {
        const slabs = new Slabs();
        const copies = pieces.map(([bytes, value]) => {
          const original = Buffer.alloc(bytes, value);
          const copy = slabs.copy(original);
          original.fill(~value);
          return copy;
        });
        for (const [index, [bytes, value]] of pieces.entries())
          assert.deepEqual(copies[index], Buffer.alloc(bytes, value));
      },
    ),
    { numRuns: runs(50) },
  );
});

test('what is kept holds little more memory than its own bytes, whatever else is allocated between', () => {
  const slabs = new Slabs();
  const kept = Array.from({ length: 5_000 }, () => {
    // As a commit does: the plain bytes, of which nothing is kept, come from Node's pool.
    Buffer.concat([Buffer.alloc(1_800), Buffer.alloc(1_800)]);
    return slabs.copy(Buffer.alloc(1_300));
  });
  const memory = new Set(kept.map(({ buffer }) => buffer));
  const heldBytes = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
  assert.ok(heldBytes < 5_000 * 1_300 * 1.1, `${heldBytes} bytes are held`);
});

test('a large piece has memory of its own', () => {
  const slabs = new Slabs();
  const copy = slabs.copy(Buffer.alloc(100_000));
  assert.equal(copy.buffer.byteLength, 100_000);
});
