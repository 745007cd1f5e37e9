/** Small blocks deflated by another thread: stored as without it, and stored all the same when it is of no use. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, crc32, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import type { DeflateMany } from '../lib/deflate-many/contract.ts';
import { deflateHere } from '../lib/deflater.ts';
import { runs } from '../lib/testing/depth.ts';
import { limits } from '../model/limits.ts';
import { decodeBlock } from './format/block.codec.ts';
import { readAll, request, smallLimits, TestShard } from './testing.ts';

/** Does what the thread does. */
const thread: DeflateMany = async (pieces, level, keep) => {
  const copies = pieces.map(({ parts }) => Buffer.concat(parts));
  await new Promise((resolve) => setImmediate(resolve));
  return copies.map((plain) => {
    const bytes = deflateHere(plain, level);
    const isSmaller = bytes.length < plain.length;
    return {
      plainCrc: crc32(plain),
      fragment: isSmaller ? { bytes: keep(bytes), crc: crc32(bytes) } : undefined,
    };
  });
};

const { blockBytes, blockLines, blockKeys } = limits.buffer;

/** Stores all requests at once, and answers what the disk holds then. */
async function stored(
  requests: readonly { readonly stream: string; readonly lines: readonly string[] }[],
  deflateMany: DeflateMany | undefined,
) {
  const shard = new TestShard(
    smallLimits({ blockBytes, blockLines, blockKeys }, { commitBytes: 1e9 }),
  );
  if (deflateMany !== undefined) shard.deps = { deflateMany };
  const buffer = await shard.open();
  const answers = await Promise.all(
    requests.map(({ stream, lines }) => buffer.append(request(lines, { stream }))),
  );
  const streams = [...new Set(requests.map(({ stream }) => stream))];
  const lines = await Promise.all(streams.map((stream) => readAll(buffer, stream)));
  await buffer.close();
  return { answers, lines, records: shard.store!.records.map(({ payload }) => readable(payload)) };
}

/** A block as whoever reads it finds it: a compressor that was used before may encode the same lines a little differently. */
function readable(payload: Buffer) {
  const block = decodeBlock(payload, 'verify');
  if (block.kind !== 'block') return payload;
  const { stored: bytes, storedCrc: _, ...header } = block;
  if (block.codec !== 'deflate') return { ...header, bytes };
  return { ...header, bytes: inflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }) };
}

const line = fc
  .tuple(fc.string({ maxLength: 30 }), fc.nat(3_000))
  .map(([text, pad]) => JSON.stringify({ text, pad: 'abcdefghij'.repeat(pad / 10) }));
const requests = fc.array(
  fc.record({
    stream: fc.nat(6).map((n) => `zones/z${n}/http`),
    lines: fc.array(line, { minLength: 1, maxLength: 25 }),
  }),
  { minLength: 1, maxLength: 25 },
);

test('what is stored is the same with the thread, without it, and when it ends (I1)', async () => {
  let asked = 0;
  await fc.assert(
    fc.asyncProperty(requests, async (made) => {
      const without = await stored(made, undefined);
      const withThread = await stored(made, (...wish) => {
        asked += 1;
        return thread(...wish);
      });
      assert.deepEqual(withThread, without);
      assert.deepEqual(await stored(made, async () => undefined), without);
    }),
    { numRuns: runs(60) },
  );
  assert.ok(asked > 0);
});

test('a short commit does not wait for another thread', async () => {
  const few = [{ stream: 'zones/z1/http', lines: ['{"n":1}'.padEnd(20_000)] }];
  await stored(few, () => assert.fail('it is deflated here'));
});
