import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DatasetConfig } from '../../model/snapshot.ts';
import { compileContent } from './index.ts';
import { encodeLines, EPOCH } from './testing/encode.ts';
import { lineTexts, NAMES, numberTexts, stringTexts } from './testing/lines.ts';
import { parseText } from './testing/text-json.ts';
import type { TextValue } from './testing/text-json.ts';
import { runs } from '../../lib/testing/depth.ts';

/** Whether a line passes a filter of one node. */
const passes = (where: unknown, line: string, dataset?: DatasetConfig): boolean => {
  const piece = encodeLines({ where, ...(dataset && { dataset }) }, [line]);
  assert.deepEqual(piece.malformed, [], line);
  return piece.lines === 1;
};
const judge = (operator: string, value: unknown, text: string): boolean =>
  passes({ key: 'a', operator, value }, `{"a":${text}}`);

// The straightforward evaluator: values as JavaScript has them, numbers as scaled BigInts.
type Plain = string | boolean | null | bigint | readonly Plain[] | undefined;

const scaled = (text: string): bigint => {
  const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return BigInt(whole + fraction) * 10n ** BigInt(40 + Number(power) - fraction.length);
};
const plain = (value: TextValue | undefined): Plain => {
  if (value === undefined || value.kind === 'object') return undefined;
  if (value.kind === 'array') return value.elements.map(plain);
  if (/^[-\d]/.test(value.text)) return scaled(value.text);
  return JSON.parse(value.text) as string | boolean | null;
};
const operandOf = (value: unknown): Plain =>
  typeof value === 'number' ? scaled(String(value)) : (value as Plain);

interface Condition {
  readonly key: string;
  readonly operator: string;
  readonly value: unknown;
}
type Node = Condition | { readonly and: readonly Node[] } | { readonly or: readonly Node[] };

function evaluate(node: Node, line: string): boolean {
  if ('and' in node) return node.and.every((part) => evaluate(part, line));
  if ('or' in node) return node.or.some((part) => evaluate(part, line));
  if (node.operator === 'neq') return evaluate({ ...node, operator: '!eq' }, line);
  if (node.operator.startsWith('!'))
    return !evaluate({ ...node, operator: node.operator.slice(1) }, line);
  const parsed = parseText(line);
  assert.ok(parsed.kind === 'object');
  const value = plain(parsed.fields.findLast((field) => field.name === node.key)?.value);
  const operand = operandOf(node.value);
  switch (node.operator) {
    case 'eq':
      return value !== undefined && value === operand;
    case 'in':
      return (
        value !== undefined && (node.value as unknown[]).some((one) => operandOf(one) === value)
      );
    case 'startsWith':
      return typeof value === 'string' && value.startsWith(operand as string);
    case 'endsWith':
      return typeof value === 'string' && value.endsWith(operand as string);
    case 'contains':
      if (Array.isArray(value)) return value.includes(operand);
      return typeof value === 'string' && typeof operand === 'string' && value.includes(operand);
    default: {
      if (typeof value !== 'bigint') return false;
      const than = typeof node.value === 'string' ? scaled(node.value) : (operand as bigint);
      if (node.operator === 'lt') return value < than;
      if (node.operator === 'leq') return value <= than;
      return node.operator === 'gt' ? value > than : value >= than;
    }
  }
}

const texts = stringTexts
  .map((text) => JSON.parse(text) as string)
  .filter((text) => text.isWellFormed());
const scalars = fc.oneof(
  texts,
  fc.constantFrom('a', '', 'é', '${'),
  fc.integer({ min: -5, max: 1_000 }),
  fc.constantFrom(0.1, 1506702504),
);
const key = fc.constantFrom(...NAMES.filter((name) => name !== ''));
const conditions: fc.Arbitrary<Node> = fc.oneof(
  fc.record({
    key,
    operator: fc.constantFrom('eq', '!eq', 'neq'),
    value: fc.oneof(scalars, fc.boolean()),
  }),
  fc.record({ key, operator: fc.constantFrom('contains', '!contains'), value: scalars }),
  fc.record({
    key,
    operator: fc.constantFrom('in', '!in'),
    value: fc.array(scalars, { minLength: 1, maxLength: 4 }),
  }),
  fc.record({
    key,
    operator: fc.constantFrom('startsWith', '!startsWith', 'endsWith', '!endsWith'),
    value: texts,
  }),
  fc.record({
    key,
    operator: fc.constantFrom('lt', 'leq', 'gt', 'geq'),
    value: fc.oneof(fc.integer({ min: -5, max: 1_000 }), numberTexts),
  }),
);
const { node } = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    conditions,
    fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
    fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((or) => ({ or })),
  ),
}));

test('any filter judges any line as a straightforward evaluator does', () => {
  let passed = 0;
  let judged = 0;
  fc.assert(
    fc.property(node, fc.array(lineTexts, { minLength: 1, maxLength: 4 }), (where, lines) => {
      // A text that has no UTF-8 keeps its escape and is compared as that: not what JavaScript does.
      fc.pre(!lines.some((line) => /\\ud800/.test(line)));
      for (const line of lines) {
        const expected = evaluate(where, line);
        assert.equal(passes(where, line), expected, `${JSON.stringify(where)} on ${line}`);
        judged++;
        if (expected) passed++;
      }
    }),
    { numRuns: runs(1_000) },
  );
  assert.ok(passed > judged / 10 && passed < (judged * 9) / 10, 'both verdicts were seen often');
});

test('a field that is missing, null or of another kind fails the operator and passes its negation', () => {
  const pairs: [string, unknown][] = [
    ['eq', 'x'],
    ['in', ['x']],
    ['startsWith', 'x'],
    ['endsWith', 'x'],
    ['contains', 'x'],
  ];
  for (const line of ['{}', '{"a":null}', '{"a":1}', '{"a":{"x":"x"}}', '{"a":true}']) {
    for (const [operator, value] of pairs) {
      assert.equal(passes({ key: 'a', operator, value }, line), false);
      assert.equal(passes({ key: 'a', operator: `!${operator}`, value }, line), true);
    }
    for (const operator of ['lt', 'leq', 'gt', 'geq']) {
      if (line !== '{"a":1}') assert.equal(passes({ key: 'a', operator, value: 5 }, line), false);
    }
  }
  assert.equal(judge('eq', '', 'null'), false);
  assert.equal(judge('eq', 200, '"200"'), false);
  assert.equal(judge('lt', '30', '29'), true);
});

test('strings are compared decoded, however the line writes them', () => {
  assert.equal(judge('eq', 'aé😀/', '"\\u0061\\u00e9\\ud83d\\ude00\\/"'), true);
  assert.equal(judge('startsWith', 'é', '"\\u00e9x"'), true);
  assert.equal(judge('contains', '\n', '"a\\nb"'), true);
  assert.equal(judge('contains', 'n', '"a\\nb"'), false);
  assert.equal(judge('contains', 'needle', `"${'need'.repeat(100)}le"`), true);
  assert.equal(judge('contains', 'needles', `"${'need'.repeat(100)}le"`), false);
  assert.equal(judge('eq', 'A', '"a"'), false);
});

test('integers are compared by all of their digits', () => {
  const filter = (digits: string) => `{"where":{"key":"a","operator":"eq","value":${digits}}}`;
  const content = compileContent(
    { filter: filter('9007199254740993'), outputOptions: null },
    undefined,
    EPOCH,
  );
  assert.ok(content !== 'whole');
  const lines = '{"a":9007199254740993}\n{"a":9007199254740992}\n{"a":9007199254740993.0}\n';
  const piece = content.encode(Buffer.from(lines), 0, { from: 0, to: 3 }, false);
  assert.equal(piece.bytes.toString(), '{"a":9007199254740993}\n{"a":9007199254740993.0}\n');
});

test('an array contains what equals one of its elements', () => {
  assert.equal(judge('contains', 'api', '["web", "\\u0061pi"]'), true);
  assert.equal(judge('contains', 'ap', '["api"]'), false);
  assert.equal(judge('contains', 7, '[1, 7.0 ,[8]]'), true);
  assert.equal(judge('contains', 8, '[1,[8],{"a":8},null]'), false);
  assert.equal(judge('!contains', 'x', '[]'), true);
  assert.equal(judge('contains', '', '[""]'), true);
});

test('a time is compared as a point in time, whichever way line and filter write it', () => {
  const dataset: DatasetConfig = {
    id: 'd',
    scope: 'zone',
    strict: false,
    fields: [{ name: 'a', type: 'timestamp', description: '' }],
  };
  const at = (operator: string, value: unknown, text: string) =>
    passes({ key: 'a', operator, value }, `{"a":${text}}`, dataset);
  for (const text of [
    '1506702504000000000',
    '1506702504',
    '"2017-09-29T16:28:24Z"',
    '"2017-09-29T18:28:24+02:0\\u0030"',
  ]) {
    assert.equal(at('eq', '2017-09-29T16:28:24Z', text), true, text);
    assert.equal(at('geq', 1506702504, text), true, text);
    assert.equal(at('lt', '1506702504000000001', text), true, text);
    assert.equal(at('gt', '2017-09-29T16:28:24Z', text), false, text);
  }
  assert.equal(at('in', [1, '2017-09-29T16:28:24Z'], '1506702504'), true);
  assert.equal(at('lt', 2_000_000_000, '"soon"'), false);
  assert.equal(at('!eq', 2_000_000_000, '"soon"'), true);
});

test('a line that had to be looked into and is not JSON is malformed, and neither passes nor is excluded', () => {
  const where = {
    and: [
      { key: 'a', operator: 'contains', value: 'x' },
      { key: 'b', operator: 'eq', value: 1 },
    ],
  };
  for (const line of [
    '{"a":"\\q","b":1}',
    '{"a":["\\q"],"b":1}',
    '{"a":[1 2],"b":1}',
    '{"a":"x"',
    '{"a":"x","b":01}',
    'x',
  ]) {
    assert.deepEqual(encodeLines({ where }, [line]).malformed, [1_000], line);
  }
});

test('order operators differ where the values are equal', () => {
  const verdicts = (text: string) =>
    ['lt', 'leq', 'eq', 'geq', 'gt'].map((operator) => judge(operator, 30, text));
  assert.deepEqual(verdicts('29'), [true, true, false, false, false]);
  assert.deepEqual(verdicts('3e1'), [false, true, true, true, false]);
  assert.deepEqual(verdicts('30.0001'), [false, false, false, true, true]);
});

test('what one line held is forgotten for the next', () => {
  const where = { key: 'a', operator: 'contains', value: 'x' };
  const lines = ['{"a":["x"]}', '{"a":["y"]}', '{"a":"\\u0078"}', '{"a":"\\u0079"}', '{}'];
  assert.equal(encodeLines({ where }, lines).bytes.toString(), `${lines[0]}\n${lines[2]}\n`);
});
