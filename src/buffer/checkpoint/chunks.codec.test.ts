import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  CHUNK_HEADER_BYTES,
  FILE_HEADER_BYTES,
  chunkCrc,
  decodeChunk,
  decodeFileHeader,
  encodeChunk,
  encodeFileHeader,
  payloadBytes,
} from './chunks.codec.ts';
import type { Chunk } from './chunks.codec.ts';

const CHUNKS: readonly Chunk[] = [
  {
    kind: 'head',
    body: {
      sequence: 9,
      position: 123_456,
      tailStart: 100_000,
      serviceMs: 7_200_000,
      lines: 1_005,
      nextStream: 2,
      nextSpan: 1,
      refusalSequence: 3,
      corruptLines: 0,
      damagedBytes: 0,
    },
  },
  {
    kind: 'streams',
    body: [
      [
        1,
        'zones/z1/http_requests',
        'acme',
        '0123456789abcdef',
        1_005,
        898_000,
        1_793_880_000_000,
        7_100_000,
        0,
        5,
        [498_300, 0, 0],
        [],
      ],
    ],
  },
  {
    kind: 'jobs',
    body: [
      {
        id: 7,
        stream: 1,
        start: 5,
        cursor: 5,
        settled: [{ from: 505, to: 1_005 }],
        open: [],
        totals: { delivered: 499, excluded: {}, dropped: { malformed: 1 } },
        deliveredBytes: 449_000,
        sequence: 1,
        chain: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
        lastCompleteMs: null,
        closedMs: null,
        closedServiceMs: null,
        appliedTo: 123_000,
      },
    ],
  },
  { kind: 'keys', slots: Buffer.from('00112233445566778899aabbccddeeff', 'hex') },
];
const golden = () => readFileSync(new URL('golden/checkpoint-v1.bin', import.meta.url));

/** What only version 2 can say: an erasure, and a job with an end. */
const CHUNKS_2: readonly Chunk[] = [
  ...CHUNKS.map((chunk): Chunk => {
    if (chunk.kind !== 'jobs') return chunk;
    const [job] = chunk.body;
    return { kind: 'jobs', body: [{ ...job!, id: 9, end: 700, openedServiceMs: 44_000 }] };
  }),
  { kind: 'erasures', body: [{ stream: 1, to: 300, throughSpan: 4, serviceMs: 45_000 }] },
];
const goldenUrl2 = new URL('golden/checkpoint-v2.bin', import.meta.url);

test('version 2 is written exactly as the golden file has it, and read back', () => {
  const written = Buffer.concat([encodeFileHeader(2), ...CHUNKS_2.map(encodeChunk)]);
  if (!existsSync(goldenUrl2) && process.env['WAYBILL_GOLDEN'] === 'write')
    writeFileSync(goldenUrl2, written);
  const bytes = readFileSync(goldenUrl2);
  assert.ok(written.equals(bytes));
  assert.equal(decodeFileHeader(bytes), 2);
  const chunks: Chunk[] = [];
  for (let at = FILE_HEADER_BYTES; at < bytes.length;) {
    const end = at + CHUNK_HEADER_BYTES + payloadBytes(bytes.subarray(at));
    chunks.push(decodeChunk(bytes.subarray(at, end))!);
    at = end;
  }
  assert.deepEqual(chunks, CHUNKS_2);
});

test('version 1 is written exactly as the golden file has it', () => {
  const written = Buffer.concat([encodeFileHeader(), ...CHUNKS.map(encodeChunk)]);
  assert.ok(written.equals(golden()));
});

test('the golden file of version 1 is read for ever, and a flipped bit is told', () => {
  const bytes = golden();
  assert.equal(decodeFileHeader(bytes), 1);
  for (let at = 0; at < FILE_HEADER_BYTES; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 0x02;
    assert.equal(decodeFileHeader(changed), undefined, 'a flipped bit is no newer version');
  }
  const chunks: Chunk[] = [];
  for (let at = FILE_HEADER_BYTES; at < bytes.length;) {
    const end = at + CHUNK_HEADER_BYTES + payloadBytes(bytes.subarray(at));
    const chunk = Buffer.from(bytes.subarray(at, end));
    chunks.push(decodeChunk(chunk)!);
    for (let byte = 4; byte < chunk.length; byte++) {
      chunk[byte] = chunk[byte]! ^ 1;
      assert.equal(decodeChunk(chunk), undefined, `byte ${byte}`);
      chunk[byte] = chunk[byte]! ^ 1;
    }
    assert.ok(chunkCrc(chunk) > 0);
    at = end;
  }
  assert.deepEqual(chunks, CHUNKS);
});
