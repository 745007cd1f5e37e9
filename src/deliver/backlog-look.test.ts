import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { BlockInfo } from '../buffer/index.ts';
import { BacklogLook } from './backlog-look.ts';

/** Blocks of these sizes, ten lines each, one behind the other but for gaps. */
function infosOf(sizes: readonly number[], gapAt?: number): BlockInfo[] {
  return sizes.map((plainBytes, n) => {
    const from = 10 * n + (gapAt !== undefined && n >= gapAt ? 5 : 0);
    return { range: { from, to: from + 10 }, receivedMs: n, plainBytes, storedBytes: 1 };
  });
}

/** As a buffer answers: consecutive blocks, as many as asked for, up to a gap. */
function peekOf(all: readonly BlockInfo[]) {
  return (_: string, from: number, most: number, plainBytes = Infinity): BlockInfo[] => {
    const found: BlockInfo[] = [];
    let at = from;
    let bytes = 0;
    while (found.length < most && (found.length === 0 || bytes < plainBytes)) {
      const next = all.find(({ range }) => range.from <= at && at < range.to);
      if (next === undefined) break;
      found.push(next);
      bytes += next.plainBytes;
      at = next.range.to;
    }
    return found;
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('looking at a backlog', () => {
  it('shows what one long look shows, however long it is and wherever it begins', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1_500 }),
        fc.nat(10_000),
        fc.integer({ min: 1, max: 1_600 }),
        fc.integer({ min: 1, max: 20_000 }),
        fc.option(fc.nat(1_500), { nil: undefined }),
        async (count, start, most, plainBytes, gapAt) => {
          const peek = peekOf(
            infosOf(
              Array.from({ length: count }, (_, n) => 1 + (n % 31)),
              gapAt,
            ),
          );
          const from = start % Math.max(1, 10 * count);
          const look = new BacklogLook({
            buffer: { peek: async (...asked) => peek(...asked) },
            inTurn: async (piece) => piece(),
          });
          assert.deepEqual(
            await look.blocks('s', from, most, plainBytes),
            peek('s', from, most, plainBytes),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it('of very many that are behind two are gone through at once, a piece at a time; who keeps up does not wait', async () => {
    const peek = peekOf(infosOf(Array.from({ length: 1_300 }, () => 1)));
    let largest = 0;
    const streams = new Set<string>();
    const look = new BacklogLook({
      buffer: {
        async peek(stream, from, most, plainBytes) {
          largest = Math.max(largest, most);
          if (most > 128) streams.add(stream);
          await nextTurn();
          return stream === 'short' ? [] : peek(stream, from, most, plainBytes);
        },
      },
      inTurn: async (piece) => piece(),
    });
    let ended = 0;
    const long = Array.from({ length: 20 }, async (_, n) => {
      const infos = await look.blocks(`s${n}`, 0, 4_096, Infinity);
      assert.equal(infos.length, 1_300);
      ended += 1;
    });
    await nextTurn();
    await nextTurn();
    await look.blocks('short', 0, 4_096, Infinity);
    assert.equal(ended, 0);
    assert.ok(streams.size <= 2, `${streams.size} long looks at once`);
    await Promise.all(long);
    assert.equal(largest, 512);
  });
});
