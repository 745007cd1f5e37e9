/** The formats: held by golden files, and by flipping every bit that could be flipped (I10). */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { crc32, deflateRawSync, constants } from 'node:zlib';

import { BlockDamaged, inflateBlock } from '../inflate.ts';
import type { Waybill } from '../../model/delivery.ts';
import { decodeBlock, encodeBlock } from './block.codec.ts';
import type { BlockHeader, BlockRecord } from './block.codec.ts';
import { FORMAT, sealFrame } from './frame.ts';
import { encodeIndexPage, lastNotBehind, packRefs, refAt } from './index-page.ts';
import type { BlockRef } from './index-page.ts';
import {
  decodeRecord,
  encodeErasure,
  encodeGenesis,
  encodeHeads,
  encodeJob,
  encodePlan,
  encodeRefusals,
  encodeStream,
  encodeWaybill,
  waybillBytes,
  waybillHash,
} from './records.codec.ts';
import type { BufferRecord } from './records.codec.ts';

const PLAIN = Buffer.from('{"a":1}\n{"b":12345678901234567890}\n{"c":"\\u00e9"}\n');
/** Made once by zlib and kept as bytes: another zlib may deflate otherwise, and the format is what is held here. */
const STORED = Buffer.from(
  'aa564a54b232ace5aa564a52b232343236313533b7b03440b04052c94a564a31a50606a9964ab55c' +
    '00000000ffff',
  'hex',
);

function header(stored: Buffer, codec: 'raw' | 'deflate'): BlockHeader {
  return {
    stream: 7,
    epoch: '0123456789abcdef',
    first: 2 ** 40 + 5,
    lines: 3,
    receivedMs: 1_795_413_600_123,
    serviceMs: 86_400_001,
    linesBefore: 2 ** 33,
    copied: false,
    codec,
    plainBytes: PLAIN.length,
    plainCrc: crc32(PLAIN),
    storedCrc: crc32(stored),
    identities: [
      {
        identity: { kind: 'key', hash: Buffer.from('00112233445566778899aabbccddeeff', 'hex') },
        lineStart: 0,
        lines: 2,
        requestFirst: 2 ** 40 + 5,
        requestLines: 2,
        requestBytes: 36,
        requestCrc: 0xcbf43926,
      },
      {
        identity: { kind: 'producer', producer: 0xfedcba9876543210n, epoch: 3, sequence: 2 ** 35 },
        lineStart: 2,
        lines: 1,
        requestFirst: 2 ** 40 + 7,
        requestLines: 1,
        requestBytes: 16,
        requestCrc: 1,
      },
    ],
  };
}

const WAYBILL: Waybill = {
  job: 3,
  sequence: 2,
  stream: 'zones/z1/http_requests',
  epoch: '0123456789abcdef',
  range: { from: 5, to: 9 },
  hour: 498_726,
  counts: { delivered: 2, excluded: { filter: 1 }, dropped: { malformed: 1, corrupt: 0 } },
  plan: '3-0123456789abcdef-5-9',
  sha256: 'ab'.repeat(32),
  plainBytes: 100,
  sentBytes: 60,
  receipt: 'logs/x.gz',
  destination: 'd1',
  configVersion: 4,
  atMs: 1_795_413_700_000,
  previous: null,
};

const REF: BlockRef = {
  stream: 7,
  first: 2 ** 40,
  lines: 3,
  position: 2 ** 36,
  plainBytes: 50,
  storedBytes: 40,
  receivedMs: 1_795_413_600_123,
};

function samples(): Record<string, Buffer> {
  const deflated = Buffer.concat([...encodeBlock(header(STORED, 'deflate'), STORED)]);
  const raw = Buffer.concat([...encodeBlock(header(PLAIN, 'raw'), PLAIN)]);
  const atMs = 1_795_413_600_000;
  return {
    'block-deflate': deflated,
    'block-raw': raw,
    genesis: encodeGenesis(0, { createdMs: atMs }),
    stream: encodeStream(5, { id: 7, key: WAYBILL.stream, account: 'a1', epoch: WAYBILL.epoch }),
    'job-opened': encodeJob(6, {
      event: 'opened',
      job: 3,
      stream: 7,
      start: 5,
      atMs,
      sequence: 0,
      chain: null,
    }),
    'job-closed': encodeJob(7, { event: 'closed', job: 3, atMs }),
    plan: encodePlan(8, {
      job: 3,
      plans: [
        {
          id: WAYBILL.plan!,
          job: 3,
          epoch: WAYBILL.epoch,
          range: WAYBILL.range,
          receivedMs: { first: atMs, last: atMs + 1 },
          contentVersion: 1,
          lines: 3,
          name: 'x.log.gz',
        },
      ],
    }),
    waybill: encodeWaybill(9, WAYBILL),
    'job-replay': encodeJob(7, {
      event: 'opened',
      job: 9,
      stream: 1,
      start: 100,
      atMs: 1_763_000_000_000,
      sequence: 0,
      chain: null,
      end: 200,
    }),
    erasure: encodeErasure(12, { order: 'e1', stream: 1, to: 300, atMs: 1_763_000_000_000 }),
    heads: encodeHeads(13, {
      heads: [
        [1, 0, 300, atMs],
        [7, 2 ** 40, 2 ** 40 + 8, atMs + 1],
      ],
    }),
    refusals: encodeRefusals(10, {
      sequence: 1,
      entries: [
        { stream: WAYBILL.stream, hour: WAYBILL.hour, reason: 'disk_full', requests: 2, lines: 9 },
      ],
    }),
    index: encodeIndexPage({ serviceMs: 11, span: 2, page: 0, pages: 1, spanStart: 64 }, [
      REF,
      { ...REF, first: REF.first + 3 },
    ]),
  };
}

const golden = (name: string): URL => new URL(`golden/${name}.bin`, import.meta.url);

test('CRC-32 is the IEEE one: "123456789" gives cbf43926', () => {
  assert.equal(crc32('123456789').toString(16), 'cbf43926');
});

for (const [name, bytes] of Object.entries(samples())) {
  test(`the format of ${name} is what the golden file holds, and is read back`, () => {
    // A new kind of record makes its golden file by WAYBILL_GOLDEN=write; one that stands is never written over.
    if (!existsSync(golden(name)) && process.env['WAYBILL_GOLDEN'] === 'write')
      writeFileSync(golden(name), bytes);
    assert.deepEqual(bytes, readFileSync(golden(name)));
    const record = decodeRecord(bytes, 'verify');
    assert.ok(record.kind !== 'damaged' && record.kind !== 'newer', record.kind);
    assert.equal(bytes.length % 8 === 0 || record.kind !== 'block', true, 'blocks are aligned');
    assert.deepEqual(reencode(record), bytes, 'nothing is lost on the way');
  });

  test(`I10: no flipped bit in ${name} goes unseen`, async () => {
    for (let at = 0; at < bytes.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const flipped = Buffer.from(bytes);
        flipped[at] = flipped[at]! ^ (1 << bit);
        const record = decodeRecord(flipped, 'verify');
        if (record.kind === 'damaged' || record.kind === 'newer') continue;
        // Only the zeros behind a block's lines are under no checksum: then the block must be what it was.
        assert.equal(record.kind, 'block', `byte ${at} bit ${bit}`);
        assert.deepEqual(reencode(record), bytes);
      }
    }
  });
}

function reencode(record: BufferRecord): Buffer {
  switch (record.kind) {
    case 'block':
      return Buffer.concat([...encodeBlock(record, record.stored)]);
    case 'index': {
      const refs = Array.from({ length: record.entries.length / 40 }, (_, at) =>
        refAt(record.entries, at),
      );
      return encodeIndexPage(record, refs);
    }
    case 'genesis':
      return encodeGenesis(record.serviceMs, record.body);
    case 'stream':
      return encodeStream(record.serviceMs, record.body);
    case 'job':
      return encodeJob(record.serviceMs, record.body);
    case 'plan':
      return encodePlan(record.serviceMs, record.body);
    case 'waybill':
      return encodeWaybill(record.serviceMs, record.body);
    case 'refusals':
      return encodeRefusals(record.serviceMs, record.body);
    case 'erasure':
      return encodeErasure(record.serviceMs, record.body);
    case 'heads':
      return encodeHeads(record.serviceMs, record.body);
  }
}

test('a record of a newer version is told from a damaged one', () => {
  const newer = Buffer.from(encodeStream(1, { id: 1, key: 'k', account: 'a', epoch: '00' }));
  newer.writeUInt8(FORMAT + 1, 8);
  assert.equal(decodeRecord(newer, 'verify').kind, 'damaged', 'its CRC is wrong');
  sealFrame(newer);
  assert.deepEqual(decodeRecord(newer, 'verify'), { kind: 'newer', version: FORMAT + 1 });
});

test('what an older version would not obey is of a format that it refuses', () => {
  const { erasure, heads, plan, 'job-replay': replay } = samples();
  assert.deepEqual(
    [heads, erasure, replay, plan].map((bytes) => bytes!.readUInt8(8)),
    [3, 2, 2, 1],
  );
});

test('a block cut short anywhere is damaged', () => {
  const bytes = samples()['block-deflate']!;
  for (let length = 0; length < bytes.length; length += 1) {
    assert.equal(decodeBlock(bytes.subarray(0, length), 'verify').kind, 'damaged');
  }
});

test('I10: what does not inflate to its CRC is never handed out', async () => {
  const stored = deflateRawSync(PLAIN, { finishFlush: constants.Z_SYNC_FLUSH });
  const block = {
    codec: 'deflate',
    stored,
    plainBytes: PLAIN.length,
    plainCrc: crc32(PLAIN),
  } as const;
  assert.deepEqual(await inflateBlock(block), PLAIN);
  for (let at = 0; at < stored.length; at += 1) {
    const flipped = Buffer.from(stored);
    flipped[at] = flipped[at]! ^ 1;
    const plain = await inflateBlock({ ...block, stored: flipped }).catch((error: unknown) => {
      assert.ok(error instanceof BlockDamaged);
      return PLAIN;
    });
    assert.deepEqual(plain, PLAIN);
  }
  await assert.rejects(
    inflateBlock({ ...block, plainBytes: 10 }),
    BlockDamaged,
    'a bomb stops at its promise',
  );
});

test("a waybill's bytes do not depend on the order in which it was put together", () => {
  const { counts, ...rest } = WAYBILL;
  const turned = {
    counts: { dropped: { corrupt: 0, malformed: 1 }, excluded: counts.excluded, delivered: 2 },
    ...rest,
  };
  assert.deepEqual(waybillBytes(turned), waybillBytes(WAYBILL));
  const record = decodeRecord(encodeWaybill(1, WAYBILL), 'verify');
  assert.ok(record.kind === 'waybill');
  assert.equal(record.hash, waybillHash(waybillBytes(WAYBILL)));
});

test('an index page finds the last block at or before an offset', () => {
  const refs = [
    { ...REF, stream: 1, first: 0 },
    { ...REF, stream: 3, first: 10 },
    { ...REF, stream: 3, first: 20 },
  ];
  const entries = packRefs(refs);
  const at = (stream: number, offset: number): number => lastNotBehind(entries, stream, offset);
  assert.deepEqual(
    [at(0, 9), at(1, 5), at(2, 0), at(3, 9), at(3, 10), at(3, 19), at(3, 99)],
    [-1, 0, 0, 0, 1, 1, 2],
  );
});

test('a deflated block of the golden file inflates to its lines', async () => {
  const block = decodeBlock(readFileSync(golden('block-deflate')), 'verify') as BlockRecord;
  assert.equal(block.kind, 'block');
  assert.deepEqual(await inflateBlock(block), PLAIN);
});
