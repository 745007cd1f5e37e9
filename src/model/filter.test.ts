import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFilter } from './filter.ts';
import type { DatasetConfig } from './snapshot.ts';

const field = (name: string, type: DatasetConfig['fields'][number]['type']) => ({
  name,
  type,
  description: '',
});
const dataset: DatasetConfig = {
  id: 'http_requests',
  scope: 'zone',
  strict: false,
  fields: [
    field('ClientRequestHost', 'string'),
    field('ClientRequestPath', 'string'),
    field('EdgeResponseStatus', 'int'),
    field('Ratio', 'float'),
    field('WorkerSubrequest', 'bool'),
    field('EdgeStartTimestamp', 'timestamp'),
    field('BotTags', 'array[string]'),
    field('BotDetectionIDs', 'array[int]'),
    field('Cookies', 'object'),
  ],
};
const open: DatasetConfig = { ...dataset, id: 'open', fields: [] };

const where = (node: unknown) => JSON.stringify({ where: node });
const condition = (key: string, operator: string, value: unknown) =>
  where({ key, operator, value });
const refusal = (text: string, of: DatasetConfig = dataset) => {
  const parsed = parseFilter(text, of);
  assert.equal(parsed.kind, 'invalid', text);
  return parsed.kind === 'invalid' ? parsed : undefined!;
};
const accepts = (text: string, of: DatasetConfig = dataset) => {
  const parsed = parseFilter(text, of);
  assert.equal(parsed.kind, 'filter', `${text}: ${JSON.stringify(parsed)}`);
  return parsed.kind === 'filter' ? parsed.node : undefined!;
};

test('an empty text is no filter', () => {
  assert.deepEqual(parseFilter('', dataset), { kind: 'none' });
});

test("Logpush's own example becomes a tree", () => {
  const text = `{"where":{"and":[{"key":"ClientRequestPath","operator":"contains","value":"/static"},{"or":[{"key":"ClientRequestHost","operator":"eq","value":"a.com"},{"key":"EdgeResponseStatus","operator":"in","value":[500,502]}]}]}}`;
  assert.deepEqual(accepts(text), {
    kind: 'and',
    nodes: [
      {
        kind: 'condition',
        key: 'ClientRequestPath',
        operator: 'contains',
        negated: false,
        operands: [{ kind: 'string', text: '/static' }],
      },
      {
        kind: 'or',
        nodes: [
          {
            kind: 'condition',
            key: 'ClientRequestHost',
            operator: 'eq',
            negated: false,
            operands: [{ kind: 'string', text: 'a.com' }],
          },
          {
            kind: 'condition',
            key: 'EdgeResponseStatus',
            operator: 'in',
            negated: false,
            operands: [
              { kind: 'number', text: '500' },
              { kind: 'number', text: '502' },
            ],
          },
        ],
      },
    ],
  });
});

test('a mistake is told with the path to it', () => {
  const path = (text: string) => refusal(text).path;
  assert.equal(path('{'), '');
  assert.equal(path('[]'), '');
  assert.equal(path('{}'), 'where');
  assert.equal(path('{"where":{},"x":1}'), 'x');
  assert.equal(path(where({})), 'where.key');
  assert.equal(path(where({ key: 'ClientRequestHost', operator: 'eq' })), 'where.value');
  assert.equal(path(where({ and: [] })), 'where.and');
  assert.equal(path(where({ and: {} })), 'where.and');
  assert.equal(path(where({ and: [], or: [] })), 'where');
  assert.equal(path(where({ and: [], key: 'x' })), 'where');
  assert.equal(
    path(
      where({
        or: [
          { key: 'Ratio', operator: 'gt', value: 1 },
          { and: [{ key: 'Ratio', operator: '~', value: 1 }] },
        ],
      }),
    ),
    'where.or[1].and[0].operator',
  );
  assert.equal(path(where({ and: [null] })), 'where.and[0]');
  assert.equal(path(condition('EdgeResponseStatus', 'in', [200, 'x'])), 'where.value[1]');
  assert.equal(path(where({ key: 'Ratio', operator: 'gt', value: 1, note: '' })), 'where.note');
});

test('a field that the dataset lacks is refused, with the right spelling where only case differs', () => {
  const { path, message } = refusal(condition('clientrequesthost', 'eq', 'x'));
  assert.equal(path, 'where.key');
  assert.match(message, /did you mean "ClientRequestHost"/);
  accepts(condition('clientrequesthost', 'eq', 'x'), open);
  assert.equal(parseFilter(condition('clientrequesthost', 'eq', 'x'), undefined).kind, 'filter');
});

test('each operator takes the types that it can judge', () => {
  const fits: [string, string[], unknown][] = [
    [
      'ClientRequestHost',
      [
        'eq',
        '!eq',
        'neq',
        'startsWith',
        '!startsWith',
        'endsWith',
        '!endsWith',
        'contains',
        '!contains',
      ],
      'x',
    ],
    ['ClientRequestHost', ['in', '!in'], ['x', 'y']],
    ['EdgeResponseStatus', ['eq', '!eq', 'neq', 'lt', 'leq', 'gt', 'geq'], 200],
    ['EdgeResponseStatus', ['in', '!in'], [200]],
    ['EdgeResponseStatus', ['lt', 'leq', 'gt', 'geq'], '30'],
    ['Ratio', ['eq', 'lt'], 0.5],
    ['WorkerSubrequest', ['eq', '!eq'], true],
    ['EdgeStartTimestamp', ['eq', 'lt', 'geq'], 1506702504433000200],
    ['EdgeStartTimestamp', ['lt', 'geq'], '2017-09-29T16:28:24Z'],
    ['BotTags', ['contains', '!contains'], 'api'],
    ['BotDetectionIDs', ['contains'], 7],
  ];
  for (const [key, operators, value] of fits) {
    for (const operator of operators) accepts(condition(key, operator, value));
  }
  const misfits: [string, string, unknown][] = [
    ['ClientRequestHost', 'lt', 1],
    ['ClientRequestHost', 'eq', 1],
    ['EdgeResponseStatus', 'eq', '200'],
    ['EdgeResponseStatus', 'eq', 1.5],
    ['EdgeResponseStatus', 'in', '200,201'],
    ['EdgeResponseStatus', 'in', []],
    ['EdgeResponseStatus', 'contains', 2],
    ['WorkerSubrequest', 'in', [true]],
    ['WorkerSubrequest', 'eq', 'true'],
    ['EdgeStartTimestamp', 'gt', 'yesterday'],
    ['BotTags', 'eq', 'api'],
    ['BotTags', 'contains', 1],
    ['BotDetectionIDs', 'contains', 'x'],
    ['Cookies', 'eq', 'x'],
    ['ClientRequestHost', 'eq', null],
    ['ClientRequestHost', 'eq', ['x']],
  ];
  for (const [key, operator, value] of misfits) refusal(condition(key, operator, value));
});

test('neq is !eq', () => {
  assert.deepEqual(
    accepts(condition('EdgeResponseStatus', 'neq', 200)),
    accepts(condition('EdgeResponseStatus', '!eq', 200)),
  );
});

test('numbers keep all of their digits', () => {
  const node = accepts(
    '{"where":{"key":"EdgeResponseStatus","operator":"eq","value":9007199254740993}}',
  );
  assert.ok(node.kind === 'condition');
  assert.deepEqual(node.operands, [{ kind: 'number', text: '9007199254740993' }]);
});

test('bytes and conditions are bounded', () => {
  const one = { key: 'Ratio', operator: 'gt', value: 1 };
  const many = (count: number) => where({ or: Array.from({ length: count }, () => one) });
  accepts(many(30));
  assert.equal(refusal(many(31)).path, 'where.or[30]');
  assert.match(
    refusal(condition('ClientRequestHost', 'eq', 'x'.repeat(5000))).message,
    /at most 4096/,
  );
});

test('deep nesting is judged, not fallen over', () => {
  let node: unknown = { key: 'Ratio', operator: 'gt', value: 1 };
  for (let depth = 0; depth < 300; depth++) node = { and: [node] };
  accepts(where(node));
});
