import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { runs } from '../testing/depth.ts';
import { openEnded } from './open-ended.ts';

/** An empty last block: what ends a gzip member that is made of fragments. */
const END = Buffer.from([3, 0]);

/** Bytes of every kind that makes other blocks: words that come again near and far, single bytes, long runs, noise. */
const plainBytes = fc
  .array(
    fc.oneof(
      fc
        .constantFrom('{"ClientIP":"192.0.2.', '","EdgeStartTimestamp":', 'GET', '}\n')
        .map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.nat(255), fc.nat(2_000)).map(([byte, count]) => Buffer.alloc(count, byte)),
      fc.integer({ min: 1, max: 20_000 }).map(noise),
    ),
    { maxLength: 40 },
  )
  .map((parts) => Buffer.concat(parts));

const deflateShape = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  strategy: fc.constantFrom(
    constants.Z_DEFAULT_STRATEGY,
    constants.Z_FILTERED,
    constants.Z_HUFFMAN_ONLY,
    constants.Z_RLE,
    constants.Z_FIXED,
  ),
  memLevel: fc.integer({ min: 1, max: 9 }),
  windowBits: fc.integer({ min: 9, max: 15 }),
});

/** The same for each length, and of 64 kinds of bytes so that it is coded and not only stored. */
function noise(bytes: number): Buffer {
  let seed = bytes + 1;
  return Buffer.from(
    Array.from({ length: bytes }, () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return 32 + (seed % 64);
    }),
  );
}

test('fragments made of finished streams stand one behind the other, and hold what the streams held', () => {
  let made = 0;
  const pair = fc.tuple(plainBytes, deflateShape);
  fc.assert(
    fc.property(fc.array(pair, { minLength: 1, maxLength: 4 }), (pairs) => {
      const streams = pairs.map(([plain, shape]) => ({
        plain,
        fragment: openEnded(deflateRawSync(plain, shape), plain.length),
      }));
      const whole = streams.filter(({ fragment }) => fragment !== undefined);
      made += whole.length;
      const member = Buffer.concat([...whole.map(({ fragment }) => fragment!), END]);
      assert.deepEqual(inflateRawSync(member), Buffer.concat(whole.map(({ plain }) => plain)));
    }),
    { numRuns: runs(400) },
  );
  assert.ok(made > runs(400), 'most streams become fragments');
});

test('a stream as servers and shippers send it becomes a fragment, whatever its level', () => {
  const lines = Array.from(
    { length: 3_000 },
    (_, index) => `{"id":${index * 7_919},"path":"/${noise(200 + (index % 50)).toString()}"}\n`,
  ).join('');
  const plain = Buffer.from(lines);
  for (let level = 1; level <= 9; level += 1) {
    const fragment = openEnded(deflateRawSync(plain, { level }), plain.length);
    assert.ok(fragment, `level ${level}`);
    assert.deepEqual(fragment.subarray(-4), Buffer.from([0, 0, 0xff, 0xff]));
    const flushed = { finishFlush: constants.Z_SYNC_FLUSH };
    assert.deepEqual(inflateRawSync(fragment, flushed), plain);
  }
});

test('whatever it is given, it answers, and what was cut, goes on or says another size is none', () => {
  fc.assert(
    fc.property(plainBytes, deflateShape, fc.nat(), fc.nat(7), (plain, shape, place, bit) => {
      const stream = deflateRawSync(plain, shape);
      assert.equal(openEnded(stream, plain.length + 1), undefined);
      assert.equal(openEnded(stream.subarray(0, -1), plain.length), undefined);
      assert.equal(openEnded(Buffer.concat([stream, Buffer.alloc(1)]), plain.length), undefined);
      stream[place % stream.length]! ^= 1 << bit;
      openEnded(stream, plain.length);
      openEnded(plain, plain.length);
    }),
    { numRuns: runs(200) },
  );
});

test('a stream of very many blocks is not worth stepping through', () => {
  const plain = noise(200_000);
  assert.equal(openEnded(deflateRawSync(plain, { memLevel: 1 }), plain.length), undefined);
});
