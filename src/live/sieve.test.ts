import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Sieve } from './sieve.ts';
import { runs } from '../lib/testing/depth.ts';

function kept(sieve: Sieve, level: number, from: number, to: number): number[] {
  const found: number[] = [];
  for (let at = sieve.nextKept(from, level); at < to; at = sieve.nextKept(at + 1, level)) {
    found.push(at);
  }
  return found;
}

const sieves = fc.record({
  base: fc.integer({ min: 1, max: 50 }),
  salt: fc.nat(0xffff_ffff),
  level: fc.nat(8),
});

test('each bucket keeps exactly one of its lines', () => {
  fc.assert(
    fc.property(sieves, ({ base, salt, level }) => {
      const sieve = new Sieve(base, salt);
      const stride = sieve.stride(level);
      const found = kept(sieve, level, 0, stride * 20);
      assert.deepEqual(
        found.map((number) => Math.floor(number / stride)),
        Array.from({ length: 20 }, (_, bucket) => bucket),
      );
    }),
    { numRuns: runs(100) },
  );
});

test('a coarser level keeps a part of what the finer one keeps', () => {
  fc.assert(
    fc.property(sieves, ({ base, salt, level }) => {
      const sieve = new Sieve(base, salt);
      const finer = new Set(kept(sieve, level, 0, 4_000));
      for (const number of kept(sieve, level + 1, 0, 4_000)) assert.ok(finer.has(number));
    }),
    { numRuns: runs(50) },
  );
});

test('it matters not where one begins to look', () => {
  fc.assert(
    fc.property(sieves, fc.nat(3_000), ({ base, salt, level }, from) => {
      const sieve = new Sieve(base, salt);
      const all = kept(sieve, level, 0, 5_000);
      assert.deepEqual(
        kept(sieve, level, from, 5_000),
        all.filter((number) => number >= from),
      );
    }),
    { numRuns: runs(50) },
  );
});

test('a pattern in the row does not bend the sample', () => {
  const found = kept(new Sieve(1, 7), 3, 0, 80_000);
  const odd = found.filter((number) => number % 2 === 1).length;
  assert.equal(found.length, 10_000);
  assert.ok(odd > 4_700 && odd < 5_300, `${odd} of 10,000 are odd`);
});
