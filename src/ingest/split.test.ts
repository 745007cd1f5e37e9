import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '../model/limits.ts';
import type { StreamKey } from '../model/scope.ts';
import type { IngestLimits } from './contract.ts';
import type { Found } from './place.ts';
import { Splitting } from './split.ts';
import type { Split } from './split.ts';
import { runs } from '../lib/testing/depth.ts';

interface Options {
  readonly strict?: boolean;
  readonly quarantine?: boolean;
  readonly limits?: Partial<IngestLimits>;
}

/** `z<n>` and its integer are zones; `no` is one that the sender may not write to; `idle<n>` nobody wants. */
function resolve(value: string): Found {
  if (value === 'no') return 'not_allowed';
  const wanted = !value.startsWith('idle');
  const id = /^(?:z|idle)?([0-9]+)$/.exec(value)?.[1];
  if (id === undefined) return 'unknown';
  const stream: StreamKey = `zones/${wanted ? 'z' : 'idle'}${id}/http`;
  return { stream, account: 'a', wanted };
}

function split(body: string, options: Options = {}): Split {
  const bounds: IngestLimits = { ...limits.ingest, ...options.limits };
  const rules = { lineBytes: bounds.lineBytes, strict: options.strict ?? false };
  const by = { field: 'Zone', resolve, seed: 1 };
  const splitting = new Splitting(
    Buffer.from(body),
    by,
    rules,
    bounds,
    options.quarantine ?? false,
  );
  while (splitting.step());
  return splitting.result();
}

function linesByStream(result: Split): Map<string, string[]> {
  return new Map(
    result.parts.map(({ place: { stream }, lines }) => {
      let start = 0;
      return [
        stream,
        Array.from(lines.ends, (end) => lines.bytes.toString('utf8', start, (start = end))),
      ];
    }),
  );
}

test('each stream gets its lines, in their order, byte for byte', () => {
  const values = fc.oneof(
    fc.nat(5).map((id) => `z${id}`),
    fc.nat(5),
    fc.constantFrom('zz', 'no', null, ['z1']),
  );
  const rests = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(values, rests), { maxLength: 60 }), (entries) => {
      const lines = entries.map(([value, rest], index) =>
        JSON.stringify({ index, ...rest, Zone: value }),
      );
      const expected = new Map<string, string[]>();
      let strays = 0;
      for (const [index, line] of lines.entries()) {
        const value = entries[index]![0];
        const found =
          typeof value === 'string' || typeof value === 'number'
            ? resolve(String(value))
            : 'unknown';
        if (typeof found === 'string') strays++;
        else expected.set(found.stream, [...(expected.get(found.stream) ?? []), `${line}\n`]);
      }
      const result = split(lines.map((line) => `${line}\n`).join(''));
      assert.deepEqual(linesByStream(result), expected);
      assert.equal(
        result.strays.reduce((sum, stray) => sum + stray.count, 0),
        strays,
      );
    }),
    { numRuns: runs(300) },
  );
});

test('lines that cannot be told apart are refused by themselves, each kind with its first line', () => {
  const result = split(
    [
      '{"Zone":"z1"}',
      '{"a":1}',
      'x',
      '',
      '{"Zone":"no"}',
      '{"Zone":true}',
      '{"Zone":"z1","a":"' + 'x'.repeat(200) + '"}',
      '{"Zone":"z1"}',
      '{"Zone":1.5}',
      '',
    ].join('\n'),
    { limits: { lineBytes: 100 } },
  );
  assert.deepEqual(
    linesByStream(result),
    new Map([['zones/z1/http', ['{"Zone":"z1"}\n', '{"Zone":"z1"}\n']]]),
  );
  assert.deepEqual(result.strays, [
    { refusal: { code: 'routing_field_missing', line: 2 }, count: 3 },
    { refusal: { code: 'line_shape', line: 3 }, count: 1 },
    { refusal: { code: 'scope_not_allowed', line: 5 }, count: 1 },
    { refusal: { code: 'line_too_long', line: 7 }, count: 1 },
  ]);
});

test('one zone is found however its value is written; the last of two fields counts', () => {
  const result = split(
    '{"Zone":"z1"}\n{"\\u005aone":"\\u007a1"}\n{"Zone":1}\n{"Zone":"z2","Zone":"z1"}\n',
  );
  assert.deepEqual([...linesByStream(result).keys()], ['zones/z1/http']);
  assert.equal(result.parts[0]?.count, 4);
});

test('I6: a bad line refuses its own stream and no other', () => {
  const body =
    '{"Zone":"z1"}\n{"Zone":"z2","a":tru\0}\n{"Zone":"z2","a":01,"b":{x}}\n{"Zone":"z2","c":{x}}\n{"Zone":"z1"}\n{"Zone":"z2"}\n';
  const result = split(body, { strict: true });
  const [first, second] = result.parts;
  assert.equal(first?.refusal, undefined);
  assert.equal(first?.lines.ends.length, 2);
  assert.deepEqual(second?.refusal, { code: 'line_json', line: 4 });
  assert.equal(second?.count, 2);
  assert.equal(second?.lines.ends.length, 0);
  assert.deepEqual(result.strays, [{ refusal: { code: 'line_shape', line: 2 }, count: 2 }]);
});

test('bad lines of known streams are kept apart on request, bounded over the request', () => {
  const body =
    '{"Zone":"z1","a":{x}}\n{"Zone":"z1"}\n{"Zone":"z2","a":{x}}\n{"Zone":"z3","a":{x}}\n';
  const result = split(body, {
    strict: true,
    quarantine: true,
    limits: { quarantinedPerRequest: 2 },
  });
  const shown = result.parts.map(({ place: { stream }, bad, refusal, lines }) => [
    stream,
    bad.map((line) => line.line),
    refusal?.line,
    lines.ends.length,
  ]);
  assert.deepEqual(shown, [
    ['zones/z1/http', [1], undefined, 1],
    ['zones/z2/http', [3], undefined, 0],
    ['zones/z3/http', [], 4, 0],
  ]);
});

test('unwanted streams are counted, and nothing is copied for them', () => {
  const result = split('{"Zone":"idle1"}\n{"Zone":"idle1"}\n');
  assert.equal(result.parts[0]?.count, 2);
  assert.equal(result.parts[0]?.lines.bytes.length, 0);
});

test('I5: streams of one body are bounded', () => {
  const body = Array.from({ length: 11 }, (_, id) => `{"Zone":"z${id}"}\n`).join('');
  assert.equal(split(body, { limits: { streamsPerRequest: 11 } }).refusal, undefined);
  assert.equal(split(body, { limits: { streamsPerRequest: 10 } }).refusal?.code, 'body_too_large');
});

test('thousands of zones in one body, more values than the table holds', () => {
  const body = Array.from(
    { length: 6_000 },
    (_, id) => `{"Zone":"z${id % 3_000}","n":${id}}\n`,
  ).join('');
  const result = split(body, { limits: { streamsPerRequest: 3_000 } });
  assert.equal(result.parts.length, 3_000);
  for (const [id, part] of result.parts.entries()) {
    assert.equal(part.place.stream, `zones/z${id}/http`);
    assert.equal(
      part.lines.bytes.toString(),
      `{"Zone":"z${id}","n":${id}}\n{"Zone":"z${id}","n":${id + 3_000}}\n`,
    );
  }
  const unknown = Array.from({ length: 500 }, (_, id) => `{"Zone":"u${id}"}\n`).join('');
  assert.equal(
    split(unknown + unknown, { limits: { streamsPerRequest: 10 } }).strays[0]?.count,
    1_000,
  );
});
