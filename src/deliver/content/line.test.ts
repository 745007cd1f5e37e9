import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { forEachTopLevelField, isName } from '../../lib/json/scanner.ts';
import { FIELD_STRIDE, KIND, LineScanner } from './line.ts';
import { damagedTexts, lineTexts, NAMES } from './testing/lines.ts';
import { parseText } from './testing/text-json.ts';
import { viewOf } from './words.ts';
import { runs } from '../../lib/testing/depth.ts';

const scanner = () =>
  new LineScanner({ wanted: NAMES, listAll: true, mark: (name) => name === 'Timestamp' });

/** What a scanner finds in a line that stands between others. */
const found = (by: LineScanner, text: string) => {
  const before = Buffer.from('{"a":"x"}\n');
  const line = Buffer.from(text);
  const bytes = Buffer.concat([before, line, Buffer.from('\n"tail"')]);
  const end = before.length + line.length;
  if (!by.scan(bytes, viewOf(bytes), before.length, end)) return undefined;
  const slots = NAMES.map((_name, slot) =>
    by.kinds[slot] === KIND.none
      ? undefined
      : bytes.toString('utf8', by.starts[slot], by.ends[slot]),
  );
  const fields = Array.from({ length: by.fieldCount }, (_, index) => {
    const [nameAt, valueAt, valueEnd] = by.fields.subarray(
      index * FIELD_STRIDE,
      index * FIELD_STRIDE + 3,
    );
    assert.equal(bytes[nameAt!], 0x22);
    return bytes.toString('utf8', valueAt, valueEnd);
  });
  const marks = Array.from(
    { length: by.fieldCount },
    (_, index) => by.fields[index * FIELD_STRIDE + 4],
  );
  return { slots, fields, marks };
};

const expected = (text: string) => {
  const line = parseText(text);
  assert.ok(line.kind === 'object');
  return {
    slots: NAMES.map((name) => line.fields.findLast((field) => field.name === name)?.value.text),
    fields: line.fields.map((field) => field.value.text),
    marks: line.fields.map((field) => (field.name === 'Timestamp' ? 1 : 0)),
  };
};

test('every field is found as it stands, and the last of one name counts, in whatever order lines come', () => {
  fc.assert(
    fc.property(fc.array(lineTexts, { minLength: 1, maxLength: 6 }), (lines) => {
      const shared = scanner();
      for (const line of lines) assert.deepEqual(found(shared, line), expected(line), line);
    }),
    { numRuns: runs(800) },
  );
});

test('a damaged line is judged as the scanner of lib/json judges it, and is never taken for another', () => {
  fc.assert(
    fc.property(lineTexts, damagedTexts, (sound, damaged) => {
      const shared = scanner();
      found(shared, sound);
      const bytes = Buffer.from(damaged);
      const slots: (string | undefined)[] = NAMES.map(() => undefined);
      const scan = forEachTopLevelField(
        bytes,
        0,
        bytes.length,
        (nameStart, nameEnd, escaped, start, end) => {
          NAMES.forEach((name, slot) => {
            if (isName(bytes, nameStart, nameEnd, escaped, Buffer.from(name))) {
              slots[slot] = bytes.toString('utf8', start, end);
            }
          });
          return true;
        },
      );
      const result = found(shared, damaged);
      // A name with a broken escape is malformed here, where names are decoded to be looked up.
      if (result === undefined && scan === 'done') assert.throws(() => parseText(damaged));
      else assert.deepEqual(result?.slots, scan === 'done' ? slots : undefined, damaged);
    }),
    { numRuns: runs(2000) },
  );
});

test('more names than are remembered are found all the same', () => {
  const shared = scanner();
  for (let round = 0; round < 3; round++) {
    const fields = Array.from({ length: 700 }, (_, index) => `"name${round}-${index}":${index}`);
    const line = `{${fields.join(',')},"a":${round},"${'n'.repeat(400)}":1,"b":2}`;
    assert.deepEqual(found(shared, line), expected(line));
  }
});

test('a line may end where the buffer ends', () => {
  const shared = scanner();
  for (const text of ['{"a":1}', '{"b":""}', '{"":2}', '{"b":"', '{"b', '{"b":"abcdefg']) {
    for (let round = 0; round < 2; round++) {
      const bytes = Buffer.from(text);
      const isSound = text.endsWith('}');
      assert.equal(shared.scan(bytes, viewOf(bytes), 0, bytes.length), isSound, text);
    }
  }
});
