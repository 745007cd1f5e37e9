import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { addHash, objectHash, removeHash } from './object-sum.ts';

/** As the format says it: the first 8 bytes of the SHA-256 of key, NUL and content. */
function slowHash(key: string, content: Uint8Array): bigint {
  return createHash('sha256').update(`${key}\0`).update(content).digest().readBigUInt64BE(0);
}

test('the hash of an object is the same for text and bytes, however long', () => {
  const length = fc.oneof(fc.nat(200), fc.integer({ min: 4_080, max: 4_100 }), fc.nat(20_000));
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(255), length, (key, byte, bytes) => {
      const content = Buffer.alloc(bytes, byte);
      assert.equal(objectHash(key, content), slowHash(key, content));
      const text = 'ö'.repeat(bytes % 50);
      assert.equal(objectHash(key, text), slowHash(key, Buffer.from(text)));
    }),
  );
});

test('what was added to the sum can be taken out again, in any order, past 64 bits', () => {
  const hash = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
  fc.assert(
    fc.property(fc.array(hash), hash, (hashes, start) => {
      const full = hashes.reduce(addHash, start);
      assert.ok(full >= 0n && full < 1n << 64n);
      assert.equal(hashes.reduce(removeHash, full), start);
    }),
  );
});
