/** The tail is sealed with an index while it is being read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silent } from '../lib/diagnostics.ts';
import { PAGE_ENTRIES } from './format/index-page.ts';
import { HandClock, readAll, request, smallLimits, TestShard } from './testing.ts';

/** Every turn has lasted too long by the time that it is asked. */
class SlowClock extends HandClock {
  override monotonicMs(): number {
    this.monotonic += 10;
    return this.monotonic;
  }
}

test('whoever reads while an index of several pages is put in place finds none of them damaged', async () => {
  const streams = Array.from({ length: PAGE_ENTRIES + 400 }, (_, n) => `zones/z${n}/http`);
  const limits = { spanBlocks: 2 * PAGE_ENTRIES, tailCacheBytes: 0 };
  const unbounded = { segmentBytes: 1e9, commitBytes: 1e9 };
  const shard = new TestShard(smallLimits({ ...limits, newStreamsBurst: 1e9 }, unbounded));
  const alarms: string[] = [];
  shard.deps = {
    clock: new SlowClock(),
    diagnostics: { ...silent, alarm: (event) => void alarms.push(event) },
  };
  const buffer = await shard.open();
  const append = () =>
    Promise.all(streams.map((stream) => buffer.append(request(['{}'], { stream }))));
  await append();
  let isOver = false;
  const sealing = append().then(async () => {
    await buffer.append(request(['{}']));
    isOver = true;
  });
  let reads = 0;
  while (!isOver) {
    await new Promise((resolve) => setImmediate(resolve));
    for (const stream of [streams[0]!, streams.at(-1)!]) {
      const read = await buffer.read(stream, 0, 1_000);
      assert.equal(read.kind, 'blocks');
      reads += 1;
    }
  }
  await sealing;
  assert.ok(reads > 0);
  assert.deepEqual(alarms, []);
  for (const stream of streams.slice(-3))
    assert.deepEqual(await readAll(buffer, stream), ['{}', '{}']);
  await buffer.close();
});
