/**
 * Question: how much faster is it to filter and project lines on their bytes than to parse and print them?
 *
 *     node bench/content.ts [rounds]
 *
 * Bar: with 3 conditions and 10 of 25 fields at least twice as fast per core as `JSON.parse` and `JSON.stringify` of the same
 * lines. All ways run in turn in one process, and each one's best round counts, so that a busy machine slows all alike.
 */
import { compileContent } from '../src/deliver/content/index.ts';
import type { OutputOptions } from '../src/model/snapshot.ts';
import { httpBlocks } from './lib/http-lines.ts';

const ROUNDS = Number(process.argv[2] ?? 15);
const NAMES = [
  'ClientIP',
  'ClientRequestHost',
  'ClientRequestMethod',
  'ClientRequestURI',
  'EdgeEndTimestamp',
  'EdgeResponseBytes',
  'EdgeResponseStatus',
  'EdgeStartTimestamp',
  'RayID',
  'ClientRequestUserAgent',
] as const;
const FILTER = JSON.stringify({
  where: {
    and: [
      { key: 'EdgeResponseStatus', operator: 'lt', value: 600 },
      { key: 'ClientRequestMethod', operator: '!eq', value: 'OPTIONS' },
      { key: 'ClientRequestURI', operator: '!contains', value: '/health' },
    ],
  },
});

const blocks = httpBlocks(7, 8 * 2 ** 20);
const lineCount = blocks.reduce((sum, block) => sum + block.lines, 0);
const byteCount = blocks.reduce((sum, block) => sum + block.bytes.length, 0);

/** One way to do it: gives the bytes put out, so that ways can be compared. */
type Way = () => number;

function encoded(filter: string, outputOptions: OutputOptions | null): Way {
  const encoder = compileContent({ filter, outputOptions }, undefined, '0123456789abcdef');
  return () => {
    let sum = 0;
    for (const { bytes, lines } of blocks) {
      if (encoder === 'whole') return byteCount;
      sum += encoder.encode(bytes, 0, { from: 0, to: lines }, false).bytes.length;
    }
    return sum;
  };
}

type Line = Record<string, unknown>;

function parsed(print: (line: Line) => string): Way {
  return () => {
    let sum = 0;
    for (const { bytes } of blocks) {
      const out: string[] = [];
      for (let at = 0; at < bytes.length;) {
        const end = bytes.indexOf(0x0a, at);
        out.push(print(JSON.parse(bytes.toString('utf8', at, end)) as Line));
        at = end + 1;
      }
      sum += Buffer.from(out.join('')).length;
    }
    return sum;
  };
}

function passes(line: Line): boolean {
  return (
    (line['EdgeResponseStatus'] as number) < 600 &&
    line['ClientRequestMethod'] !== 'OPTIONS' &&
    !(line['ClientRequestURI'] as string).includes('/health')
  );
}

function project(line: Line): Line {
  const picked: Line = {};
  for (const name of NAMES) picked[name] = line[name];
  return picked;
}

const ways: Record<string, Way> = {
  'parse + stringify whole lines': parsed((line) => `${JSON.stringify(line)}\n`),
  'parse + filter + project + stringify': parsed((line) =>
    passes(line) ? `${JSON.stringify(project(line))}\n` : '',
  ),
  'bytes: filter + project': encoded(FILTER, { field_names: NAMES }),
  'bytes: project': encoded('', { field_names: NAMES }),
  'bytes: filter': encoded(FILTER, null),
  'bytes: project, rfc3339ns': encoded('', { field_names: NAMES, timestamp_format: 'rfc3339ns' }),
  'bytes: project as csv': encoded('', { field_names: NAMES, output_type: 'csv' }),
  'bytes: all fields, rfc3339': encoded('', { timestamp_format: 'rfc3339' }),
  'bytes: sample of a tenth': encoded('', { sample_rate: 0.1 }),
};

const best = new Map<string, { us: number; bytes: number }>();
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, way] of Object.entries(ways)) {
    const from = process.hrtime.bigint();
    const bytes = way();
    const us = Number(process.hrtime.bigint() - from) / 1_000 / lineCount;
    if (us < (best.get(name)?.us ?? Infinity)) best.set(name, { us, bytes });
  }
}

const baseline = best.get('parse + filter + project + stringify')!;
const whole = best.get('parse + stringify whole lines')!;
console.log(
  `${lineCount} lines of ${Math.round(byteCount / lineCount)} bytes, best of ${ROUNDS} rounds`,
);
for (const [name, { us, bytes }] of best) {
  const cells = [
    name.padEnd(38),
    `${us.toFixed(2)} us/line`,
    `${(byteCount / lineCount / us).toFixed(0)} MB/s in`.padStart(12),
    `${(bytes / lineCount).toFixed(0)} bytes out`.padStart(15),
    `${(baseline.us / us).toFixed(2)}x`.padStart(7),
    `${(whole.us / us).toFixed(2)}x whole`.padStart(13),
  ];
  console.log(cells.join('  '));
}
