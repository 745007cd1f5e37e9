// The test vectors of docs/formats/segment.md, read by the checker's own code.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { FileHandle } from '../lib/fs/file-system.ts';
import { SegmentFrames, segmentHeader, segmentName } from './segment.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

const HEADER = hex(`
  57 41 59 42 53 45 47 0a 01 00 40 00 07 00 00 00  03 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00
  00 00 00 00 01 00 00 00 00 68 e5 cf 8b 01 00 00  00 00 00 00 00 00 00 00 00 00 00 00 d5 a4 89 b6`);
const FRAME = hex(`
  57 42 46 52 05 00 00 00 86 a6 10 36 02 00 00 00  00 00 00 00 01 00 00 00 01 00 00 00 db 7d bd fa`);
const BASE = 2 ** 32;

function fileOf(bytes: Buffer): FileHandle {
  const unused = () => Promise.reject(new Error('the checker only reads'));
  return {
    read: (target, at) => Promise.resolve(bytes.copy(target, 0, at)),
    readEach: unused,
    sizeBytes: () => Promise.resolve(bytes.length),
    write: unused,
    sync: unused,
    truncate: unused,
    close: () => Promise.resolve(),
  };
}

test('the header of the specification is read', () => {
  assert.deepEqual(segmentHeader(HEADER), {
    kind: 'header',
    shard: 7,
    epoch: 3,
    sequence: 9,
    base: BASE,
  });
});

test('no bit of a header flips unseen', () => {
  for (let bit = 0; bit < HEADER.length * 8; bit += 1) {
    const flipped = Buffer.from(HEADER);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    assert.notEqual(segmentHeader(flipped).kind, 'header', `bit ${bit}`);
  }
});

test('the frame of the specification is read where it stands, and nowhere else', async () => {
  const bytes = Buffer.concat([
    HEADER,
    Buffer.alloc(40),
    FRAME,
    Buffer.from('hello\0\0\0'),
    FRAME,
    Buffer.from('hello\0\0\0'),
  ]);
  const frames = new SegmentFrames(fileOf(bytes), BASE, BASE + bytes.length - HEADER.length);
  const frame = await frames.at(BASE + 40);
  assert.ok(frame);
  const { payload, ...rest } = frame;
  assert.equal(payload?.toString(), 'hello');
  assert.deepEqual(rest, {
    position: BASE + 40,
    end: BASE + 80,
    frontier: BASE,
    index: 2,
    last: true,
    mark: false,
  });
  assert.equal(await frames.at(BASE + 80), undefined, 'a copy at another position is none');
  assert.equal(await frames.next(BASE), BASE + 40);
  assert.equal(await frames.next(BASE + 41), BASE + 120);
});

test('names of segments and of nothing else', () => {
  assert.deepEqual(segmentName('0000000000000003-0000000000000128.seg'), {
    name: '0000000000000003-0000000000000128.seg',
    sequence: 3,
    base: 128,
  });
  for (const name of ['3-128.seg', '0000000000000003-0000000000000128.new', 'lock.db']) {
    assert.equal(segmentName(name), undefined, name);
  }
});
