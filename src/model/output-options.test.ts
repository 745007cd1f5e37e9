import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLogpullOptions, parseOutputOptions } from './output-options.ts';
import { parseRecordTemplate } from './record-template.ts';
import type { DatasetConfig } from './snapshot.ts';

const dataset: DatasetConfig = {
  id: 'dns_logs',
  scope: 'zone',
  strict: false,
  fields: [
    { name: 'QueryName', type: 'string', description: '' },
    { name: 'Timestamp', type: 'timestamp', description: '' },
  ],
};
const refusal = (value: unknown, of: DatasetConfig = dataset) => {
  const parsed = parseOutputOptions(value, of);
  assert.equal(parsed.kind, 'invalid', JSON.stringify(value));
  return parsed.kind === 'invalid' ? parsed : undefined!;
};

test('nothing set is no options', () => {
  assert.deepEqual(parseOutputOptions(null, dataset), { kind: 'none' });
  assert.deepEqual(parseOutputOptions(undefined, dataset), { kind: 'none' });
  assert.deepEqual(parseOutputOptions({ batch_prefix: null }, dataset), { kind: 'none' });
});

test('what was set is kept as it was set, an empty string too', () => {
  const options = {
    output_type: 'csv',
    field_names: ['Timestamp', 'QueryName'],
    timestamp_format: 'rfc3339ms',
    sample_rate: 0.5,
    batch_prefix: 'a,b\n',
    record_prefix: '',
    record_template: '{{ .QueryName }}',
    'CVE-2021-44228': true,
    merge_subrequests: false,
  };
  assert.deepEqual(parseOutputOptions(options, dataset), { kind: 'options', options });
});

test('a mistake is told with the option it is in', () => {
  assert.equal(refusal([]).path, '');
  assert.equal(refusal({ output_type: 'xml' }).path, 'output_type');
  assert.equal(refusal({ field_names: [] }).path, 'field_names');
  assert.equal(refusal({ field_names: ['QueryName', 'Nope'] }).path, 'field_names[1]');
  assert.equal(refusal({ field_names: ['QueryName', 'QueryName'] }).path, 'field_names[1]');
  assert.equal(refusal({ timestamp_format: 'iso' }).path, 'timestamp_format');
  for (const rate of [0, -1, 1.1, Number.NaN, '0.5'])
    assert.equal(refusal({ sample_rate: rate }).path, 'sample_rate');
  assert.equal(refusal({ record_prefix: 1 }).path, 'record_prefix');
  assert.equal(refusal({ record_prefix: '\ud800' }).path, 'record_prefix');
  assert.equal(refusal({ 'CVE-2021-4428': true }).path, 'CVE-2021-4428');
  assert.equal(refusal({ toString: true }).path, 'toString');
});

test('what is not built is refused and never silently ignored', () => {
  assert.match(refusal({ merge_subrequests: true }).message, /not offered/);
  assert.match(refusal({ stringify_object: true }).message, /not offered/);
});

test('what options add to each record is bounded (I5)', () => {
  assert.equal(refusal({ batch_prefix: 'x'.repeat(5000) }).path, 'batch_prefix');
  assert.match(refusal({ record_prefix: 'x'.repeat(9000) }).message, /at most 8192/);
  assert.equal(refusal({ field_delimiter: 'x'.repeat(20) }).path, 'field_delimiter');
  const names = Array.from({ length: 1000 }, (_, index) => `field${index}`);
  assert.match(refusal({ field_names: names }, { ...dataset, fields: [] }).message, /at most 8192/);
  assert.equal(refusal({ record_template: '{{.QueryName}}'.repeat(5) }).path, 'record_template');
});

test("a template's mistake is told with line and column", () => {
  const at = (template: string) => {
    const parsed = parseRecordTemplate(template);
    assert.equal(parsed.kind, 'invalid', template);
    return parsed.kind === 'invalid' ? parsed.at : undefined!;
  };
  assert.equal(at('{{ .A'), '1:6');
  assert.equal(at('a\nbc{{ if .A }}'), '2:6');
  assert.equal(at('{{ . }}'), '1:4');
  assert.equal(at('{{ .A.B }}'), '1:6');
  assert.equal(at('{{ .A | printf }}'), '1:7');
  assert.equal(at('{{ "a }}'), '1:4');
  assert.equal(at('{{ "\\q" }}'), '1:4');
  assert.equal(at('{{ "\\xff" }}'), '1:4');
  assert.equal(at('{{/* x }}'), '1:1');
  assert.equal(at('{{ }}'), '1:4');
  assert.equal(at('{{ 12 }}'), '1:4');
  assert.match(refusal({ record_template: '{{ .A' }).message, /^at 1:6: /);
});

test("a template has Go's text, fields, constants, comments and trimming", () => {
  const parts = (template: string) => {
    const parsed = parseRecordTemplate(template);
    assert.equal(parsed.kind, 'template', JSON.stringify(parsed));
    return parsed.kind === 'template'
      ? parsed.parts.map((part) => (part.kind === 'field' ? `.${part.name}` : part.text))
      : [];
  };
  assert.deepEqual(parts('a {{ .B }} c{{.D}}'), ['a ', '.B', ' c', '.D']);
  assert.deepEqual(parts('{{ "{{" }}{{ `\\n` }}{{"\\n\\u00e9\\x41\\101\\""}}'), [
    '{{',
    '\\n',
    '\né' + 'AA"',
  ]);
  assert.deepEqual(parts('a{{/* } }} */}}b'), ['a', 'b']);
  assert.deepEqual(parts('a \n {{- .B -}} \n c {{- /* x */ -}} d'), ['a', '.B', 'c', 'd']);
  assert.deepEqual(parts('}} { {'), ['}} { {']);
});

test('logpull_options are read from a query string or a whole URL', () => {
  const expected = {
    kind: 'options',
    options: {
      field_names: ['QueryName', 'Timestamp'],
      timestamp_format: 'rfc3339',
      sample_rate: 0.1,
      'CVE-2021-44228': true,
    },
  };
  const query = 'fields=QueryName,Timestamp&timestamps=rfc3339&sample=0.1&CVE-2021-44228=true';
  assert.deepEqual(parseLogpullOptions(query, dataset), expected);
  assert.deepEqual(parseLogpullOptions(`?${query}`), expected);
  assert.deepEqual(
    parseLogpullOptions(`https://api.example.com/client/v4/zones/z/logs/received?${query}`),
    expected,
  );
  assert.deepEqual(parseLogpullOptions(''), { kind: 'none' });
  assert.deepEqual(parseLogpullOptions('https://api.example.com/received'), { kind: 'none' });
});

test('mistakes in logpull_options are told by the names that stand there', () => {
  const path = (text: string) => {
    const parsed = parseLogpullOptions(text, dataset);
    return parsed.kind === 'invalid' ? parsed.path : parsed.kind;
  };
  assert.equal(path('fields=QueryName,Nope'), 'fields[1]');
  assert.equal(path('timestamps=rfc3339ms'), 'timestamps');
  assert.equal(path('sample=0'), 'sample');
  assert.equal(path('sample=2'), 'sample');
  assert.equal(path('CVE-2021-44228=yes'), 'CVE-2021-44228');
  assert.equal(path('start=1'), 'start');
});

test('with CVE-2021-44228 no text may end in the first half of ${', () => {
  assert.equal(refusal({ 'CVE-2021-44228': true, record_suffix: '$' }).path, 'record_suffix');
  assert.equal(parseOutputOptions({ record_suffix: '$' }, dataset).kind, 'options');
});
