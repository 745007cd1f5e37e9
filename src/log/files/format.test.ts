import assert from 'node:assert/strict';
import { test } from 'node:test';

import { crc32 } from 'node:zlib';

import type { Position } from '../contract.ts';
import { encodeCommit, encodeMark } from './commit.ts';
import { decodeFrame, decodeHeader, encodeFrame, encodeHeader, frameBytes } from './format.ts';
import { parseSegmentName, segmentName } from './names.ts';

const at = (position: number): Position => position as Position;

// The test vectors of docs/formats/segment.md.
const HEADER =
  '574159425345470a' + // magic
  '0100' + // version
  '4000' + // header bytes
  '07000000' + // shard
  '0300000000000000' + // epoch
  '0900000000000000' + // sequence
  '0000000001000000' + // base: 2^32
  '0068e5cf8b010000' + // created: 1700000000000
  '000000000000000000000000' + // reserved
  'd5a489b6';
const FRAME =
  '57424652' + // magic
  '05000000' + // length
  '86a61036' + // CRC-32 of "hello"
  '02000000' + // index
  '0000000001000000' + // frontier: 2^32
  '01000000' + // last of its group
  'db7dbdfa';

test('a header lies as the specification says', () => {
  const header = {
    shard: 7,
    epoch: 3,
    sequence: 9,
    base: at(2 ** 32),
    createdMs: 1_700_000_000_000,
  };
  const bytes = encodeHeader(header);
  assert.equal(bytes.toString('hex'), HEADER);
  assert.deepEqual(decodeHeader(bytes), { kind: 'header', header });
});

test('a frame lies as the specification says', () => {
  const frame = {
    length: 5,
    payloadCrc: crc32('hello'),
    index: 2,
    frontier: 2 ** 32,
    last: true,
    mark: false,
  };
  const bytes = Buffer.alloc(32);
  encodeFrame(bytes, 0, 2 ** 32 + 40, frame);
  assert.equal(bytes.toString('hex'), FRAME);
  assert.deepEqual(decodeFrame(bytes, 0, 2 ** 32 + 40), frame);
});

test('the checksum is CRC-32 as of IEEE 802.3', () => {
  assert.equal(crc32('123456789'), 0xcbf43926);
});

test('a frame is known only where it was written', () => {
  const bytes = Buffer.from(FRAME, 'hex');
  assert.equal(decodeFrame(bytes, 0, 2 ** 32 + 48), undefined);
  assert.equal(decodeFrame(bytes.subarray(0, 31), 0, 2 ** 32 + 40), undefined);
});

test('every flipped bit of a header or frame is noticed', () => {
  for (let bit = 0; bit < 64 * 8; bit++) {
    const bytes = Buffer.from(HEADER, 'hex');
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(decodeHeader(bytes).kind, 'damaged');
  }
  for (let bit = 0; bit < 32 * 8; bit++) {
    const bytes = Buffer.from(FRAME, 'hex');
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(decodeFrame(bytes, 0, 2 ** 32 + 40), undefined);
  }
});

test('a whole header of a later version is told from a damaged one', () => {
  const bytes = Buffer.from(HEADER, 'hex');
  bytes.writeUInt16LE(2, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  assert.deepEqual(decodeHeader(bytes), { kind: 'newer', version: 2 });
  assert.equal(decodeHeader(bytes.subarray(0, 63)).kind, 'damaged');
});

test('a commit is its frames one behind the other, payloads as they were handed in', () => {
  const large = Buffer.alloc(5000, 'x');
  const groups = [
    [[Buffer.from('a')], [Buffer.from('bc'), Buffer.from('d')]],
    [[large.subarray(0, 3000), large.subarray(3000)]],
  ];
  const commit = encodeCommit(groups, at(64));
  const bytes = Buffer.concat(commit.buffers);
  assert.equal(bytes.length, commit.bytes);
  assert.equal(commit.end, 64 + frameBytes(1) + frameBytes(3) + frameBytes(5000));
  assert.deepEqual(commit.positions, [[64, 104], [144]]);
  const frames = [64, 104, 144].map((position) => decodeFrame(bytes, position - 64, position));
  assert.deepEqual(
    frames.map((frame) => [frame?.index, frame?.last, frame?.length, frame?.frontier]),
    [
      [0, false, 1, 64],
      [1, true, 3, 64],
      [0, true, 5000, 64],
    ],
  );
  assert.ok(
    commit.buffers.some((buffer) => buffer.buffer === large.buffer && buffer.length === 3000),
  );
});

test('a mark carries the frontier and no record', () => {
  const frame = decodeFrame(encodeMark(at(4096)), 0, 4096);
  assert.deepEqual([frame?.mark, frame?.length, frame?.frontier], [true, 0, 4096]);
});

test('names of segments sort as their numbers, and are read back', () => {
  const name = segmentName(12, at(123_456), true);
  assert.equal(name, '0000000000000012-0000000000123456.seg');
  assert.deepEqual(parseSegmentName(name), { name, sequence: 12, base: 123_456, final: true });
  assert.equal(parseSegmentName(segmentName(12, at(8), false))?.final, false);
  for (const other of ['lock.db', '12-8.seg', `${name}.bak`]) {
    assert.equal(parseSegmentName(other), undefined);
  }
});
