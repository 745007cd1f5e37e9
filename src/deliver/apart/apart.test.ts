/** Batches prepared by another thread: what comes back is what is made here, and nothing that moved is missed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import zlib from 'node:zlib';
import fc from 'fast-check';
import type { StoredBlock } from '../../buffer/index.ts';
import { AssertionError } from '../../lib/assert.ts';
import { systemClock as clock } from '../../lib/clock.ts';
import { createDeflater } from '../../lib/deflater.ts';
import { deflateFragment } from '../../lib/gzip.ts';
import { runs } from '../../lib/testing/depth.ts';
import { AGAIN_LEVEL, DEFLATE_LEVEL } from '../body.ts';
import { compileContent } from '../content/index.ts';
import type { Content, ReceiverDescription } from '../contract.ts';
import { prepare } from '../prepare.ts';
import type { Prepared, PrepareRequest, PrepareTools } from '../prepare.ts';
import { EPOCH, MemoryBuffer } from '../testing/memory-buffer.ts';
import { PreparingThread } from './shard-side.ts';
import { prepareForShard } from './thread-side.ts';

const STREAM = 'zones/z1/http_requests';
const T0 = Date.UTC(2026, 10, 23, 6);
const LIMITS = {
  smallBlockBytes: 400,
  sparingBlockBytes: 200,
  turnBytes: 1_000,
  malformedPerBatch: 3,
  batchBytes: 1e9,
};
const deflater = createDeflater(DEFLATE_LEVEL, 1);
const again = createDeflater(AGAIN_LEVEL, 1);

class BlockDamaged extends Error {
  override readonly name = 'BlockDamaged';
}

function inflate({ codec, stored, plainCrc }: StoredBlock): Buffer {
  const finishFlush = zlib.constants.Z_SYNC_FLUSH;
  const plain = codec === 'raw' ? stored : zlib.inflateRawSync(stored, { finishFlush });
  if (zlib.crc32(plain) !== plainCrc) throw new BlockDamaged();
  return plain;
}

function here(buffer: MemoryBuffer): PrepareTools {
  return {
    buffer,
    inflate: async (block) => inflate(block),
    deflate: (plain) => deflateFragment(plain, deflater),
    deflateAgain: (plain) => deflateFragment(plain, again),
    inTurn: async (piece) => piece(),
    limits: LIMITS,
  };
}

/** Both ends in this thread: bytes move between them all the same. */
async function withThread<T>(
  work: (thread: PreparingThread) => Promise<T>,
  limits = LIMITS,
): Promise<T> {
  const { port1, port2 } = new MessageChannel();
  prepareForShard(port2, { clock, inflate, limits });
  try {
    return await work(new PreparingThread(port1, clock));
  } finally {
    port1.close();
  }
}

/** What is seen of a batch; its body may be in other parts. */
function seen(prepared: Prepared): unknown {
  if (prepared.kind !== 'batch') return prepared;
  const { member, giveBack: _, ...rest } = prepared;
  return {
    ...rest,
    bytes: member.bytes,
    plainBytes: member.plainBytes,
    body: Buffer.concat(member.parts),
  };
}

const row = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({ a: fc.nat(9), EdgeStartTimestamp: fc.nat(), b: fc.string() })
      .map((of) => JSON.stringify(of)),
  },
  { weight: 1, arbitrary: fc.constantFrom('{"a"', '{"a":tru}') },
);
const blocks = fc.array(
  fc.record({
    lines: fc.array(row, { minLength: 1, maxLength: 30 }),
    codec: fc.constantFrom('raw' as const, 'deflate' as const),
    fate: fc.constantFrom('whole', 'whole', 'whole', 'damaged', 'lost'),
  }),
  { minLength: 1, maxLength: 6 },
);
const options = fc.constantFrom(
  { field_names: ['b', 'a'], timestamp_format: 'rfc3339' as const },
  {
    field_names: ['EdgeStartTimestamp', 'a'],
    output_type: 'csv' as const,
    batch_prefix: 'head\n',
    batch_suffix: 'end\n',
  },
  { sample_rate: 0.5 },
  {},
);
const filter = fc.constantFrom(
  '',
  JSON.stringify({ where: { key: 'a', operator: 'lt', value: 6 } }),
);
const receiver = fc.constantFrom<ReceiverDescription | undefined>(
  undefined,
  { fingerprint: 'f', encoding: 'identity' },
  {
    fingerprint: 'f',
    framing: {
      contentType: 'application/json',
      prefix: '[',
      suffix: ']',
      before: [],
      after: [],
      delimiter: ',',
      line: 'as it is',
    },
  },
);

describe('preparing apart', () => {
  it('makes the very bytes that are made here, of any blocks, content, receiver and range (I7)', async () => {
    await withThread((thread) =>
      fc.assert(
        fc.asyncProperty(
          blocks,
          options,
          filter,
          receiver,
          fc.nat(),
          fc.nat(),
          fc.boolean(),
          async (made, outputOptions, where, to, a, b, pinned) => {
            const buffer = new MemoryBuffer();
            for (const { lines, codec, fate } of made) {
              const range = buffer.add(STREAM, lines, T0, codec);
              if (fate === 'lost') buffer.lose(STREAM, range, 'corrupt');
              if (fate === 'damaged') await damage(buffer, range.from);
            }
            const count = made.reduce((sum, { lines }) => sum + lines.length, 0);
            const from = a % count;
            const request: PrepareRequest = {
              stream: STREAM,
              range: { from, to: from + 1 + (b % (count - from)) },
              pinned,
              content: compileContent({ filter: where, outputOptions }, undefined, EPOCH),
              origin: { job: 1, epoch: EPOCH },
              ...(to === undefined ? {} : { receiver: to }),
            };
            const expected = await prepare(request, here(buffer));
            const apart = await thread.prepare(request, buffer);
            assert.deepEqual(seen(apart), seen(expected));
            if (apart.kind === 'batch') assert.equal(apart.receiver, request.receiver);
            // A repeat: nothing that is held here has moved away.
            assert.deepEqual(seen(await thread.prepare(request, buffer)), seen(expected));
          },
        ),
        { numRuns: runs(60) },
      ),
    );
  });

  it('several batches at once, of blocks in memory of their own, do not mix (I7)', async () => {
    const content = compileContent(
      { filter: '', outputOptions: { field_names: ['n'] } },
      undefined,
      EPOCH,
    );
    const buffers = Array.from({ length: 5 }, (_, which) => {
      const buffer = new MemoryBuffer();
      for (let block = 0; block < 4; block += 1) {
        const lines = Array.from(
          { length: 300 },
          (__, n) => `{"n":${n},"which":${which},"pad":"${'x'.repeat(400)}"}`,
        );
        buffer.add(STREAM, lines, T0, block % 2 === 0 ? 'deflate' : 'raw');
      }
      return buffer;
    });
    const request = { stream: STREAM, range: { from: 0, to: 1_200 }, pinned: true, content };
    const limits = { ...LIMITS, turnBytes: 64 * 1024 };
    const made = await withThread(
      (thread) => Promise.all(buffers.map((buffer) => thread.prepare(request, buffer))),
      limits,
    );
    for (const [which, batch] of made.entries()) {
      assert.ok(batch.kind === 'batch');
      const plain = zlib.gunzipSync(Buffer.concat(batch.member.parts)).toString();
      assert.equal(plain, Array.from({ length: 1_200 }, (_, n) => `{"n":${n % 300}}\n`).join(''));
      assert.deepEqual(
        seen(batch),
        seen(await prepare(request, { ...here(buffers[which]!), limits })),
      );
    }
  });

  it('a thread that ends fails what it had under way, and later batches: they are tried again', async () => {
    const { port1, port2 } = new MessageChannel();
    const thread = new PreparingThread(port1, clock);
    const buffer = new MemoryBuffer();
    buffer.add(STREAM, ['{"a":1}'], T0);
    const request = {
      stream: STREAM,
      range: { from: 0, to: 1 },
      pinned: true,
      content: 'whole',
    } as const;
    const underWay = thread.prepare(request, buffer);
    thread.end('the thread ended');
    const failed = { kind: 'failed', detail: 'the thread ended' };
    assert.deepEqual(await underWay, failed);
    assert.deepEqual(await thread.prepare(request, buffer), failed);
    port1.close();
    port2.close();
  });

  it('a broken invariant in the thread is one here, and what reading throws too', async () => {
    const buffer = new MemoryBuffer();
    buffer.add(STREAM, ['{"a":1}'], T0);
    const content: Content = compileContent(
      { filter: '', outputOptions: { field_names: ['a'] } },
      undefined,
      EPOCH,
    );
    assert.ok(content !== 'whole' && content.recipe);
    const broken = {
      ...content,
      recipe: { ...content.recipe, filter: '{' },
      encode: content.encode.bind(content),
    };
    const request = { stream: STREAM, range: { from: 0, to: 1 }, pinned: true };
    await withThread(async (thread) => {
      await assert.rejects(thread.prepare({ ...request, content: broken }, buffer), (error) => {
        return error instanceof AssertionError && error.message.includes('broken invariant');
      });
      const faulty = {
        read: () => Promise.reject(new AssertionError('nobody reads behind the head')),
      };
      await assert.rejects(thread.prepare({ ...request, content }, faulty), AssertionError);
      assert.equal((await thread.prepare({ ...request, content }, buffer)).kind, 'batch');
    });
  });

  it('gives the memory of blocks back once they are copied, and never before', async () => {
    const buffer = new MemoryBuffer();
    const lines = Array.from({ length: 200 }, (_, n) => `{"a":${n},"b":"${'y'.repeat(500)}"}`);
    buffer.add(STREAM, lines, T0);
    const content = compileContent(
      { filter: '', outputOptions: { field_names: ['a'] } },
      undefined,
      EPOCH,
    );
    const request = { stream: STREAM, range: { from: 0, to: 200 }, pinned: true, content };
    const expected = seen(await prepare(request, here(buffer)));
    let given = 0;
    const own = {
      read: async (stream: string, from: number, most: number) => {
        const read = await buffer.read(stream, from, most);
        if (read.kind !== 'blocks') return read;
        const copies = read.blocks.map((block) => ({
          ...block,
          stored: Buffer.from(block.stored),
        }));
        const giveBack = (): void => {
          given += 1;
          for (const { stored } of copies) stored.fill(0);
        };
        return { ...read, blocks: copies, giveBack };
      },
    };
    const made = await withThread((thread) => thread.prepare(request, own));
    assert.deepEqual(seen(made), expected);
    assert.equal(given, 1);
  });
});

async function damage(buffer: MemoryBuffer, from: number): Promise<void> {
  const read = await buffer.read(STREAM, from, 1);
  if (read.kind === 'blocks') Object.assign(read.blocks[0]!, { plainCrc: 1 });
}
