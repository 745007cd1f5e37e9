import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { decompress, readCoding } from './decompress.ts';
import { memoryBudget } from './memory.ts';
import { Pieces } from './pieces.ts';
import type { Refusal } from './refusal.ts';
import { runs } from '../lib/testing/depth.ts';

const codings = ['gzip', 'zstd'] as const;
const compressed = (coding: 'gzip' | 'zstd', plain: string | Buffer): Buffer =>
  coding === 'gzip' ? gzipSync(plain) : zstdCompressSync(plain);

async function run(
  coding: 'gzip' | 'zstd',
  input: readonly Buffer[],
  plainBytes = 1 << 24,
  memoryBytes = 1 << 26,
): Promise<{ end: string; heldBytes: number }> {
  const budget = memoryBudget(memoryBytes, memoryBytes);
  const lease = budget.lease('a');
  const body = new Pieces();
  for (const piece of input) body.push(piece);
  lease.force(body.bytes);
  const plain: Pieces | Refusal = await decompress(body, coding, lease, plainBytes);
  if ('code' in plain) return { end: plain.code, heldBytes: budget.heldBytes };
  return { end: Buffer.concat(plain.take()).toString(), heldBytes: budget.heldBytes };
}

test('a body cut anywhere comes out whole, and only the plain bytes are charged afterwards', async () => {
  const cuts = fc.array(fc.nat(200), { maxLength: 6 });
  const parts = fc.array(
    fc.string({ minLength: 1 }).map((text) => text.repeat(50)),
    { minLength: 1, maxLength: 4 },
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...codings), parts, cuts, async (coding, plains, places) => {
      const whole = Buffer.concat(plains.map((plain) => compressed(coding, plain)));
      const edges = [
        0,
        ...places.map((place) => place % whole.length).toSorted((a, b) => a - b),
        whole.length,
      ];
      const input = edges.slice(1).map((edge, index) => whole.subarray(edges[index], edge));
      const { end, heldBytes } = await run(
        coding,
        input.filter((piece) => piece.length > 0),
      );
      assert.equal(end, plains.join(''));
      assert.equal(heldBytes, Buffer.byteLength(end));
    }),
    { numRuns: runs(60) },
  );
});

for (const coding of codings) {
  test(`${coding}: what is cut short, padded, followed by garbage or damaged is broken`, async () => {
    const good = compressed(coding, '{"a":1}\n'.repeat(1_000));
    const damaged = Buffer.from(good);
    damaged[Math.floor(good.length / 2)]! ^= 0x55;
    const bad: [string, Buffer[]][] = [
      ['empty', []],
      ['cut short', [good.subarray(0, -1)]],
      ['second cut short', [Buffer.concat([good, good.subarray(0, 7)])]],
      ['padded', [Buffer.concat([good, Buffer.alloc(4)])]],
      ['padded in a piece of its own', [good, Buffer.alloc(4)]],
      ['followed by garbage', [Buffer.concat([good, Buffer.from('garbage')])]],
      ['garbage', [Buffer.from('{"a":1}\n')]],
    ];
    // Without a checksum a flipped byte may pass as another text; gzip always has one.
    if (coding === 'gzip') bad.push(['damaged', [damaged]]);
    for (const [what, input] of bad)
      assert.equal((await run(coding, input)).end, 'encoding_broken', what);
  });

  test(`${coding}: I5 a bomb is refused at the bound, and holds no more than that on the way`, async () => {
    const bomb = compressed(coding, Buffer.alloc(64 << 20));
    assert.ok(bomb.length < 1 << 17);
    const { end, heldBytes } = await run(coding, [bomb], 1 << 20);
    assert.equal(end, 'decompressed_too_large');
    assert.ok(heldBytes <= (1 << 20) + bomb.length);
    assert.equal((await run(coding, [bomb], 64 << 20, 1 << 21)).end, 'over_fair_share');
  });
}

test('zstd frames that ask for a large window are refused before they get it', async () => {
  const params = { [constants.ZSTD_c_windowLog]: 25 };
  const wide = zstdCompressSync(Buffer.alloc(40 << 20), { params });
  assert.equal((await run('zstd', [wide], 64 << 20)).end, 'encoding_broken');
});

test('codings are read in any case; lists and others are refused', () => {
  assert.equal(readCoding(undefined), 'identity');
  assert.equal(readCoding('Identity'), 'identity');
  assert.equal(readCoding('GZIP'), 'gzip');
  assert.equal(readCoding(' zstd '), 'zstd');
  for (const other of ['br', 'gzip, gzip', 'x-gzip', 'gzip;q=1']) {
    assert.deepEqual(readCoding(other), { code: 'encoding_unknown', path: 'Content-Encoding' });
  }
});
