import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { runs } from '../lib/testing/depth.ts';
import { declaredBytes } from './declared-size.ts';

test('what real compressors say of the size is read, whatever its length', () => {
  const params = { [constants.ZSTD_c_checksumFlag]: 1 };
  // Around each bound between two lengths of the field.
  const bounds = [0, 1, 255, 256, 257, 65_535, 65_791, 65_792, 70_000, 1 << 20];
  const sizes = fc.oneof(fc.constantFrom(...bounds), fc.nat(200_000));
  fc.assert(
    fc.property(sizes, (bytes) => {
      const plain = Buffer.alloc(bytes, 'ab\n');
      assert.equal(declaredBytes('gzip', gzipSync(plain)), bytes);
      assert.equal(declaredBytes('zstd', zstdCompressSync(plain)), bytes);
      assert.equal(declaredBytes('zstd', zstdCompressSync(plain, { params })), bytes);
    }),
    { numRuns: runs(60) },
  );
});

test('a frame that does not say it, and what is no compressed body, say nothing', () => {
  const params = { [constants.ZSTD_c_contentSizeFlag]: 0 };
  assert.equal(declaredBytes('zstd', zstdCompressSync('a'.repeat(1_000), { params })), undefined);
  for (const body of ['', 'abc', '{"a":1}\n{"a":2}\n{"a":3}\n']) {
    assert.equal(declaredBytes('zstd', Buffer.from(body)), undefined);
  }
  assert.equal(declaredBytes('gzip', Buffer.from('short')), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      // Never a fault, whatever comes.
      for (const coding of ['gzip', 'zstd'] as const) declaredBytes(coding, Buffer.from(bytes));
      const cut = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...bytes]);
      assert.ok((declaredBytes('zstd', cut) ?? 0) >= 0);
    }),
  );
});
