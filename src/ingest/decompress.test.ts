import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, crc32, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { decompress, readCoding } from './decompress.ts';
import type { Here } from './decompress.ts';
import { memoryBudget } from './memory.ts';
import { Pieces } from './pieces.ts';
import { runs } from '../lib/testing/depth.ts';

const codings = ['gzip', 'zstd'] as const;
const compressed = (coding: 'gzip' | 'zstd', plain: string | Buffer): Buffer =>
  coding === 'gzip' ? gzipSync(plain) : zstdCompressSync(plain);

/** Text that gets little smaller, the same for each length. */
function randomText(bytes: number): string {
  let seed = bytes + 1;
  const next = (): number => (seed = (seed * 48_271) % 2_147_483_647);
  return Array.from({ length: bytes }, () => String.fromCharCode(32 + (next() % 64))).join('');
}

interface End {
  readonly end: string;
  readonly heldBytes: number;
}

/** The long way, and the short one on this thread, which must say the same. */
async function run(
  coding: 'gzip' | 'zstd',
  input: readonly Buffer[],
  plainBytes = 1 << 24,
  memoryBytes = 1 << 26,
): Promise<End> {
  // The pieces are given away with their memory.
  const copies = input.map((piece) => Buffer.from(piece));
  const here = { mostBytes: 1 << 20, deflatedBytes: 1 << 20, inTurn: doNow };
  const long = await runOneWay(coding, input, plainBytes, memoryBytes);
  const short = await runOneWay(coding, copies, plainBytes, memoryBytes, here);
  assert.equal(short.end, long.end);
  // What is broken is refused sooner or later, and then given back as a whole.
  if (long.end !== 'encoding_broken') assert.equal(short.heldBytes, long.heldBytes);
  return long;
}

function doNow(work: () => void): undefined {
  work();
}

async function runOneWay(
  coding: 'gzip' | 'zstd',
  input: readonly Buffer[],
  plainBytes: number,
  memoryBytes: number,
  here?: Here,
): Promise<End> {
  const budget = memoryBudget(memoryBytes, memoryBytes);
  const lease = budget.lease('a');
  const body = new Pieces();
  for (const piece of input) body.push(piece);
  lease.force(body.bytes);
  const unpacked = await decompress(body, coding, lease, plainBytes, here);
  const { heldBytes } = budget;
  if ('code' in unpacked) return { end: unpacked.code, heldBytes };
  const plain = Buffer.concat(unpacked.plain.take());
  const holds = unpacked.crc === undefined || unpacked.crc === crc32(plain);
  return holds ? { end: plain.toString(), heldBytes } : { end: 'encoding_broken', heldBytes };
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

test('bodies of any size come out whole, in one piece where they say their size and there is room, and are charged as they are', async () => {
  const member = fc.record({ bytes: fc.integer({ min: 0, max: 700_000 }), tall: fc.boolean() });
  const members = fc.array(member, { minLength: 1, maxLength: 3 });
  const room = fc.constantFrom(1 << 21, 1 << 23, 1 << 26);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...codings),
      members,
      fc.nat(200_000),
      room,
      async (coding, shapes, place, memoryBytes) => {
        const plains = shapes.map(({ bytes, tall }) =>
          tall ? Buffer.alloc(bytes, 'line\n') : Buffer.from(randomText(bytes)),
        );
        const whole = Buffer.concat(plains.map((plain) => compressed(coding, plain)));
        // The pieces are given away with their memory.
        const mostBytes = whole.length + plains.reduce((sum, { length }) => sum + length, 0);
        const cut = place % whole.length;
        const input = [whole.subarray(0, cut), whole.subarray(cut)].filter(({ length }) => length);
        const { end, heldBytes } = await run(coding, input, 1 << 22, memoryBytes);
        const plain = Buffer.concat(plains).toString();
        if (end === 'over_fair_share' && mostBytes > memoryBytes) return;
        assert.ok(end === plain, `${end.slice(0, 40)} of ${end.length} bytes`);
        assert.equal(heldBytes, plain.length);
      },
    ),
    { numRuns: runs(40) },
  );
});

test('a body of one member that says its size comes out in one piece of memory', async () => {
  for (const coding of codings) {
    const plain = Buffer.from(randomText(1_000_000));
    const body = new Pieces();
    const packed = compressed(coding, plain);
    body.push(packed.subarray(0, 65_536));
    body.push(packed.subarray(65_536));
    const lease = memoryBudget(1 << 26, 1 << 26).lease('a');
    lease.force(body.bytes);
    const unpacked = await decompress(body, coding, lease, 1 << 24);
    assert.ok(!('code' in unpacked));
    assert.equal(unpacked.plain.take().length, 1, coding);
  }
});

for (const coding of codings) {
  for (const size of [8_000, 200_000])
    test(`${coding}, ${size} bytes: what is cut short, padded, followed by garbage or damaged is broken`, async () => {
      const good = compressed(coding, randomText(size));
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

test('gzip cut short where its last bytes look like a size is broken', async () => {
  const good = gzipSync(randomText(300_000));
  const lookLikeSizes = Array.from({ length: good.length - 20 }, (_, n) => n + 20).filter((cut) => {
    const bytes = good.readUInt32LE(cut - 4);
    return bytes > 100_000 && bytes < 4_000_000;
  });
  assert.ok(lookLikeSizes.length > 3, 'there are such places');
  for (const cut of lookLikeSizes.slice(0, 20))
    assert.equal((await run('gzip', [good.subarray(0, cut)])).end, 'encoding_broken');
});

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
