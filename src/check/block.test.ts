import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, crc32, deflateRawSync } from 'node:zlib';
import { limits } from '../model/limits.ts';
import { wrongWith } from './block.ts';
import type { Block } from './record.ts';

/** A block of one line of so many bytes. */
function blockOf(plainBytes: number): Block {
  const plain = Buffer.alloc(plainBytes, 'x');
  plain[plainBytes - 1] = 10;
  const stored = deflateRawSync(plain, { finishFlush: constants.Z_SYNC_FLUSH });
  return {
    kind: 'block',
    stream: 1,
    epoch: '0123456789abcdef',
    first: 0,
    lines: 1,
    receivedMs: 0,
    linesBefore: 0,
    copied: false,
    codec: 1,
    plainBytes,
    plainCrc: crc32(plain),
    stored,
    storedCrc: crc32(stored),
  };
}

test('blocks are read up to the size that they may have, and nothing is inflated for one that says more', () => {
  const { blockBytes, deflatedBytes } = limits.buffer;
  assert.equal(wrongWith(blockOf(Math.max(blockBytes, deflatedBytes))), undefined);
  assert.match(wrongWith(blockOf(deflatedBytes + 1)) ?? '', /more than a block holds/);
});
