import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecimalReader, parseDecimal } from './decimal.ts';
import { runs } from '../testing/depth.ts';

const compare = (left: string, right: string): number => {
  const bytes = Buffer.from(`x${left},`);
  const reader = new DecimalReader();
  reader.read(bytes, 1, 1 + left.length);
  return Math.sign(reader.compare(parseDecimal(right))) + 0;
};

/** The same by scaled BigInts, for exponents that are small enough. */
const expected = (left: string, right: string): number => {
  const scaled = (text: string): bigint => {
    const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
    const [whole = '', fraction = ''] = mantissa.split('.');
    return BigInt(whole + fraction) * 10n ** BigInt(60 + Number(power) - fraction.length);
  };
  const [a, b] = [scaled(left), scaled(right)];
  return a < b ? -1 : a > b ? 1 : 0;
};

const digits = (most: number) =>
  fc
    .array(fc.constantFrom('0', '0', '1', '5', '9'), { minLength: 1, maxLength: most })
    .map((all) => all.join(''));
const numbers = fc
  .record({
    sign: fc.constantFrom('', '-'),
    whole: digits(20).map((text) => text.replace(/^0+(?=.)/, '')),
    fraction: fc.option(digits(8)),
    power: fc.option(
      fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), fc.integer({ min: 0, max: 30 })),
    ),
  })
  .map(
    (n) =>
      `${n.sign}${n.whole}${n.fraction === null ? '' : `.${n.fraction}`}${n.power === null ? '' : n.power.join('')}`,
  );

test('numbers are compared as exactly as integers of any length are', () => {
  fc.assert(
    fc.property(numbers, numbers, (left, right) => {
      assert.equal(compare(left, right), expected(left, right), `${left} against ${right}`);
      assert.equal(compare(left, left), 0);
    }),
    { numRuns: runs(3000) },
  );
});

test('integers beyond 2^53 differ by their last digit', () => {
  assert.equal(compare('9007199254740993', '9007199254740992'), 1);
  assert.equal(compare('-9007199254740993', '-9007199254740992'), -1);
  assert.equal(compare('1506702504433000201', '1506702504433000200'), 1);
});

test('the same value is equal however it is written, and zero has no sign', () => {
  assert.equal(compare('100', '1e2'), 0);
  assert.equal(compare('0.10', '1E-1'), 0);
  assert.equal(compare('-0.0', '0'), 0);
  assert.equal(compare('0e999', '-0'), 0);
});

test('exponents beyond any float keep their order', () => {
  assert.equal(compare('1e400', '9e399'), 1);
  assert.equal(compare('1e-400', '0'), 1);
  assert.equal(compare('-1e400', '-1e401'), 1);
});
