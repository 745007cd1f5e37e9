/** Lines for property tests: JSON objects with all that JSON allows and few printers write. */
import fc from 'fast-check';

const space = fc.constantFrom('', '', '', ' ', '\t', '  ');

export const stringTexts = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '\\n',
        '\\"',
        '\\\\',
        '\\/',
        '\\u00e9',
        '\\u0024{',
        '\\ud83d\\ude00',
        '\\ud800',
        '${',
        'é',
        '😀',
        'a',
        ',',
      ),
      fc
        .string({ unit: 'grapheme', maxLength: 8 })
        .map((text) => text.replace(/["\\\p{Cc}]/gu, '')),
    ),
    { maxLength: 5 },
  )
  .map((parts) => `"${parts.join('')}"`);

export const numberTexts = fc.oneof(
  fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }).map(String),
  fc.constantFrom(
    '0',
    '-0',
    '0.10',
    '1E5',
    '1e-07',
    '-12.340e+2',
    '9007199254740993',
    '1506702504433000201',
    '1506702504',
  ),
  fc.integer({ min: 0, max: 999 }).map(String),
);

const scalarTexts = fc.oneof(stringTexts, numberTexts, fc.constantFrom('true', 'false', 'null'));

const list = (open: string, items: readonly (readonly [string, string, string])[], close: string) =>
  open + items.map(([before, text, after]) => before + text + after).join(',') + close;

const { value } = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    { arbitrary: scalarTexts, weight: 5 },
    { arbitrary: tie('array'), weight: 1 },
    { arbitrary: tie('object'), weight: 1 },
  ),
  array: fc
    .array(fc.tuple(space, tie('value'), space), { maxLength: 4 })
    .map((items) => list('[', items, ']')),
  object: fc.array(fc.tuple(stringTexts, tie('value')), { maxLength: 3 }).map((items) =>
    list(
      '{',
      items.map(([name, text]) => ['', `${name}: ${text}`, ' '] as const),
      '}',
    ),
  ),
}));

/** The names that tests ask for, in several ways of writing them. */
export const NAMES = ['a', 'b', 'Timestamp', 'é', '', 'x"y', '__proto__'] as const;
const nameTexts = fc.oneof(
  fc.constantFrom(
    '"a"',
    '"b"',
    '"\\u0061"',
    '"Timestamp"',
    '"Time\\u0073tamp"',
    '"é"',
    '"\\u00e9"',
    '""',
    '"x\\"y"',
    '"__proto__"',
  ),
  stringTexts,
);

/** A line without its newline. */
export const lineTexts = fc
  .tuple(
    space,
    fc.array(fc.tuple(space, nameTexts, space, space, value, space), { maxLength: 8 }),
    space,
  )
  .map(
    ([before, fields, after]) =>
      `${before}{${fields.map(([a, name, b, c, text, d]) => `${a}${name}${b}:${c}${text}${d}`).join(',')}}${after}`,
  );

/** A line with a few characters changed: mostly malformed. */
export const damagedTexts = fc
  .tuple(
    lineTexts,
    fc.array(
      fc.tuple(
        fc.nat(),
        fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '\\', '1', 'e', ' '),
      ),
      { minLength: 1, maxLength: 2 },
    ),
  )
  .map(([line, changes]) => {
    let text = line;
    for (const [where, put] of changes) {
      const at = where % (text.length + 1);
      text = text.slice(0, at) + put + text.slice(at + 1);
    }
    return text;
  });
