import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { combineCrc32 } from '../lib/crc32.ts';
import { runs } from '../lib/testing/depth.ts';
import { cutLines, summedCuts } from './write/cut.ts';

test('summed pieces are the pieces, and their sums make that of the whole', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 90, max: 900 }),
      (sizes, mostLines, mostBytes) => {
        const bytes = Buffer.from(sizes.map((size, n) => `${`${n}`.padEnd(size, 'x')}\n`).join(''));
        let end = 0;
        const ends = Uint32Array.from(sizes, (size, n) => {
          return (end += Math.max(size, `${n}`.length) + 1);
        });
        const summed = summedCuts({ bytes, ends }, mostLines, mostBytes + 2);
        const cuts = cutLines({ bytes, ends }, mostLines, mostBytes + 2);
        assert.deepEqual(
          summed.map(({ crc: _, ...cut }) => cut),
          cuts,
        );
        const sum = summed.reduce((all, cut) => combineCrc32(all, cut.crc, cut.bytes.length), 0);
        assert.equal(sum, crc32(bytes));
      },
    ),
    { numRuns: runs(100) },
  );
});
