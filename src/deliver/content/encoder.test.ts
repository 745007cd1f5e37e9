import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { OutputOptions } from '../../model/snapshot.ts';
import { compileContent } from './index.ts';
import { Sampler } from './sample.ts';
import { encodeLines, encoderOf, EPOCH, textOfLines } from './testing/encode.ts';
import { lineTexts } from './testing/lines.ts';
import { runs } from '../../lib/testing/depth.ts';

const contentOf = (outputOptions: OutputOptions | null, filter = '') =>
  compileContent({ filter, outputOptions }, undefined, EPOCH);

test('a job that changes nothing delivers whole lines, and is never looked into', () => {
  assert.equal(contentOf(null), 'whole');
  assert.equal(contentOf({}), 'whole');
  const defaults: OutputOptions = {
    output_type: 'ndjson',
    sample_rate: 1,
    batch_prefix: '',
    batch_suffix: '',
    record_prefix: '{',
    record_suffix: '}\n',
    record_delimiter: '',
    field_delimiter: ',',
    record_template: '',
    'CVE-2021-44228': false,
    merge_subrequests: false,
  };
  assert.equal(contentOf(defaults), 'whole');
});

test('a stored filter or template that cannot be read stops the job, and is never read as none (I4)', () => {
  assert.throws(() => contentOf(null, '{'), /broken invariant/);
  assert.throws(() => contentOf({ record_template: '{{' }), /broken invariant/);
});

test('a filter whose field has left the dataset goes on judging', () => {
  const dataset = {
    id: 'd',
    scope: 'zone',
    strict: false,
    fields: [{ name: 'other', type: 'int', description: '' }],
  } as const;
  const settings = { where: { key: 'a', operator: 'eq', value: 1 }, dataset };
  assert.equal(textOfLines(settings, '{"a":1}', '{"a":2}'), '{"a":1}\n');
});

test('with a filter alone the lines that pass come out byte for byte', () => {
  const where = { key: 'a', operator: 'eq', value: 1 };
  const piece = encodeLines({ where }, [
    '{ "a" : 1.0 , "a":1 }\t',
    '{"a":2}',
    '{"b":1}',
    '{"a":1}\r',
  ]);
  assert.equal(piece.bytes.toString(), '{ "a" : 1.0 , "a":1 }\t\n{"a":1}\r\n');
  assert.deepEqual(piece.excluded, { filter: 2 });
});

test('every line of a range is accounted for: written, excluded by filter or sample, or malformed (I2)', () => {
  const where = { key: 'a', operator: 'geq', value: 0 };
  fc.assert(
    fc.property(
      fc.array(fc.oneof(lineTexts, fc.constantFrom('{"a":1}', '{"a":-1}', '{', '{"a":')), {
        maxLength: 20,
      }),
      fc.constantFrom(1, 0.5),
      (lines, sample_rate) => {
        const piece = encodeLines({ where, options: { sample_rate } }, lines);
        assert.equal(piece.bytes.toString().split('\n').length - 1, piece.lines);
      },
    ),
    { numRuns: runs(300) },
  );
});

test('a range within a block is cut out by its offsets, whatever else the block holds', () => {
  const plain = Buffer.from('{"a":0}\nbroken\n{"a":2}\n{"a":3}\nbroken\n');
  const encoder = encoderOf({ options: { field_names: ['a'] } });
  const piece = encoder.encode(plain, 70, { from: 72, to: 74 }, false);
  assert.equal(piece.bytes.toString(), '{"a":2}\n{"a":3}\n');
  assert.deepEqual(piece.malformed, []);
  assert.deepEqual(encoder.encode(plain, 70, { from: 70, to: 72 }, false).malformed, [71]);
  assert.throws(() => encoder.encode(plain, 70, { from: 70, to: 76 }, false), /broken invariant/);
});

test('a delimiter stands between records only, over blocks and over lines that were left out', () => {
  const settings = {
    where: { key: 'a', operator: 'gt', value: 0 },
    options: { record_delimiter: ',', record_suffix: '}' },
  };
  const lines = ['{"a":0}', 'broken', '{"a":1}', '{"a":0}', '{"a":2}', '{"a":0}'];
  assert.equal(encodeLines(settings, lines).bytes.toString(), '{"a":1},{"a":2}');
  assert.equal(encodeLines(settings, lines, true).bytes.toString(), ',{"a":1},{"a":2}');
});

test('cut anywhere, a batch has the same bytes (I7)', () => {
  const settings = {
    where: { key: 'b', operator: '!eq', value: 3 },
    options: {
      field_names: ['b', 'a'],
      record_delimiter: ';',
      sample_rate: 0.6,
      timestamp_format: 'unix',
    },
  } as const;
  fc.assert(
    fc.property(fc.array(lineTexts, { minLength: 2, maxLength: 12 }), fc.nat(), (lines, where) => {
      const encoder = encoderOf(settings);
      const plain = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      const end = 500 + lines.length;
      const cut = 500 + (where % (lines.length + 1));
      const whole = encoder.encode(plain, 500, { from: 500, to: end }, false);
      const head = encoder.encode(plain, 500, { from: 500, to: cut }, false);
      const tail = encoderOf(settings).encode(plain, 500, { from: cut, to: end }, head.lines > 0);
      assert.deepEqual(Buffer.concat([head.bytes, tail.bytes]), whole.bytes);
    }),
    { numRuns: runs(200) },
  );
});

test('prefix and suffix of a batch are given once, and no piece holds them', () => {
  const encoder = encoderOf({
    options: {
      batch_prefix: 'id\n',
      batch_suffix: 'end\n',
      output_type: 'csv',
      field_names: ['a'],
    },
  });
  assert.equal(encoder.prefix.toString(), 'id\n');
  assert.equal(encoder.suffix.toString(), 'end\n');
  assert.equal(
    encoder.encode(Buffer.from('{"a":1}\n'), 0, { from: 0, to: 1 }, false).bytes.toString(),
    '1\n',
  );
});

test('where records stand in a larger document a malformed line is left out rather than spoil it', () => {
  const lines = ['{"a":1}', '{"a":', '{"a":2}'];
  const document = { batch_prefix: '[', record_delimiter: ',', batch_suffix: ']' };
  assert.deepEqual(encodeLines({ options: document }, lines).malformed, [1_001]);
  assert.equal(
    textOfLines({ options: { 'CVE-2021-44228': true } }, ...lines),
    `${lines.join('\n')}\n`,
  );
});

test('CVE-2021-44228 writes x{ for ${ wherever it stands in the output', () => {
  const on = { 'CVE-2021-44228': true };
  const line = '{"a":"${jndi:x}$${","${":"$x{","b":"\\u0024{"}';
  const defused = '{"a":"x{jndi:x}$x{","x{":"$x{","b":"\\u0024{"}\n';
  assert.equal(textOfLines({ options: on }, line, '{}'), `${defused}{}\n`);
  assert.equal(
    textOfLines({ options: { ...on, field_names: ['a'] } }, line),
    '{"a":"x{jndi:x}$x{"}\n',
  );
  assert.equal(
    textOfLines({ options: { ...on, output_type: 'csv', field_names: ['b'] } }, line),
    '"x{"\n',
  );
  assert.equal(textOfLines({ options: { field_names: ['b'] } }, line), '{"b":"\\u0024{"}\n');
  const around = encoderOf({ options: { ...on, batch_prefix: '${a', batch_suffix: 'b${' } });
  assert.equal(`${around.prefix.toString()} ${around.suffix.toString()}`, 'x{a bx{');
});

test('a sample is drawn by epoch and offset alone, after the filter', () => {
  const lines = Array.from({ length: 2_000 }, (_, index) => `{"a":${index % 2}}`);
  const where = { key: 'a', operator: 'eq', value: 1 };
  const piece = encodeLines({ where, options: { sample_rate: 0.25 } }, lines);
  assert.equal(piece.excluded.filter, 1_000);
  assert.equal(piece.lines + piece.excluded.sample!, 1_000);
  assert.deepEqual(encodeLines({ where, options: { sample_rate: 0.25 } }, lines), piece);
  const elsewhere = encodeLines(
    { where, options: { sample_rate: 0.25 }, epoch: 'fedcba9876543210' },
    lines,
  );
  assert.notDeepEqual(elsewhere.bytes, piece.bytes);
});

test('a sample has its share of lines, over any run of offsets and for any epoch', () => {
  for (const epoch of ['0000000000000000', EPOCH, 'ffffffffffffffff', '0000000000000001']) {
    for (const from of [0, 1_000_000, 2 ** 32 - 5_000, 2 ** 40]) {
      for (const rate of [0.01, 0.1, 0.5, 0.9]) {
        const sampler = new Sampler(epoch, rate);
        let taken = 0;
        for (let offset = from; offset < from + 10_000; offset++)
          if (sampler.takes(offset)) taken++;
        const spread = Math.sqrt(10_000 * rate * (1 - rate));
        assert.ok(Math.abs(taken - 10_000 * rate) < 5 * spread, `${taken} of 10000 at ${rate}`);
      }
    }
  }
});

test('a lower rate takes a part of what a higher one takes, and 1 takes all', () => {
  const [low, high, all] = [0.1, 0.3, 1].map((rate) => new Sampler(EPOCH, rate));
  for (let offset = 0; offset < 5_000; offset++) {
    assert.ok(all!.takes(offset));
    if (low!.takes(offset)) assert.ok(high!.takes(offset));
  }
});

test('the sampling function is part of the format: these offsets, for ever', () => {
  const sampler = new Sampler(EPOCH, 0.05);
  const taken = Array.from({ length: 200 }, (_, offset) => offset).filter((offset) =>
    sampler.takes(offset),
  );
  assert.deepEqual(taken, [2, 31, 66, 79, 106, 112, 148, 172, 192]);
  const late = Array.from({ length: 100 }, (_, index) => 2 ** 33 + index).filter((offset) =>
    sampler.takes(offset),
  );
  assert.deepEqual(
    late.map((offset) => offset - 2 ** 33),
    [17, 22, 54, 75, 81, 93],
  );
});

test('a block far larger than any before it is encoded whole', () => {
  const long = 'x'.repeat(300_000);
  const lines = Array.from({ length: 40 }, (_, index) => `{"a":"${long}","b":${index}}`);
  const piece = encodeLines({ options: { field_names: ['b', 'a'] } }, lines);
  assert.equal(
    piece.bytes.length,
    lines.reduce((sum, line) => sum + line.length + 1, 0),
  );
  assert.equal(textOfLines({ options: { field_names: ['b'] } }, '{"b":1}'), '{"b":1}\n');
});
