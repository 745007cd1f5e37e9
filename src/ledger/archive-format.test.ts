import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import type { LedgerEvent } from '../buffer/index.ts';
import {
  ARCHIVE_HEADER_BYTES,
  archiveFileName,
  archiveFileNumber,
  decodeEvent,
  decodeHeader,
  encodeEvent,
  encodeHeader,
} from './archive-format.ts';

const STREAM = { stream: 'zones/z1/http_requests', epoch: '0123456789abcdef' } as const;
const EVENTS: readonly LedgerEvent[] = [
  { kind: 'job', job: 7, ...STREAM, start: 5, open: true },
  { kind: 'accepted', ...STREAM, range: { from: 5, to: 1_005 }, hour: 498_300, bytes: 898_000 },
  {
    kind: 'waybill',
    waybill: {
      job: 7,
      sequence: 1,
      ...STREAM,
      range: { from: 5, to: 1_005 },
      hour: 498_300,
      counts: { delivered: 900, excluded: { filter: 99 }, dropped: { malformed: 1 } },
      plan: '7-0123456789abcdef-5-1005',
      sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
      plainBytes: 808_000,
      sentBytes: 115_000,
      receipt: 's3://bucket/20261123/a.log.gz',
      destination: '00112233445566ff',
      configVersion: 3,
      atMs: 1_793_880_000_000,
      previous: null,
    },
  },
  {
    kind: 'refused',
    sequence: 1,
    entries: [
      { stream: STREAM.stream, hour: 498_300, reason: 'line_shape', requests: 1, lines: 4 },
    ],
  },
];
const golden = () => readFileSync(new URL('golden/v1.wba', import.meta.url));

test('version 1 is written exactly as the golden file has it', () => {
  const written = Buffer.concat([encodeHeader(42, 1_793_880_000_000), ...EVENTS.map(encodeEvent)]);
  assert.ok(written.equals(golden()));
});

test('the golden file of version 1 is read for ever', () => {
  const bytes = golden();
  assert.deepEqual(decodeHeader(bytes), { kind: 'header', file: 42, createdMs: 1_793_880_000_000 });
  const events: LedgerEvent[] = [];
  let at = ARCHIVE_HEADER_BYTES;
  for (let next = decodeEvent(bytes, at); next.kind === 'event'; next = decodeEvent(bytes, at)) {
    events.push(next.event);
    at += next.bytes;
  }
  assert.deepEqual(events, EVENTS);
  assert.equal(at, bytes.length);
});

test('a file of a newer version is told apart from a damaged one', () => {
  const newer = Buffer.from(golden());
  newer.writeUInt16LE(2, 8);
  assert.equal(decodeHeader(newer).kind, 'damaged', 'its checksum does not hold');
  newer.writeUInt32LE(crc32(newer.subarray(0, 24)), 24);
  assert.deepEqual(decodeHeader(newer), { kind: 'newer', version: 2 });
  assert.equal(decodeHeader(golden().subarray(0, 31)).kind, 'damaged');
});

test('only whole file names count', () => {
  assert.equal(archiveFileNumber(archiveFileName(7)), 7);
  for (const name of ['7.wba', '0000000007.wba.tmp', 'lock.db'])
    assert.equal(archiveFileNumber(name), undefined);
});
