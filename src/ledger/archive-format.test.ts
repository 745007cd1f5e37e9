import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import type { LedgerEvent } from '../buffer/index.ts';
import {
  ARCHIVE_HEADER_BYTES,
  archiveFileName,
  archiveFileNumber,
  FRAME_HEADER_BYTES,
  decodeFrameHead,
  decodeHeader,
  encodeEvent,
  encodeFrames,
  encodeHeader,
} from './archive-format.ts';
import { decodeEventV1 } from './archive-v1.ts';

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
const golden = (version: 1 | 2) => readFileSync(new URL(`golden/v${version}.wba`, import.meta.url));

/** A file of all events, a mark behind the second one, which says that what stands before is synced. */
function written(): Buffer {
  const parts = [encodeHeader(42, 1_793_880_000_000)];
  let [at, syncedBytes] = [ARCHIVE_HEADER_BYTES, ARCHIVE_HEADER_BYTES];
  for (const [index, event] of EVENTS.entries()) {
    parts.push(encodeFrames([encodeEvent(event)], { file: 42, at, syncedBytes }));
    at += parts.at(-1)!.length;
    if (index !== 1) continue;
    syncedBytes = at;
    parts.push(encodeFrames([Buffer.alloc(0)], { file: 42, at, syncedBytes }));
    at += FRAME_HEADER_BYTES;
  }
  return Buffer.concat(parts);
}

test('version 2 is written exactly as the golden file has it', () => {
  const url = new URL('golden/v2.wba', import.meta.url);
  // Made by WAYBILL_GOLDEN=write when it is not there; one that stands is never written over.
  if (!existsSync(url) && process.env['WAYBILL_GOLDEN'] === 'write') writeFileSync(url, written());
  assert.ok(written().equals(golden(2)));
});

test('the golden file of version 2 is read for ever', () => {
  const bytes = golden(2);
  const header = { kind: 'header', version: 2, file: 42, createdMs: 1_793_880_000_000 };
  assert.deepEqual(decodeHeader(bytes), header);
  const found: unknown[] = [];
  let at = ARCHIVE_HEADER_BYTES;
  while (at < bytes.length) {
    const head = decodeFrameHead(bytes, at, { file: 42, at })!;
    const from = at + FRAME_HEADER_BYTES;
    const payload = bytes.subarray(from, from + head.payloadBytes);
    if (payload.length > 0) found.push(JSON.parse(payload.toString('utf8')));
    else assert.equal(head.syncedBytes, at);
    assert.equal(crc32(payload), head.payloadCrc);
    at = from + payload.length;
  }
  assert.deepEqual(found, EVENTS);
});

test('a frame counts only where it was written: not elsewhere in its file, nor in another one', () => {
  const bytes = golden(2);
  const at = ARCHIVE_HEADER_BYTES;
  assert.ok(decodeFrameHead(bytes, at, { file: 42, at }));
  assert.equal(decodeFrameHead(bytes, at, { file: 42, at: at + 8 }), undefined);
  assert.equal(decodeFrameHead(bytes, at, { file: 43, at }), undefined);
});

test('the golden file of version 1 is read for ever', () => {
  const bytes = golden(1);
  const header = { kind: 'header', version: 1, file: 42, createdMs: 1_793_880_000_000 };
  assert.deepEqual(decodeHeader(bytes), header);
  const events: LedgerEvent[] = [];
  let at = ARCHIVE_HEADER_BYTES;
  for (
    let next = decodeEventV1(bytes, at);
    next.kind === 'event';
    next = decodeEventV1(bytes, at)
  ) {
    events.push(next.event);
    at += next.bytes;
  }
  assert.deepEqual(events, EVENTS);
  assert.equal(at, bytes.length);
});

test('a file of a newer version is told apart from a damaged one', () => {
  const newer = Buffer.from(golden(2));
  newer.writeUInt16LE(3, 8);
  assert.equal(decodeHeader(newer).kind, 'damaged', 'its checksum does not hold');
  newer.writeUInt32LE(crc32(newer.subarray(0, 24)), 24);
  assert.deepEqual(decodeHeader(newer), { kind: 'newer', version: 3 });
  assert.equal(decodeHeader(golden(2).subarray(0, 31)).kind, 'damaged');
});

test('only whole file names count', () => {
  assert.equal(archiveFileNumber(archiveFileName(7)), 7);
  for (const name of ['7.wba', '0000000007.wba.tmp', 'lock.db'])
    assert.equal(archiveFileNumber(name), undefined);
});
