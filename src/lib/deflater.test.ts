import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { createDeflater, deflateHere } from './deflater.ts';
import { runs } from './testing/depth.ts';

const inflate = (fragment: Buffer) =>
  inflateRawSync(fragment, { finishFlush: constants.Z_SYNC_FLUSH });

test('each fragment is readable by itself, whatever went through the same compressor before', async () => {
  const deflater = createDeflater(2, 1);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 5_000 }), { minLength: 1, maxLength: 6 }),
      async (parts) => {
        for (const part of parts) {
          const plain = Buffer.concat([part, part, part]);
          assert.deepEqual(inflate(await deflater.deflate(plain)), plain);
        }
      },
    ),
    { numRuns: runs(50) },
  );
});

test('fragments of several compressors at once do not mix, and stand in one raw stream', async () => {
  const deflater = createDeflater(3, 2);
  const parts = Array.from({ length: 9 }, (_, n) =>
    Buffer.from(`${'waybill'.repeat(40_000)}${n}\n`),
  );
  const fragments = await Promise.all(parts.map((part) => deflater.deflate(part)));
  assert.deepEqual(inflate(Buffer.concat(fragments)), Buffer.concat(parts));
  for (const fragment of fragments)
    assert.deepEqual([...fragment.subarray(-4)], [0, 0, 0xff, 0xff]);
});

test('a fragment is what a compressor made for it alone gives, but for how it is encoded, also across many output pieces', async () => {
  const level = 3;
  const deflater = createDeflater(level, 1);
  const noise = (bytes: number) =>
    fc.sample(fc.uint8Array({ minLength: bytes, maxLength: bytes }), 1)[0]!;
  const plains = [0, 1, 900, 131_072, 131_073, 300_000].map((bytes) => Buffer.from(noise(bytes)));
  const lines = Buffer.from('{"status":200,"host":"a.example"}\n'.repeat(40_000));
  for (const plain of [...plains, lines, Buffer.alloc(0), ...plains]) {
    const alone = deflateRawSync(plain, { level, finishFlush: constants.Z_SYNC_FLUSH });
    const kept = await deflater.deflate(plain);
    assert.deepEqual(inflate(kept), plain);
    assert.ok(Math.abs(kept.length - alone.length) <= 0.02 * alone.length);
    assert.deepEqual(deflateHere(plain, level), alone);
  }
});

test('output buffers that are full are no garbage', async () => {
  const deflater = createDeflater(1, 1);
  const noise = Buffer.from(
    fc.sample(fc.uint8Array({ minLength: 100_000, maxLength: 100_000 }), 1)[0]!,
  );
  await deflater.deflate(noise);
  const before = process.memoryUsage().arrayBuffers;
  const fragments: Buffer[] = [];
  for (let n = 0; n < 60; n++) fragments.push(await deflater.deflate(noise));
  const ownBytes = fragments.reduce((sum, { length }) => sum + length, 0);
  const besideBytes = process.memoryUsage().arrayBuffers - before - ownBytes;
  assert.ok(besideBytes < 1 << 20, `${besideBytes} bytes`);
});
