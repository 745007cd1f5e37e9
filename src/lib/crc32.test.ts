import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { combineCrc32, shortCrc32 } from './crc32.ts';

describe('combineCrc32', () => {
  it('gives the CRC of the concatenation', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        fc.uint8Array({ maxLength: 3000 }),
        (a, b) => {
          const whole = zlib.crc32(Buffer.concat([a, b]));
          assert.equal(combineCrc32(zlib.crc32(a), zlib.crc32(b), b.length), whole);
        },
      ),
    );
  });

  it('is neutral to an empty part on either side', () => {
    const crc = zlib.crc32('{"a":1}\n');
    assert.equal(combineCrc32(0, crc, 8), crc);
    assert.equal(combineCrc32(crc, 0, 0), crc);
  });

  it('holds for parts longer than 2^32 bytes, composed of shorter ones', () => {
    // A run of zeros is known at any length by combining it with itself.
    let crc = zlib.crc32(Buffer.alloc(1 << 20));
    let bytes = 1 << 20;
    while (bytes < 2 ** 34) {
      crc = combineCrc32(crc, crc, bytes);
      bytes *= 2;
    }
    const [a, b, c] = [0x12345678, crc, 0x9abcdef0];
    assert.equal(
      combineCrc32(combineCrc32(a, b, bytes), c, 7),
      combineCrc32(a, combineCrc32(b, c, 7), bytes + 7),
    );
  });
});

describe('shortCrc32', () => {
  it('is zlib’s, of any bytes behind any others', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(200), (bytes, a, b) => {
        const from = Math.min(a, b, bytes.length);
        const to = Math.min(Math.max(a, b), bytes.length);
        const before = zlib.crc32(bytes.subarray(0, from));
        assert.equal(shortCrc32(bytes, from, to), zlib.crc32(bytes.subarray(from, to)));
        assert.equal(shortCrc32(bytes, from, to, before), zlib.crc32(bytes.subarray(0, to)));
      }),
    );
  });
});
