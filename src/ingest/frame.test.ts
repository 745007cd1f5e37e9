import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '../model/limits.ts';
import type { IngestLimits } from './contract.ts';
import { Framing } from './frame.ts';
import type { Framed } from './frame.ts';
import { runs } from '../lib/testing/depth.ts';

interface Options {
  readonly strict?: boolean;
  readonly quarantine?: boolean;
  readonly limits?: Partial<IngestLimits>;
}

function frame(body: Buffer, options: Options = {}): Framed {
  const bounds: IngestLimits = { ...limits.ingest, ...options.limits };
  const rules = { lineBytes: bounds.lineBytes, strict: options.strict ?? false };
  const framing = new Framing(body, rules, bounds, options.quarantine ?? false);
  while (framing.step());
  return framing.result();
}

/** The lines that the result holds, by its own ends. */
function linesOf({ lines }: Framed): string[] {
  let start = 0;
  return Array.from(lines.ends, (end) => lines.bytes.toString('latin1', start, (start = end)));
}

/** The same rules over strings that are split: slow and plain. */
function model(
  text: string,
  lineBytes: number,
): { good: string[]; bad: [number, string, string][]; count: number } {
  const good: string[] = [];
  const bad: [number, string, string][] = [];
  let count = 0;
  for (const [index, line] of text.split('\n').slice(0, -1).entries()) {
    const inner = line.replace(/^[ \t\r]+|[ \t\r]+$/g, '');
    if (inner === '') continue;
    count++;
    const shaped = inner.startsWith('{') && inner.endsWith('}') && !line.includes('\0');
    if (line.length > lineBytes) bad.push([index + 1, line.slice(0, lineBytes), 'line_too_long']);
    else if (!shaped) bad.push([index + 1, line, 'line_shape']);
    else good.push(`${line}\n`);
  }
  return { good, bad, count };
}

const bodies = fc
  .array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.stringMatching(/^[ \t\r]{0,2}\{[a-c"{}\r ]{0,12}\}[ \t\r]{0,2}$/),
      },
      { weight: 1, arbitrary: fc.stringMatching(/^[ \t\r]{0,3}$/) },
      { weight: 1, arbitrary: fc.stringMatching(/^[{}a \r\0]{0,4}$/) },
    ),
    { maxLength: 40 },
  )
  .map((lines) => lines.map((line) => `${line}\n`).join(''));

test('framing gives the lines that splitting the text gives, kept apart or refused', () => {
  fc.assert(
    fc.property(bodies, (text) => {
      const expected = model(text, 12);
      const body = Buffer.from(text, 'latin1');
      const kept = frame(Buffer.from(body), { quarantine: true, limits: { lineBytes: 12 } });
      assert.deepEqual(linesOf(kept), expected.good);
      assert.equal(kept.lines.ends.at(-1) ?? 0, kept.lines.bytes.length);
      assert.equal(kept.count, expected.count);
      const bad = kept.bad.map(({ line, bytes, problem }) => [
        line,
        bytes.toString('latin1'),
        problem,
      ]);
      assert.deepEqual(bad, expected.bad);

      const refused = frame(Buffer.from(body), { limits: { lineBytes: 12 } });
      const [first] = expected.bad;
      assert.deepEqual(refused.refusal, first && { code: first[2], line: first[0] });
      assert.equal(refused.count, expected.count);
    }),
    { numRuns: runs(500) },
  );
});

test('a body with nothing blank or bad goes through as the very Buffer that it is', () => {
  const body = Buffer.from('{"a":1}\n {"b":2} \r\n{}\n');
  const { lines } = frame(body);
  assert.equal(lines.bytes.buffer, body.buffer);
  assert.equal(lines.bytes.byteOffset, body.byteOffset);
  assert.equal(lines.bytes.toString(), '{"a":1}\n {"b":2} \r\n{}\n');
  assert.deepEqual([...lines.ends], [8, 19, 22]);
});

test('a carriage return before the newline stays with its line', () => {
  assert.deepEqual(linesOf(frame(Buffer.from('{}\r\n\r\n{}\r\n'))), ['{}\r\n', '{}\r\n']);
});

test('a byte order mark is not a line’s shape', () => {
  assert.deepEqual(frame(Buffer.from('\ufeff{}\n')).refusal, { code: 'line_shape', line: 1 });
});

test('strict datasets refuse what is not JSON, and bytes that are not UTF-8, by line', () => {
  const good = Buffer.from('{"a":[1,{"ä":null}]}\n');
  assert.equal(frame(Buffer.from(good), { strict: true }).refusal, undefined);
  const broken = Buffer.concat([good, Buffer.from('\n{"a":01}\n')]);
  assert.deepEqual(frame(broken, { strict: true }).refusal, { code: 'line_json', line: 3 });
  assert.equal(frame(broken).refusal, undefined);
  const latin1 = Buffer.concat([good, Buffer.from('{"a":"é"}\n', 'latin1'), good]);
  assert.deepEqual(frame(latin1, { strict: true }).refusal, { code: 'line_json', line: 2 });
});

test('I5: lines are bounded in number, blank ones too', () => {
  const few = { limits: { linesPerRequest: 3 } };
  assert.equal(frame(Buffer.from('{}\n\n{}\n'), few).refusal, undefined);
  assert.equal(frame(Buffer.from('{}\n\n\n{}\n'), few).refusal?.code, 'body_too_large');
});

test('I5: bad lines kept apart are bounded; one more refuses the body', () => {
  const two = { quarantine: true, limits: { quarantinedPerRequest: 2 } };
  assert.equal(frame(Buffer.from('x\n{}\ny\n'), two).bad.length, 2);
  assert.deepEqual(frame(Buffer.from('x\n{}\ny\nz\n{}\n'), two).refusal, {
    code: 'line_shape',
    line: 4,
  });
});

test('a long body is framed in turns', () => {
  const text = '{"a":1}\n'.repeat(50_000);
  const framing = new Framing(
    Buffer.from(text),
    { lineBytes: 100, strict: false },
    limits.ingest,
    false,
  );
  let turns = 1;
  while (framing.step()) turns++;
  assert.equal(turns, 3);
  assert.equal(framing.result().lines.ends.length, 50_000);
  assert.equal(framing.result().lines.bytes.toString(), text);
});
