import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_NESTING } from './scanner.ts';
import { isJson } from './validate.ts';
import { runs } from '../testing/depth.ts';

function check(text: string): boolean {
  const before = Buffer.from('"\\[{');
  const middle = Buffer.from(text);
  const bytes = Buffer.concat([before, middle, Buffer.from('"]}0e1')]);
  return isJson(bytes, before.length, before.length + middle.length);
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('valid JSON is valid', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(0, 1, '\t'), (text, indent) => {
      assert.equal(check(JSON.stringify(JSON.parse(text), null, indent)), true);
    }),
  );
});

test('damaged JSON is judged as JSON.parse judges it', () => {
  const put = fc.stringMatching(/^["{}[\],:\\/0-9.a-fn-utrue eE+\-\t\n]{0,4}$/);
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.nat(3), put, (text, at, drop, more) => {
      const points = Array.from(text);
      points.splice(at % (points.length + 1), drop, more);
      const bad = points.join('');
      assert.equal(check(bad), parses(bad), JSON.stringify(bad));
    }),
    { numRuns: runs(3000) },
  );
});

test('what parsers get wrong is judged as the grammar says', () => {
  const good = [
    '0',
    '-0',
    '1e+5',
    '0.10E-3',
    '"\\ud800"',
    '"\u007f"',
    ' [ ] ',
    '{"":{}}',
    '\r{}\t',
  ];
  const bad = [
    '',
    ' ',
    '01',
    '-',
    '1.',
    '.5',
    '1e',
    '+1',
    'NaN',
    'tru',
    'nul',
    'truex',
    '"\\x"',
    '"\\u12G4"',
    '"\\u12',
    '"\u0001"',
    '"a\nb"',
    '[1,]',
    '[,]',
    '{"a":1,}',
    '{"a"}',
    '{1:2}',
    '[1 2]',
    '{} {}',
    '\u00a0{}',
    '\ufeff{}',
    "{'a':1}",
    '[1}',
  ];
  for (const text of good) assert.equal(check(text), true, text);
  for (const text of bad) {
    assert.equal(parses(text), false, text);
    assert.equal(check(text), false, text);
  }
});

test('bytes that are not UTF-8 are refused, unless the caller has looked', () => {
  const bytes = Buffer.from([0x22, 0xc3, 0x28, 0x22]);
  assert.equal(isJson(bytes, 0, 4), false);
  assert.equal(isJson(bytes, 0, 4, true), true);
});

test('nesting is bounded', () => {
  const nested = (depth: number): string => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  assert.equal(check(nested(MAX_NESTING)), true);
  assert.equal(check(nested(MAX_NESTING + 1)), false);
  assert.equal(check(nested(100_000)), false);
});
