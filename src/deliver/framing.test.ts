/** Batches for receivers that want text between lines, and receivers that take a batch but for a few lines. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import type { Framing } from '../destinations/index.ts';
import { createDeflater } from '../lib/deflater.ts';
import { deflateFragment } from '../lib/gzip.ts';
import { settledLines } from '../model/delivery.ts';
import type { ContentEncoder } from './content/contract.ts';
import type { ReceiverDescription } from './contract.ts';
import { prepare } from './prepare.ts';
import type { PreparedBatch, PrepareTools } from './prepare.ts';
import { MemoryBuffer } from './testing/memory-buffer.ts';
import { jobOf, numbered, World } from './testing/world.ts';

const deflater = createDeflater(5, 1);

const STREAM = 'zones/z1/http_requests';
const T0 = Date.UTC(2026, 10, 23, 6);

const ARRAY: Framing = {
  contentType: 'application/json',
  prefix: '[',
  suffix: ']',
  before: ['{"o":', { put: 'offset' }, ',"ns":"', { put: 'timeNs' }, '","line":'],
  after: ['}'],
  delimiter: ',',
  line: 'json string',
};

/** Every second line passes, malformed ones are those with `!`. */
const EVEN: ContentEncoder = {
  contentType: 'application/x-ndjson',
  prefix: Buffer.alloc(0),
  suffix: Buffer.alloc(0),
  encode(plain, first, range) {
    const rows = plain
      .toString()
      .split('\n')
      .slice(range.from - first, range.to - first);
    const malformed = rows.flatMap((row, i) => (row.includes('!') ? [range.from + i] : []));
    const kept = rows.filter((row, i) => !row.includes('!') && (range.from + i) % 2 === 0);
    return {
      bytes: Buffer.from(kept.map((row) => `${row}\n`).join('')),
      lines: kept.length,
      excluded: { filter: rows.length - kept.length - malformed.length },
      malformed,
    };
  },
};

async function prepared(
  lines: readonly (readonly string[])[],
  receiver: ReceiverDescription,
  content: 'whole' | ContentEncoder = 'whole',
): Promise<PreparedBatch> {
  const buffer = new MemoryBuffer();
  for (const [index, block] of lines.entries()) buffer.add(STREAM, block, T0 + index, 'deflate');
  const tools: PrepareTools = {
    buffer,
    inflate: async ({ codec, stored }) =>
      codec === 'raw'
        ? stored
        : zlib.inflateRawSync(stored, { finishFlush: zlib.constants.Z_SYNC_FLUSH }),
    deflate: (plain) => deflateFragment(plain, deflater),
    inTurn: async (piece) => piece(),
    limits: {
      smallBlockBytes: 0,
      sparingBlockBytes: 0,
      turnBytes: 40,
      malformedPerBatch: 2,
      batchBytes: 1e9,
    },
  };
  const range = { from: 0, to: lines.flat().length };
  const origin = { job: 1, epoch: 'e' };
  const request = { stream: STREAM, range, pinned: true, content, origin, receiver };
  const made = await prepare(request, tools);
  assert.ok(made.kind === 'batch');
  return made;
}

describe('framing', () => {
  const lines = [
    ['{"a":"x\\"y"}', '{"b":1}'],
    ['{"!":1}', '{"c":"tab\there"}'],
    ['{"d":9007199254740993}'],
  ];

  it('puts text between lines and leaves their bytes', async () => {
    const made = await prepared(lines, { fingerprint: '', framing: ARRAY });
    assert.equal(made.contentType, 'application/json');
    const parsed = JSON.parse(zlib.gunzipSync(Buffer.concat(made.member.parts)).toString()) as {
      o: number;
      ns: string;
      line: string;
    }[];
    assert.deepEqual(
      parsed.map(({ line }) => line),
      lines.flat(),
    );
    assert.deepEqual(
      parsed.map(({ o }) => o),
      [0, 1, 2, 3, 4],
    );
    assert.equal(new Set(parsed.map(({ ns }) => ns)).size, 5);
    assert.equal(parsed[4]?.ns, `${T0 + 2}000004`);
    assert.deepEqual(made.offsets, [0, 1, 2, 3, 4]);
  });

  it('names the offsets of the lines that pass a filter, and counts the others', async () => {
    const made = await prepared(lines, { fingerprint: '', framing: ARRAY }, EVEN);
    assert.deepEqual(made.offsets, [0, 4]);
    assert.deepEqual(made.counts, {
      delivered: 2,
      excluded: { filter: 2 },
      dropped: { malformed: 1 },
    });
    assert.equal(made.malformed[0]?.bytes.toString(), '{"!":1}');
  });

  it('leaves batches alone that output options make something else of', async () => {
    const content = { ...EVEN, contentType: 'text/csv' };
    const made = await prepared(lines, { fingerprint: '', framing: ARRAY }, content);
    assert.equal(made.contentType, 'text/csv');
    assert.equal(made.offsets, undefined);
  });

  it('packs no gzip for receivers that take none', async () => {
    const made = await prepared(lines, { fingerprint: '', encoding: 'identity' });
    const text = Buffer.concat(made.member.parts).toString();
    assert.equal(
      text,
      lines
        .flat()
        .map((line) => `${line}\n`)
        .join(''),
    );
    assert.equal(made.member.bytes, text.length);
  });
});

describe('a receiver that takes a batch but for a few lines', () => {
  async function deliverTo(refusedOf: (lines: number) => number[], lines: number): Promise<World> {
    const world = new World({ refusedPerBatch: 2 });
    world.framing = {
      ...ARRAY,
      line: 'as it is',
      before: [],
      after: [],
      delimiter: '\n',
      prefix: '',
      suffix: '\n',
    };
    world.receiver = ({ batch, lines: sent }) => {
      const refused = refusedOf(sent.length);
      if (refused.length === 0) return { kind: 'accepted', receipt: batch.name };
      return { kind: 'partial', receipt: batch.name, refused, reason: 'a field has another type' };
    };
    world.restart();
    await world.delivery.apply([jobOf(1)], 1);
    world.add(STREAM, numbered(lines));
    await world.pass(3_000);
    return world;
  }

  it('I2: settles exactly the lines taken and keeps the others with the answer', async () => {
    const world = await deliverTo((lines) => (lines === 5 ? [1, 3] : []), 5);
    const [waybill] = world.buffer.waybills;
    assert.ok(waybill);
    assert.deepEqual(waybill.counts, {
      delivered: 3,
      excluded: {},
      dropped: { rejected_by_destination: 2 },
    });
    assert.equal(settledLines(waybill.counts), 5);
    assert.deepEqual(
      world.kept.map(({ offset, bytes, reason }) => [offset, bytes.toString(), reason]),
      [
        [1, '{"n":1}', 'rejected_by_destination'],
        [3, '{"n":3}', 'rejected_by_destination'],
      ],
    );
    assert.match(world.kept[0]?.detail ?? '', /another type/);
  });

  it('many refused lines are a refused batch: nothing is dropped for it', async () => {
    const world = await deliverTo((lines) => (lines === 5 ? [0, 1, 2, 3] : []), 5);
    assert.ok(world.attempts.some(({ outcome }) => outcome === 'reject'));
    for (const { counts } of world.buffer.waybills) assert.deepEqual(counts.dropped, {});
  });
});
