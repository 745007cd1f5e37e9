import assert from 'node:assert/strict';
import { test } from 'node:test';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { runs } from '../lib/testing/depth.ts';
import { BlockDamaged, inflateBlock, inflateBlockHere } from './inflate.ts';

const codecs = fc.constantFrom('raw' as const, 'deflate' as const, 'zstd' as const);

function storedOf(plain: Buffer, codec: 'raw' | 'deflate' | 'zstd'): Buffer {
  if (codec === 'raw') return Buffer.from(plain);
  if (codec === 'zstd') return zlib.zstdCompressSync(plain);
  return zlib.deflateRawSync(plain, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
}

test('inflating on the calling thread gives what the pool gives, and sees the same damage (I10)', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 30_000 }),
      codecs,
      fc.nat(),
      async (bytes, codec, flip) => {
        const plain = Buffer.concat([bytes, bytes]);
        const stored = storedOf(plain, codec);
        const block = { codec, stored, plainBytes: plain.length, plainCrc: zlib.crc32(plain) };
        assert.deepEqual(inflateBlockHere(block), plain);
        assert.deepEqual(await inflateBlock(block), plain);
        if (stored.length === 0) return;
        stored[flip % stored.length]! ^= 1 + (flip % 255);
        const pool = await inflateBlock(block).catch((error: unknown) => error);
        const here = await (async () => inflateBlockHere(block))().catch((error: unknown) => error);
        assert.equal(here instanceof BlockDamaged, pool instanceof BlockDamaged);
        // A flipped bit that the bytes do not depend on.
        if (!(here instanceof BlockDamaged)) assert.deepEqual(here, plain);
      },
    ),
    { numRuns: runs(60) },
  );
});
