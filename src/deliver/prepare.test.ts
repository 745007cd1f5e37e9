/** Bodies: stitched from stored fragments, whatever the blocks look like, and equal to the lines as they came. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import fc from 'fast-check';
import type { StoredBlock } from '../buffer/index.ts';
import { createDeflater } from '../lib/deflater.ts';
import { giveBack as giveBackNow } from '../lib/give-back.ts';
import { deflateFragment } from '../lib/gzip.ts';
import { prepare } from './prepare.ts';
import type { Prepared, PrepareTools } from './prepare.ts';
import { MemoryBuffer } from './testing/memory-buffer.ts';
import { runs } from '../lib/testing/depth.ts';

const deflater = createDeflater(5, 1);

const STREAM = 'zones/z1/http_requests';
const T0 = Date.UTC(2026, 10, 23, 6);

class BlockDamaged extends Error {
  override readonly name = 'BlockDamaged';
}

interface Used {
  inflated: number;
  deflated: number;
}

function toolsOver(buffer: MemoryBuffer, used: Used, damaged?: StoredBlock): PrepareTools {
  return {
    buffer,
    inflate: async (block) => {
      used.inflated += 1;
      if (block === damaged) throw new BlockDamaged();
      const finishFlush = zlib.constants.Z_SYNC_FLUSH;
      const plain =
        block.codec === 'raw' ? block.stored : zlib.inflateRawSync(block.stored, { finishFlush });
      if (zlib.crc32(plain) !== block.plainCrc) throw new BlockDamaged();
      return plain;
    },
    deflate: (plain) => {
      used.deflated += 1;
      return deflateFragment(plain, deflater);
    },
    inTurn: async (piece) => piece(),
    limits: {
      smallBlockBytes: 500,
      sparingBlockBytes: 200,
      turnBytes: 1_000,
      malformedPerBatch: 2,
      batchBytes: 1e9,
    },
  };
}

/** Blocks and what they are inflated to have memory of their own each, which tells whether it was given back. */
function withOwnMemory(buffer: MemoryBuffer) {
  const own = (bytes: Buffer): Buffer => {
    const copy = Buffer.from(new ArrayBuffer(bytes.length));
    copy.set(bytes);
    return copy;
  };
  const stored: Buffer[] = [];
  const plain: Buffer[] = [];
  const tools = toolsOver(buffer, { inflated: 0, deflated: 0 });
  const left = (all: readonly Buffer[]) =>
    all.reduce((sum, { buffer: of }) => sum + of.byteLength, 0);
  return {
    kept: () => ({ stored: left(stored), plain: left(plain) }),
    tools: {
      ...tools,
      inflate: async (one: StoredBlock) => {
        const inflated = await tools.inflate(one);
        if (inflated === one.stored) return inflated;
        plain.push(own(inflated));
        return plain.at(-1)!;
      },
      buffer: {
        async read(...question: Parameters<MemoryBuffer['read']>) {
          const read = await buffer.read(...question);
          if (read.kind !== 'blocks') return read;
          const blocks = read.blocks.map((one) => ({ ...one, stored: own(one.stored) }));
          stored.push(...blocks.map((one) => one.stored));
          const giveBack = (): void => blocks.forEach((one) => giveBackNow(one.stored));
          return { ...read, blocks, giveBack };
        },
      },
    },
  };
}

function plainOf(prepared: Prepared): string {
  assert.ok(prepared.kind === 'batch');
  const gzip = Buffer.concat(prepared.member.parts);
  assert.equal(prepared.sha256, createHash('sha256').update(gzip).digest('hex'));
  assert.equal(prepared.member.bytes, gzip.length);
  const plain = zlib.gunzipSync(gzip);
  assert.equal(prepared.member.plainBytes, plain.length);
  return plain.toString();
}

const line = fc
  .tuple(fc.string({ unit: 'grapheme', maxLength: 30 }), fc.nat(8))
  .map(([text, times]) => JSON.stringify({ text: text.repeat(times) }));
const block = fc.record({
  lines: fc.array(line, { minLength: 1, maxLength: 20 }),
  codec: fc.constantFrom('raw' as const, 'deflate' as const),
});

describe('prepare', () => {
  it('asks for the blocks of its range and for none behind, however long the backlog is', async () => {
    const buffer = new MemoryBuffer();
    for (let n = 0; n < 20; n += 1) buffer.add(STREAM, [`{"n":${n}}`], T0);
    let came = 0;
    const counting: PrepareTools['buffer'] = {
      async read(...question) {
        const read = await buffer.read(...question);
        if (read.kind === 'blocks') came += read.blocks.length;
        return read;
      },
    };
    const tools = { ...toolsOver(buffer, { inflated: 0, deflated: 0 }), buffer: counting };
    const range = { from: 2, to: 5 };
    const request = { stream: STREAM, range, pinned: true, content: 'whole' } as const;
    assert.equal(plainOf(await prepare(request, tools)), '{"n":2}\n{"n":3}\n{"n":4}\n');
    assert.equal(came, 3);
  });

  it('gives exactly the lines of any range, from any blocks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(block, { minLength: 1, maxLength: 8 }),
        fc.nat(),
        fc.nat(),
        async (blocks, a, b) => {
          const buffer = new MemoryBuffer();
          for (const { lines, codec } of blocks) buffer.add(STREAM, lines, T0, codec);
          const all = blocks.flatMap(({ lines }) => lines);
          const from = a % all.length;
          const range = { from, to: from + 1 + (b % (all.length - from)) };
          const request = { stream: STREAM, range, pinned: true, content: 'whole' } as const;
          const prepared = await prepare(request, toolsOver(buffer, { inflated: 0, deflated: 0 }));
          const expected = all.slice(range.from, range.to).map((text) => `${text}\n`);
          assert.equal(plainOf(prepared), expected.join(''));
          assert.ok(prepared.kind === 'batch');
          assert.equal(prepared.counts.delivered, range.to - range.from);
        },
      ),
      { numRuns: runs(80) },
    );
  });

  it('gives memory back that it has copied, and never what stands in the body', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(block, { minLength: 1, maxLength: 12 }),
        fc.nat(),
        fc.constantFrom(undefined, { fingerprint: 'f', encoding: 'identity' } as const),
        async (blocks, a, receiver) => {
          const buffer = new MemoryBuffer();
          for (const { lines, codec } of blocks) buffer.add(STREAM, lines, T0, codec);
          const all = blocks.flatMap(({ lines }) => lines);
          const range = { from: a % all.length, to: all.length };
          const request = { stream: STREAM, range, pinned: true, content: 'whole' } as const;
          const world = withOwnMemory(buffer);
          const prepared = await prepare(
            { ...request, ...(receiver && { receiver }) },
            world.tools,
          );
          const expected = all.slice(range.from).map((text) => `${text}\n`);
          assert.ok(prepared.kind === 'batch');
          const body = Buffer.concat(prepared.member.parts);
          const plain = receiver ? body : zlib.gunzipSync(body);
          assert.equal(plain.toString(), expected.join(''));
          prepared.giveBack?.();
          assert.equal(world.kept().stored, 0, 'what stood in it goes with it');
        },
      ),
      { numRuns: runs(80) },
    );
  });

  it('of small blocks that are deflated again nothing is left but the body', async () => {
    const buffer = new MemoryBuffer();
    for (let n = 0; n < 40; n += 1)
      buffer.add(STREAM, [`{"n":${n},"t":"${'y'.repeat(200)}"}`], T0, 'deflate');
    const world = withOwnMemory(buffer);
    const range = { from: 0, to: 40 };
    const request = { stream: STREAM, range, pinned: true, content: 'whole' } as const;
    assert.equal(plainOf(await prepare(request, world.tools)).split('\n').length, 41);
    assert.deepEqual(world.kept(), { stored: 0, plain: 0 });
  });

  it('copies large fragments, and puts small blocks through zlib together', async () => {
    const buffer = new MemoryBuffer();
    const large = [`{"large":"${'x'.repeat(2_000)}"}`];
    buffer.add(STREAM, large, T0, 'deflate');
    for (let n = 0; n < 10; n += 1) buffer.add(STREAM, [`{"n":${n}}`], T0, 'deflate');
    buffer.add(STREAM, large, T0, 'deflate');
    const used = { inflated: 0, deflated: 0 };
    const range = { from: 0, to: 12 };
    const request = { stream: STREAM, range, pinned: true, content: 'whole' } as const;
    const prepared = await prepare(request, toolsOver(buffer, used));
    assert.equal(plainOf(prepared).split('\n').length, 13);
    assert.deepEqual(used, { inflated: 1, deflated: 1 }, 'ten blocks in one go');
  });

  it('copies a small fragment that has no other small one beside it', async () => {
    const buffer = new MemoryBuffer();
    const large = [`{"large":"${'x'.repeat(2_000)}"}`];
    const small = (n: number) => [`{"n":${n},"t":"${'y'.repeat(100)}"}`];
    for (const lines of [small(0), large, small(1), large, small(2), small(3)])
      buffer.add(STREAM, lines, T0, 'deflate');
    const use = async (from: number, to: number) => {
      const used = { inflated: 0, deflated: 0 };
      const range = { from, to };
      const request = { stream: STREAM, range, pinned: true, content: 'whole' } as const;
      const prepared = await prepare(request, toolsOver(buffer, used));
      assert.equal(plainOf(prepared).split('\n').length, to - from + 1);
      return used;
    };
    assert.deepEqual(await use(0, 1), { inflated: 0, deflated: 0 }, 'a batch of one block');
    assert.deepEqual(await use(0, 4), { inflated: 0, deflated: 0 }, 'each among large ones');
    assert.deepEqual(await use(3, 5), { inflated: 0, deflated: 0 }, 'the last of the batch');
    assert.deepEqual(await use(3, 6), { inflated: 1, deflated: 1 }, 'two shrink together');
  });

  it('sparing, copies what is not very small', async () => {
    const buffer = new MemoryBuffer();
    const block = (n: number, bytes: number) => [`{"n":${n},"t":"${'y'.repeat(bytes)}"}`];
    const blocks = [300, 300, 300, 100, 300, 100, 100];
    for (const [n, bytes] of blocks.entries()) buffer.add(STREAM, block(n, bytes), T0, 'deflate');
    const expected = blocks.map((bytes, n) => `${block(n, bytes)[0]}\n`);
    const use = async (from: number, to: number, sparing: boolean) => {
      const used = { inflated: 0, deflated: 0 };
      const request = {
        stream: STREAM,
        range: { from, to },
        pinned: true,
        content: 'whole',
      } as const;
      const prepared = await prepare({ ...request, sparing }, toolsOver(buffer, used));
      assert.equal(plainOf(prepared), expected.slice(from, to).join(''));
      return used;
    };
    assert.deepEqual(await use(0, 5, false), { inflated: 1, deflated: 1 });
    assert.deepEqual(await use(0, 5, true), { inflated: 0, deflated: 0 }, 'a very small one alone');
    assert.deepEqual(
      await use(0, 7, true),
      { inflated: 1, deflated: 1 },
      'two of them shrink together',
    );
  });

  it('line by line, blocks still shrink nearly as far as gzip -6 makes the whole', async () => {
    const buffer = new MemoryBuffer();
    const lines = Array.from({ length: 3_000 }, (_, n) => {
      const ip = `10.${n % 7}.${(n * 31) % 256}.${(n * 17) % 256}`;
      const uri = `/shop/item-${(n * 7919) % 500}?page=${n % 9}`;
      return JSON.stringify({ ClientIP: ip, ClientRequestURI: uri, RayID: (n * 2654435761) % 2e9 });
    });
    for (const text of lines) buffer.add(STREAM, [text], T0, 'deflate');
    const range = { from: 0, to: lines.length };
    const request = { stream: STREAM, range, pinned: true, content: 'whole' } as const;
    const prepared = await prepare(request, toolsOver(buffer, { inflated: 0, deflated: 0 }));
    const plain = `${lines.join('\n')}\n`;
    assert.equal(plainOf(prepared), plain);
    assert.ok(prepared.kind === 'batch');
    const share = prepared.member.bytes / zlib.gzipSync(plain, { level: 6 }).length;
    assert.ok(share <= 1.25, `${share} times gzip -6`);
  });

  it('makes the same bytes each time (I7)', async () => {
    const buffer = new MemoryBuffer();
    buffer.add(STREAM, ['{"a":1}', '{"b":2}'], T0, 'deflate');
    buffer.add(STREAM, [`{"c":"${'y'.repeat(900)}"}`], T0, 'deflate');
    const range = { from: 1, to: 3 };
    const request = { stream: STREAM, range, pinned: true, content: 'whole' } as const;
    const make = async () => {
      const prepared = await prepare(request, toolsOver(buffer, { inflated: 0, deflated: 0 }));
      assert.ok(prepared.kind === 'batch');
      const { giveBack: _, ...made } = prepared;
      return made;
    };
    assert.deepEqual(await make(), await make());
  });

  it('a damaged block is never delivered as data: its lines are dropped as corrupt (I10)', async () => {
    const buffer = new MemoryBuffer();
    for (let n = 0; n < 3; n += 1) buffer.add(STREAM, [`{"n":${n}}`, `{"m":${n}}`], T0);
    const read = await buffer.read(STREAM, 2, 1);
    assert.ok(read.kind === 'blocks');
    const tools = toolsOver(buffer, { inflated: 0, deflated: 0 }, read.blocks[0]);
    const range = { from: 0, to: 6 };
    const content = 'whole' as const;
    const pinned = await prepare({ stream: STREAM, range, pinned: true, content }, tools);
    assert.equal(plainOf(pinned), '{"n":0}\n{"m":0}\n{"n":2}\n{"m":2}\n');
    assert.ok(pinned.kind === 'batch');
    assert.deepEqual(pinned.counts.dropped, { corrupt: 2 });
    const fresh = await prepare({ stream: STREAM, range, pinned: false, content }, tools);
    assert.ok(fresh.kind === 'batch');
    assert.deepEqual(fresh.range, { from: 0, to: 2 }, 'a new batch ends before it');
    const next = { from: 2, to: 6 };
    const lost = await prepare({ stream: STREAM, range: next, pinned: false, content }, tools);
    assert.ok(lost.kind === 'nothing');
    assert.deepEqual([lost.range, lost.counts.dropped], [{ from: 2, to: 4 }, { corrupt: 2 }]);
  });

  it('one damaged block among many small ones costs its own lines only (I10)', async () => {
    const buffer = new MemoryBuffer();
    for (let n = 0; n < 20; n += 1) buffer.add(STREAM, [`{"n":${n}}`], T0, 'deflate');
    const read = await buffer.read(STREAM, 0, 1e6);
    assert.ok(read.kind === 'blocks');
    Object.assign(read.blocks[7]!, { plainCrc: 1 });
    const range = { from: 0, to: 20 };
    const request = { stream: STREAM, range, pinned: true, content: 'whole' } as const;
    const prepared = await prepare(request, toolsOver(buffer, { inflated: 0, deflated: 0 }));
    assert.ok(prepared.kind === 'batch');
    assert.deepEqual(prepared.counts, { delivered: 19, excluded: {}, dropped: { corrupt: 1 } });
    assert.ok(!plainOf(prepared).includes('"n":7}'));
  });

  it('a disk that does not answer fails the preparation and drops nothing', async () => {
    const buffer = new MemoryBuffer();
    buffer.add(STREAM, ['{}'], T0);
    buffer.failing.read = 1;
    const range = { from: 0, to: 1 };
    const request = { stream: STREAM, range, pinned: true, content: 'whole' } as const;
    const tools = toolsOver(buffer, { inflated: 0, deflated: 0 });
    assert.deepEqual(await prepare(request, tools), {
      kind: 'failed',
      detail: 'the disk did not answer',
    });
    assert.equal((await prepare(request, tools)).kind, 'batch');
  });

  it('keeps malformed lines up to the bound, and counts all of them', async () => {
    const buffer = new MemoryBuffer();
    buffer.add(STREAM, ['{"a"}', '{"ok":1}', '{"b"}', '{"c"}'], T0);
    const encoder = {
      contentType: 'application/x-ndjson',
      prefix: Buffer.alloc(0),
      suffix: Buffer.alloc(0),
      encode: () => ({
        bytes: Buffer.from('{"ok":1}\n'),
        lines: 1,
        excluded: {},
        malformed: [0, 2, 3],
      }),
    };
    const range = { from: 0, to: 4 };
    const request = { stream: STREAM, range, pinned: true, content: encoder };
    const prepared = await prepare(request, toolsOver(buffer, { inflated: 0, deflated: 0 }));
    assert.ok(prepared.kind === 'batch');
    assert.deepEqual(prepared.counts.dropped, { malformed: 3 });
    assert.deepEqual(
      prepared.malformed.map(({ offset, bytes }) => [offset, bytes.toString()]),
      [
        [0, '{"a"}'],
        [2, '{"b"}'],
      ],
    );
  });
});
