import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeString,
  findTopLevelField,
  forEachTopLevelField,
  MAX_NESTING,
  skipValue,
} from './scanner.ts';
import type { ValueSpan } from './scanner.ts';
import { runs } from '../testing/depth.ts';

/** Puts a line in the middle of others, so that reading past its ends shows. */
function among(line: string): { bytes: Buffer; start: number; end: number } {
  const before = Buffer.from('{"before":"x"}\n');
  const middle = Buffer.from(line);
  const bytes = Buffer.concat([before, middle, Buffer.from('"}]\\\n{"after":1}\n')]);
  return { bytes, start: before.length, end: before.length + middle.length };
}

function find(line: string, name: string): string | undefined {
  const { bytes, start, end } = among(line);
  const span = findTopLevelField(bytes, start, end, Buffer.from(name));
  return span === undefined || span === 'malformed'
    ? span
    : bytes.toString('utf8', span.start, span.end);
}

function fieldsOf(line: string): Map<string, unknown> | 'malformed' {
  const { bytes, start, end } = among(line);
  const fields = new Map<string, unknown>();
  const scan = forEachTopLevelField(bytes, start, end, (from, to, _escaped, valueFrom, valueTo) => {
    const name = decodeString(bytes, from - 1, to + 1);
    assert.ok(name !== undefined, 'a name decodes');
    fields.set(name, JSON.parse(bytes.toString('utf8', valueFrom, valueTo)));
    return true;
  });
  return scan === 'done' ? fields : 'malformed';
}

const spaces = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
const objects = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 4 }), {
  noNullPrototype: true,
});

/** An object as text, with white space between its parts and names and strings escaped as the sender pleases. */
const texts = fc
  .tuple(objects, fc.array(spaces, { minLength: 6, maxLength: 6 }), fc.boolean())
  .map(([value, gaps, escape]) => {
    const json = (part: unknown): string => {
      const text = JSON.stringify(part);
      return escape
        ? text.replace(
            /[g-m]/g,
            (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
          )
        : text;
    };
    const fields = Object.entries(value).map(([name, part]) => {
      // Words like null may not be escaped: only names and strings are.
      const shown = typeof part === 'string' ? json(part) : JSON.stringify(part);
      return `${gaps[0]}${json(name)}${gaps[1]}:${gaps[2]}${shown}${gaps[3]}`;
    });
    return `${gaps[4]}{${fields.length === 0 ? gaps[5] : fields.join(',')}}${gaps[5]}`;
  });

test('the fields found are those that JSON.parse finds', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const expected = new Map(Object.entries(JSON.parse(text) as Record<string, unknown>));
      assert.deepEqual(fieldsOf(text), expected);
    }),
    { numRuns: runs(500) },
  );
});

test('a damaged line is malformed, or reads as JSON.parse reads it; never is anything read outside of it', () => {
  const damage = fc.record({
    at: fc.nat(),
    drop: fc.nat(3),
    put: fc.stringMatching(/^["{}[\],:\\0-9.a eE+-]{0,2}$/),
  });
  fc.assert(
    fc.property(texts, damage, (text, { at, drop, put }) => {
      // By code points: half of a surrogate pair has no bytes in UTF-8.
      const points = Array.from(text);
      points.splice(at % (points.length + 1), drop, put);
      const bad = points.join('');
      const { bytes, start, end } = among(bad);
      const scan = forEachTopLevelField(
        bytes,
        start,
        end,
        (from, to, _escaped, valueFrom, valueTo) => {
          assert.ok(
            start < from && from <= to && to < valueFrom && valueFrom < valueTo && valueTo <= end,
          );
          return true;
        },
      );
      let expected: unknown;
      try {
        expected = JSON.parse(bad);
      } catch {
        return;
      }
      const isObject =
        typeof expected === 'object' && expected !== null && !Array.isArray(expected);
      assert.equal(scan, isObject ? 'done' : 'malformed');
      if (isObject) assert.deepEqual(fieldsOf(bad), new Map(Object.entries(expected as object)));
    }),
    { numRuns: runs(1000) },
  );
});

test('a string decodes as JSON.parse decodes it, or is refused as it refuses it', () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        '\\n',
        '\\"',
        '\\\\',
        '\\/',
        '\\u00e9',
        '\\ud83d\\ude00',
        '\\ud800',
        '\\uD8',
        '\\x',
        '\u0001',
        'é',
        '😀',
      ),
      fc.string().map((text) => text.replace(/["\\]/g, '')),
    ),
  );
  fc.assert(
    fc.property(pieces, (parts) => {
      const text = `"${parts.join('')}"`;
      const bytes = Buffer.from(text);
      let expected: string | undefined;
      try {
        expected = JSON.parse(text) as string;
      } catch {
        expected = undefined;
      }
      assert.equal(decodeString(bytes, 0, bytes.length), expected);
    }),
    { numRuns: runs(500) },
  );
});

test('a value keeps its bytes: digits of numbers and escapes of strings stand as they came', () => {
  const line = '{"n":1732000000123456789,"s":"a\\u0062\\/","f":0.3400}';
  assert.equal(find(line, 'n'), '1732000000123456789');
  assert.equal(find(line, 's'), '"a\\u0062\\/"');
  assert.equal(find(line, 'f'), '0.3400');
});

test('only the top level counts, and the last of two fields of one name', () => {
  assert.equal(find('{"a":{"z":1},"b":["z"],"c":"z"}', 'z'), undefined);
  assert.equal(find('{"z":1,"a":2,"z":3}', 'z'), '3');
  assert.equal(find('{"\\u007a":1}', 'z'), '1');
  assert.equal(find('{"ä€":1}', 'ä€'), '1');
});

test('long strings with escapes end where they end', () => {
  const long = `${'x'.repeat(500)}\\\\\\"${'y'.repeat(300)}\\\\`;
  assert.equal(find(`{"a":"${long}","z":1}`, 'a'), `"${long}"`);
  assert.equal(find(`{"a":"${long}","z":1}`, 'z'), '1');
  assert.equal(find(`{"a":"${'x'.repeat(500)}\\"}`, 'a'), 'malformed');
});

test('what is no object is malformed', () => {
  for (const text of [
    '',
    ' ',
    '[]',
    '"a"',
    '1',
    '{',
    '}',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,}',
    '{"a":1}x',
    '{"a":1 "b":2}',
    '{a:1}',
    '{"a":01}',
    '{"a":tru}',
    '{"a":[}',
    '{"a":{"b":1]}',
    '{"a":"x}',
  ]) {
    assert.equal(find(text, 'a'), 'malformed', text);
  }
});

test('a visitor that has enough stops the scan', () => {
  const { bytes, start, end } = among('{"a":1,"b":2,broken');
  let seen = 0;
  const visit = () => ++seen < 2;
  assert.equal(forEachTopLevelField(bytes, start, end, visit), 'stopped');
  assert.equal(seen, 2);
});

test('nesting is bounded', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  assert.equal(find(`{"a":${nested(MAX_NESTING)}}`, 'a'), nested(MAX_NESTING));
  assert.equal(find(`{"a":${nested(MAX_NESTING + 1)}}`, 'a'), 'malformed');
});

test('each kind of value is told apart', () => {
  const kinds: [string, ValueSpan['kind']][] = [
    ['"x"', 'string'],
    ['-1e5', 'number'],
    ['true', 'true'],
    ['false', 'false'],
    ['null', 'null'],
    ['{"b":1}', 'object'],
    ['[1]', 'array'],
  ];
  for (const [text, kind] of kinds) {
    const bytes = Buffer.from(`{"a":${text}}`);
    const span = findTopLevelField(bytes, 0, bytes.length, Buffer.from('a'));
    assert.deepEqual(span, { start: 5, end: 5 + text.length, kind });
    assert.equal(skipValue(bytes, 5, bytes.length), 5 + text.length);
  }
});
