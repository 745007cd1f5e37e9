/** Lines that come deflated are stored as their sender deflated them, where they may be one block. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AppendRequest } from './contract.ts';
import { decodeBlock } from './format/block.codec.ts';
import { SHARED_BYTES } from './write/intake.ts';
import { key, readAll, request, smallLimits, TestShard, texts, withDeflated } from './testing.ts';

const DEFLATED_LINES = 400;

function deflated(lines: readonly string[], more: Partial<AppendRequest> = {}): AppendRequest {
  return withDeflated(request(lines, more));
}

function openShard(): TestShard {
  return new TestShard(
    smallLimits(
      { blockLines: 100, blockBytes: 1_000_000, deflatedLines: DEFLATED_LINES },
      { segmentBytes: 1e6, commitBytes: 1e9 },
    ),
  );
}

function blocksOf(shard: TestShard) {
  const records = shard.store!.records.map(({ payload }) => decodeBlock(payload, 'verify'));
  return records.flatMap((record) => (record.kind === 'block' ? [record] : []));
}

test('one block holds them as they came, with more lines than a block of the buffer’s own; it is read back after a crash', async () => {
  const shard = openShard();
  const lines = texts(DEFLATED_LINES, 0, 100);
  const one = deflated(lines, { identity: key('one') });
  const buffer = await shard.open();
  const result = await buffer.append(one);
  assert.deepEqual(result.kind === 'stored' && result.range, { from: 0, to: DEFLATED_LINES });
  const blocks = blocksOf(shard);
  assert.equal(blocks.length, 1);
  assert.deepEqual(blocks[0]!.stored, one.deflated!.fragment);
  assert.deepEqual(await readAll(buffer), lines);
  shard.disk.crash();
  const again = await shard.open();
  assert.deepEqual(await readAll(again), lines);
  const repeat = await again.append(request(lines, { identity: key('one') }));
  assert.equal(repeat.kind === 'stored' && repeat.repeat, true);
  const other = await again.append(
    request(texts(DEFLATED_LINES, 1, 100), { identity: key('one') }),
  );
  assert.equal(other.kind, 'key_conflict');
});

test('more lines or bytes than one block may hold, and few enough to share one, are stored as if they had come plain', async () => {
  for (const lines of [
    texts(DEFLATED_LINES + 1, 0, 100),
    texts(DEFLATED_LINES, 0, 5_000),
    texts(10, 0, SHARED_BYTES / 10 - 20),
  ]) {
    const [one, other] = [openShard(), openShard()];
    const [came, plain] = [await one.open(), await other.open()];
    await came.append(deflated(lines));
    await plain.append(request(lines));
    assert.deepEqual(await readAll(came), lines);
    const shapes = [one, other].map((shard) =>
      blocksOf(shard).map(({ lines: count, plainBytes, plainCrc }) => [
        count,
        plainBytes,
        plainCrc,
      ]),
    );
    assert.deepEqual(shapes[0], shapes[1]);
  }
});

test('I5: they keep their place among others of their stream', async () => {
  const shard = openShard();
  const buffer = await shard.open();
  const all = texts(900, 0, 200);
  const parts = [all.slice(0, 300), all.slice(300, 310), all.slice(310, 600), all.slice(600)];
  await Promise.all(
    parts.map((part, index) => buffer.append(index % 2 === 0 ? request(part) : deflated(part))),
  );
  assert.deepEqual(await readAll(buffer), all);
});
