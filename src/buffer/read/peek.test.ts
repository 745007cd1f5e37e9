/** Looking at blocks without reading them: what is found at once, in pages of the index that are in memory, is what is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runs } from '../../lib/testing/depth.ts';
import type { BlockInfo, ShardBuffer } from '../contract.ts';
import { request, smallLimits, texts, TestShard } from '../testing.ts';

/** One block after the other, each read. */
async function slowPeek(
  buffer: ShardBuffer,
  stream: string,
  from: number,
  most: number,
  plainBytes: number,
): Promise<BlockInfo[]> {
  const infos: BlockInfo[] = [];
  let bytes = 0;
  for (let at = from; infos.length < most && (infos.length === 0 || bytes < plainBytes);) {
    const read = await buffer.read(stream, at, 1);
    if (read.kind !== 'blocks') break;
    const { range, receivedMs, plainBytes: plain, storedBytes } = read.blocks[0]!;
    infos.push({ range, receivedMs, plainBytes: plain, storedBytes });
    bytes += plain;
    at = range.to;
  }
  return infos;
}

test('a look shows the blocks that reading brings, whatever is in memory of the index', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ stream: fc.nat(3), lines: fc.integer({ min: 1, max: 4 }) }), {
        minLength: 1,
        maxLength: 60,
      }),
      fc.constantFrom(0, 1 << 20),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 2_000 }),
      fc.nat(),
      async (appends, indexCacheBytes, most, plainBytes, start) => {
        const limits = { tailCacheBytes: 0, spanBlocks: 12, indexCacheBytes };
        const shard = new TestShard(smallLimits(limits));
        const buffer = await shard.open();
        for (const [n, { stream, lines }] of appends.entries())
          await buffer.append(request(texts(lines, n), { stream: `zones/z${stream}/http` }));
        for (const { stream, head } of buffer.streams()) {
          const from = start % head;
          const expected = await slowPeek(buffer, stream, from, most, plainBytes);
          // Twice: the second time finds more of it in memory.
          for (let time = 0; time < 2; time += 1)
            assert.deepEqual(await buffer.peek(stream, from, most, plainBytes), expected);
        }
        await buffer.close();
      },
    ),
    { numRuns: runs(60) },
  );
});
