import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { createDeflater } from './deflater.ts';
import { deflateFragment, endsAsFragment, stitchGzip } from './gzip.ts';
import { runs } from './testing/depth.ts';

const deflaters = Array.from({ length: 10 }, (_, level) => createDeflater(level, 1));

describe('stitchGzip', () => {
  it('makes one standard gzip member of the plain bytes, whatever the fragments', async () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc.string({ maxLength: 50 }).map((text) => Buffer.from(text.repeat(40))),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 8 }),
        fc.nat({ max: 9 }),
        async (plains, level) => {
          const fragments = await Promise.all(
            plains.map((plain) => deflateFragment(Buffer.from(plain), deflaters[level]!)),
          );
          const member = stitchGzip(fragments);
          const gzip = Buffer.concat(member.parts);
          const plain = Buffer.concat(plains);
          assert.equal(gzip.length, member.bytes);
          assert.equal(plain.length, member.plainBytes);
          assert.deepEqual(zlib.gunzipSync(gzip), plain);
        },
      ),
      { numRuns: runs(60) },
    );
  });

  it('is one member: nothing stands behind its trailer', async () => {
    const member = stitchGzip([await deflateFragment(Buffer.from('{"a":1}\n'), deflaters[1]!)]);
    const raw = Buffer.concat(member.parts).subarray(10, -8);
    // Inflating stops at the final block, so the bytes consumed tell where the member ends.
    const { engine } = zlib.inflateRawSync(raw, { info: true }) as unknown as {
      engine: { bytesWritten: number };
    };
    assert.equal(engine.bytesWritten, raw.length);
  });

  it('fails the receiver’s check when a fragment’s CRC is not that of its bytes', async () => {
    const fragment = await deflateFragment(Buffer.from('{"a":1}\n'), deflaters[1]!);
    const member = stitchGzip([{ ...fragment, plainCrc: fragment.plainCrc ^ 1 }]);
    assert.throws(() => zlib.gunzipSync(Buffer.concat(member.parts)), /incorrect data check/);
  });
});

describe('endsAsFragment', () => {
  it('knows a sync flush from a finished stream', async () => {
    const fragment = await deflateFragment(Buffer.from('{"a":1}\n'), deflaters[1]!);
    assert.ok(endsAsFragment(fragment.bytes));
    assert.ok(!endsAsFragment(zlib.deflateRawSync('{"a":1}\n')));
  });
});
