import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DatasetConfig } from '../../model/snapshot.ts';
import { compileContent } from './index.ts';
import { encodeLines, EPOCH, textOfLines } from './testing/encode.ts';
import { lineTexts, NAMES } from './testing/lines.ts';
import { parseText } from './testing/text-json.ts';
import type { TextField } from './testing/text-json.ts';
import { runs } from '../../lib/testing/depth.ts';

const LINE =
  '{"ClientIP":"1.2.3.4","EdgeStartTimestamp":1506702504433000200,"RayID":"x","Other":{"z":1.0,"a":[]}}';
const field_names = ['ClientIP', 'EdgeStartTimestamp', 'RayID'];

const fieldsOf = (text: string): readonly TextField[] => {
  const value = parseText(text);
  assert.ok(value.kind === 'object', text);
  return value.fields;
};

test("Logpush's own examples come out to the byte", () => {
  assert.equal(
    textOfLines({ options: { field_names } }, LINE),
    '{"ClientIP":"1.2.3.4","EdgeStartTimestamp":1506702504433000200,"RayID":"x"}\n',
  );
  assert.equal(
    textOfLines({ options: { field_names, output_type: 'csv' } }, LINE),
    '"1.2.3.4",1506702504433000200,"x"\n',
  );
  const options = {
    field_names: ['RayID'],
    batch_prefix: '{"events":[',
    record_prefix: '\n  {"info":{',
    record_suffix: '}}',
    record_delimiter: ',',
    batch_suffix: '\n]}\n',
  };
  assert.equal(
    textOfLines({ options }, LINE, '{"RayID":"y"}'),
    '\n  {"info":{"RayID":"x"}},\n  {"info":{"RayID":"y"}}',
  );
});

test('a projection keeps every byte of the values, in the order asked for, the last of one name winning', () => {
  fc.assert(
    fc.property(
      fc.array(lineTexts, { maxLength: 4 }),
      fc.shuffledSubarray([...NAMES], { minLength: 1 }),
      (lines, names) => {
        const records = textOfLines({ options: { field_names: names } }, ...lines).split('\n');
        assert.equal(records.pop(), '');
        records.forEach((record, index) => {
          const fields = fieldsOf(lines[index]!);
          const wanted = names.map((name) => ({
            name,
            text: fields.findLast((field) => field.name === name)?.value.text ?? 'null',
          }));
          assert.deepEqual(
            fieldsOf(record).map(({ name, value }) => ({ name, text: value.text })),
            wanted,
          );
          assert.equal(
            record.length,
            1 +
              wanted.reduce(
                (sum, { name, text }) => sum + JSON.stringify(name).length + 2 + text.length,
                0,
              ),
          );
        });
      },
    ),
    { numRuns: runs(500) },
  );
});

test('without field names all fields come out as they stand, but for the times that were asked to change', () => {
  const options = { timestamp_format: 'unix' } as const;
  fc.assert(
    fc.property(lineTexts, (line) => {
      const record = textOfLines({ options }, line);
      const before = fieldsOf(line);
      const after = fieldsOf(record);
      assert.deepEqual(
        after.map((field) => field.name),
        before.map((field) => field.name),
      );
      after.forEach(({ name, value }, index) => {
        const came = before[index]!.value.text;
        if (name !== 'Timestamp' || value.text === came) return assert.equal(value.text, came);
        assert.match(came, /^\d+$/);
        assert.ok(came.startsWith(value.text));
      });
    }),
    { numRuns: runs(500) },
  );
});

test('another field delimiter takes the place of the comma and nothing else', () => {
  const options = { field_delimiter: ';' };
  assert.equal(
    textOfLines({ options }, ' { "a" : [1, 2] , "b":"x,y" ,"a":1e5} '),
    '{"a" : [1, 2];"b":"x,y";"a":1e5}\n',
  );
  assert.equal(textOfLines({ options }, '{ }'), '{}\n');
});

test('a field that the line lacks is null as NDJSON and nothing as CSV', () => {
  const names = ['a', 'b', 'c', 'd'];
  const line = '{"b":null,"c":"","d":false}';
  assert.equal(
    textOfLines({ options: { field_names: names } }, line),
    '{"a":null,"b":null,"c":"","d":false}\n',
  );
  assert.equal(
    textOfLines({ options: { field_names: names, output_type: 'csv' } }, line),
    ',,"",false\n',
  );
});

/** A reader of RFC 4180, for one record. */
const readCsv = (record: string): string[] => {
  const cells: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n$)/y;
  while (cell.lastIndex < record.length) {
    const match = cell.exec(record);
    assert.ok(match, record);
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
  }
  return cells;
};

test('a CSV reader gets back the decoded strings, the digits, and nested values as JSON', () => {
  const isDecodable = (text: string) =>
    text[0] !== '"' || (JSON.parse(text) as string).isWellFormed();
  fc.assert(
    fc.property(lineTexts, (line) => {
      const fields = fieldsOf(line);
      const last = (name: string) =>
        fields.findLast((field) => field.name === name)?.value.text ?? 'null';
      fc.pre(NAMES.every((name) => isDecodable(last(name))));
      const record = textOfLines({ options: { field_names: NAMES, output_type: 'csv' } }, line);
      const wanted = NAMES.map(last).map((text) =>
        text === 'null' ? '' : text[0] === '"' ? (JSON.parse(text) as string) : text,
      );
      assert.deepEqual(readCsv(record), wanted);
    }),
    { numRuns: runs(500) },
  );
});

test('strings are always quoted in CSV, all of them decoded, half a surrogate pair apart', () => {
  const options = { field_names: ['a'], output_type: 'csv' } as const;
  const cell = (text: string) => textOfLines({ options }, `{"a":${text}}`);
  assert.equal(cell('"x"'), '"x"\n');
  assert.equal(cell('"say \\"hi\\"\\n\\ud83d\\ude00\\u0041"'), '"say ""hi""\n😀A"\n');
  assert.equal(cell('"\\ud800x\\udc00"'), '"\\ud800x\\udc00"\n');
  assert.equal(cell('{"k":"v"}'), '"{""k"":""v""}"\n');
  assert.equal(
    textOfLines({ options: { output_type: 'csv' } }, '{"b":1,"a":"x"}', '{}'),
    '1,"x"\n\n',
  );
});

test('a string with a broken escape makes the line malformed where it must be decoded, and passes where not', () => {
  const lines = ['{"a":"\\q"}', '{"a":"ok"}', '{"a":"\\u12"}'];
  const csv = encodeLines(
    { options: { field_names: ['a'], output_type: 'csv', record_delimiter: ';' } },
    lines,
  );
  assert.deepEqual(csv.malformed, [1_000, 1_002]);
  assert.equal(csv.bytes.toString(), '"ok"\n');
  assert.deepEqual(encodeLines({ options: { field_names: ['a'] } }, lines).malformed, []);
});

const dataset = (type: 'timestamp' | 'int'): DatasetConfig => ({
  id: 'd',
  scope: 'zone',
  strict: false,
  fields: [
    { name: 'at', type, description: '' },
    { name: 'EventTimestamp', type: 'int', description: '' },
  ],
});

test('times are written in all five forms, from nanoseconds, seconds and RFC 3339', () => {
  const came = [
    '1506702504433000201',
    '1506702504',
    '"2017-09-29T16:28:24.433000201Z"',
    '"2017-09-29T18:28:24+02:00"',
  ];
  const written = {
    unixnano: [
      '1506702504433000201',
      '1506702504000000000',
      '1506702504433000201',
      '1506702504000000000',
    ],
    unix: ['1506702504', '1506702504', '1506702504', '1506702504'],
    rfc3339: Array.from({ length: 4 }, () => '"2017-09-29T16:28:24Z"'),
    rfc3339ms: ['433', '000', '433', '000'].map((part) => `"2017-09-29T16:28:24.${part}Z"`),
    rfc3339ns: ['433000201', '000000000', '433000201', '000000000'].map(
      (part) => `"2017-09-29T16:28:24.${part}Z"`,
    ),
  } as const;
  for (const [timestamp_format, texts] of Object.entries(written) as [
    keyof typeof written,
    readonly string[],
  ][]) {
    for (const shape of [
      { field_names: ['at'] },
      {},
      { field_names: ['at'], output_type: 'csv' },
      { output_type: 'csv' },
    ] as const) {
      const lines = came.map((text) => `{"at":${text}}`);
      const records = textOfLines(
        { options: { timestamp_format, ...shape }, dataset: dataset('timestamp') },
        ...lines,
      );
      const isCsv = 'output_type' in shape;
      assert.equal(
        records,
        texts.map((text) => (isCsv ? `${text}\n` : `{"at":${text}}\n`)).join(''),
      );
    }
  }
});

test('which fields hold times is said by their type, and by their name only where the dataset is open', () => {
  const options = {
    timestamp_format: 'unix',
    field_names: ['at', 'EventTimestamp', 'EventTimestampMs'],
  } as const;
  const line =
    '{"at":1506702504433000201,"EventTimestamp":1506702504433000201,"EventTimestampMs":1506702504433}';
  const at = (settings: Parameters<typeof textOfLines>[0]) => textOfLines(settings, line);
  const typed =
    '{"at":1506702504,"EventTimestamp":1506702504433000201,"EventTimestampMs":1506702504433}\n';
  const open =
    '{"at":1506702504433000201,"EventTimestamp":1506702504,"EventTimestampMs":1506702504433}\n';
  assert.equal(at({ options, dataset: dataset('timestamp') }), typed);
  assert.equal(at({ options }), open);
  assert.equal(
    at({ options: { field_names: options.field_names }, dataset: dataset('timestamp') }),
    `${line}\n`,
  );
});

test('what stands in a time field and is no time stays as it came', () => {
  const options = { timestamp_format: 'rfc3339' } as const;
  for (const text of ['-1', '1.5', '"soon"', '""', 'null', '{"s":1}', '12345678901234567890']) {
    assert.equal(textOfLines({ options }, `{"Timestamp":${text}}`), `{"Timestamp":${text}}\n`);
  }
});

test('a template renders values as JSON, and null for what is not offered', () => {
  const options = {
    record_template: 'ip={{ .a }} {{ "{{" }}{{.c}}|{{.b}}',
    field_names: ['a', 'b'],
  };
  const line = '{"a":"x\\"y","b":[1, 2],"c":3}';
  assert.equal(textOfLines({ options }, line), '{ip="x\\"y" {{null|[1, 2]}\n');
  const plain = { record_prefix: '', record_suffix: '\n' };
  assert.equal(
    textOfLines({ options: { ...plain, record_template: '{{.c}}' } }, line, '{}'),
    '3\nnull\n',
  );
  const csv = {
    output_type: 'csv',
    record_template: '{{.a}};{{.Timestamp}}',
    timestamp_format: 'rfc3339',
  } as const;
  assert.equal(
    textOfLines({ options: csv }, '{"a":"b","Timestamp":0}'),
    '"b";"1970-01-01T00:00:00Z"\n',
  );
});

test('bytes that are no UTF-8 come out as they came in', () => {
  const line = Buffer.concat([
    Buffer.from('{"a":"'),
    Buffer.from([0xff, 0xc3, 0x28, 0x7f]),
    Buffer.from('","b":1}'),
  ]);
  const text = line.toString('latin1');
  for (const options of [
    { field_names: ['a'] },
    { field_delimiter: ';' },
    { output_type: 'csv' },
  ] as const) {
    const plain = Buffer.concat([line, Buffer.from('\n')]);
    const piece = encodePlain(options, plain);
    assert.ok(piece.includes(text.slice(5, 11)), piece);
  }
});

function encodePlain(
  options: NonNullable<Parameters<typeof textOfLines>[0]['options']>,
  plain: Buffer,
): string {
  const content = compileContent({ filter: '', outputOptions: options }, undefined, EPOCH);
  assert.ok(content !== 'whole');
  return content.encode(plain, 0, { from: 0, to: 1 }, false).bytes.toString('latin1');
}
