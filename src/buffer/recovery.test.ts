/** What is left after crashes and decay: told, counted, never guessed (I1, I10). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Position } from '../log/index.ts';
import {
  key,
  planOf,
  readAll,
  request,
  smallLimits,
  STREAM,
  texts,
  TestShard,
  waybill,
} from './testing.ts';
import { runs, stride } from '../lib/testing/depth.ts';

test('I1: recovered from every prefix of the log, a shard holds what was durable by then', async () => {
  const shard = new TestShard();
  const first = await shard.open();
  const states: { readonly end: number; readonly job: unknown; readonly lines: number }[] = [];
  const note = (): void => {
    states.push({
      end: shard.store!.end,
      job: first.job(1),
      lines: first.stream(STREAM)?.head ?? 0,
    });
  };
  await first.openJob(1, STREAM, 'a1', 'oldest');
  note();
  for (let round = 0; round < 6; round += 1) {
    await first.append(request(texts(15, round * 15, 30), { identity: key(`k${round}`) }));
    note();
    const job = first.job(1)!;
    const plan = planOf(job, { from: round * 15, to: round * 15 + 10 }, shard.clock.wall);
    await first.plan(1, [plan]);
    note();
    if (round % 2 === 0) continue;
    await first.settle(waybill(job, plan.range, shard.clock.wall, { plan: plan.id }));
    note();
  }
  const { records } = shard.store!;
  for (const state of states.toReversed()) {
    shard.cutTo(state.end as Position);
    const again = await shard.open();
    assert.deepEqual(again.job(1), state.job);
    assert.deepEqual(await readAll(again), texts(state.lines, 0, 30));
    assert.equal(again.stats().corruptLines, 0);
  }
  assert.ok(records.length > 20);
});

/** A shard on disk with several sealed spans and checkpoints, closed. */
async function closedShard(): Promise<TestShard> {
  const shard = new TestShard(
    smallLimits({ checkpointBytes: 500, spanBlocks: 10 }, { segmentBytes: 500 }),
    'disk',
  );
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'oldest');
  for (let round = 0; round < 40; round += 1) {
    await buffer.append(request(texts(10, round * 10, 30)));
    if (round % 5 === 0) await buffer.tend();
  }
  await buffer.close();
  return shard;
}

const files = async (shard: TestShard, directory: string, ending: string): Promise<string[]> =>
  (await shard.disk.files().list(directory))
    .filter((name) => name.endsWith(ending))
    .map((name) => `${directory}/${name}`);

test('I10: wherever a byte of the log decays, lines are whole or counted as a gap, and offsets stay', async () => {
  const whole = texts(400, 0, 30);
  const flips = runs(60);
  let gaps = 0;
  for (let seed = 0; seed < flips; seed += 1) {
    const shard = await closedShard();
    const segments = await files(shard, '/data/log', '.seg');
    const path = segments[seed % segments.length]!;
    const size = shard.disk.content(path)!.length;
    shard.disk.flip(path, 64 + ((seed * 7919) % (size - 64)), 1 << (seed % 8));
    const buffer = await shard.open();
    const found = await readAll(buffer);
    let offset = 0;
    for (const line of found) {
      const gap = /^gap:(\d+)-(\d+):corrupt$/.exec(line);
      if (gap === null) assert.equal(line, whole[offset++], `seed ${seed}`);
      else {
        assert.equal(Number(gap[1]), offset);
        const lines = Number(gap[2]) - offset;
        assert.ok(lines <= 10, 'at most the block that it is in');
        offset += lines;
        gaps += 1;
      }
    }
    assert.equal(offset, 400, `seed ${seed}`);
    assert.equal(buffer.stream(STREAM)!.head, 400);
    assert.ok(buffer.job(1) !== undefined, 'no cursor is lost');
    const missing = found.filter((line) => line.startsWith('gap:')).length;
    assert.ok(missing === 0 || buffer.stats().corruptLines > 0, `seed ${seed} is counted`);
    const counted = buffer.stats().corruptLines;
    await readAll(buffer);
    assert.equal(buffer.stats().corruptLines, counted, 'and counted once');
    await buffer.close();
  }
  assert.ok(gaps > flips / 6, 'some of the flips hit lines');
});

test('I10: a damaged checkpoint is passed over; without a whole one a trimmed log refuses to start', async () => {
  const shard = new TestShard(
    smallLimits({ checkpointBytes: 500, spanBlocks: 10, holdbackMs: 100 }, { segmentBytes: 500 }),
    'disk',
  );
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'oldest');
  for (let round = 0; round < 30; round += 1) {
    await buffer.append(request(texts(10, round * 10, 30)));
    const job = buffer.job(1)!;
    await buffer.settle(waybill(job, { from: round * 10, to: round * 10 + 10 }, shard.clock.wall));
    shard.clock.pass(1_000);
    await buffer.tend();
  }
  const before = { job: buffer.job(1), stream: buffer.stream(STREAM) };
  assert.ok(before.stream!.oldest > 0, 'settled lines behind the holdback went');
  await buffer.close();
  const [older, newest] = await files(shard, '/data/buffer', '.wbc');
  assert.ok(older !== undefined && newest !== undefined);

  for (const [damaged, kind] of [
    [[], 'open'],
    [[newest], 'open'],
    [[newest, older], 'unreadable'],
  ] as const) {
    for (const path of damaged) shard.disk.flip(path, 40, 1);
    const outcome = await shard.tryOpen();
    assert.equal(outcome.kind, kind);
    if (outcome.kind === 'open') {
      assert.equal(outcome.recovered.damagedCheckpoints, damaged.length);
      assert.deepEqual(outcome.buffer.job(1), before.job);
      assert.equal(outcome.buffer.stream(STREAM)!.head, 300);
    }
    shard.disk.kill();
    for (const path of damaged) shard.disk.flip(path, 40, 1);
  }
});

test('a disk that fails burns no offsets: the same lines are stored when it is well again', async () => {
  const shard = new TestShard(undefined, 'disk');
  const buffer = await shard.open();
  await buffer.append(request(texts(5), { identity: key('a') }));
  shard.disk.plan({
    operation: 'sync',
    nth: 1,
    forever: true,
    effect: { kind: 'fail', code: 'EIO' },
  });
  const refused = await Promise.all([
    buffer.append(request(texts(5, 5), { identity: key('b') })),
    buffer.openJob(2, STREAM, 'a1', 'head'),
  ]);
  assert.deepEqual(refused[0], { kind: 'refused', reason: 'not_durable', retryAfterMs: 1_000 });
  assert.equal(refused[1].kind, 'failed');
  shard.disk.heal();
  const stored = await buffer.append(request(texts(5, 5), { identity: key('b') }));
  assert.ok(stored.kind === 'stored');
  assert.deepEqual([stored.range, stored.repeat], [{ from: 5, to: 10 }, false]);
  shard.disk.crash();
  assert.deepEqual(await readAll(await shard.open()), texts(10));
});

test('a repeat under way waits for the first and shares its outcome', async () => {
  const buffer = await new TestShard().open();
  const [one, two, other] = await Promise.all([
    buffer.append(request(texts(5), { identity: key('a') })),
    buffer.append(request(texts(5), { identity: key('a') })),
    buffer.append(request(texts(6), { identity: key('a') })),
  ]);
  assert.ok(one.kind === 'stored' && two.kind === 'stored');
  assert.deepEqual([one.repeat, two.repeat, two.range], [false, true, one.range]);
  assert.equal(other.kind, 'key_conflict');
  assert.equal(buffer.stream(STREAM)!.head, 5);
});

test('a producer is recognised by its sequence, also when an earlier request comes after a later one', async () => {
  const shard = new TestShard();
  const send = async (sequence: number, epoch = 1): Promise<unknown> => {
    const identity = { kind: 'producer', producer: 9n, epoch, sequence } as const;
    const result = await (await buffer).append(request(texts(2, sequence * 2), { identity }));
    return result.kind === 'stored' ? [result.range.from, result.repeat] : result.kind;
  };
  let buffer = shard.open();
  assert.deepEqual(await send(2), [0, false]);
  assert.deepEqual(
    await send(1),
    [2, false],
    'one that failed before is stored, not taken for a repeat',
  );
  assert.deepEqual(await send(2), [0, true]);
  for (let sequence = 3; sequence < 20; sequence += 1) await send(sequence);
  await (await buffer).tend();
  buffer = shard.open();
  assert.deepEqual(await send(19), [36, true]);
  assert.deepEqual(await send(2), [0, true], 'known however late, its place is not');
  assert.deepEqual(await send(20), [38, false]);
  assert.deepEqual(await send(1, 2), [40, false], 'a new epoch begins anew');
  assert.equal(await send(21), 'key_conflict', 'an older epoch is a leftover');
});

/** The bytes of a segment in which a record that holds `marker` stands, its frame and padding included. */
function recordWith(shard: TestShard, path: string, marker: Buffer): { from: number; to: number } {
  const bytes = shard.disk.content(path)!;
  const within = bytes.indexOf(marker);
  assert.ok(within > 0, 'the record is there');
  const from = bytes.lastIndexOf('WBFR', within);
  const length = bytes.readUInt32LE(from + 4);
  return { from, to: from + 32 + Math.ceil(length / 8) * 8 };
}

const OTHER = 'zones/z2/http_requests';

test("I10: decay anywhere in a stream's last block before a kill costs its lines, and their offsets are not given out again", async () => {
  let lost = 0;
  for (let at = 0; ; at += 3 * stride()) {
    const shard = new TestShard(undefined, 'disk');
    const buffer = await shard.open();
    await buffer.openJob(1, STREAM, 'a1', 'oldest');
    await buffer.append(request(texts(10)));
    await buffer.append(request(['{"last":"one"}', '{"last":"two"}']));
    await buffer.append(request(texts(5), { stream: OTHER }));
    await buffer.append(request(texts(5), { stream: OTHER }));
    shard.disk.kill();
    const [path] = await files(shard, '/data/log', '.seg');
    const hit = recordWith(shard, path!, Buffer.from('"last":"one"'));
    if (hit.from + at >= hit.to) break;
    shard.disk.flip(path!, hit.from + at, 1 << (at % 8));
    const again = await shard.open();
    assert.equal(again.stream(STREAM)!.head, 12, `byte ${at}`);
    assert.equal(again.stream(OTHER)!.head, 10);
    const lines = await readAll(again);
    assert.deepEqual(lines.slice(0, 10), texts(10));
    if (lines[10] === 'gap:10-12:corrupt') {
      assert.equal(again.stats().corruptLines, 2, `byte ${at} is counted`);
      lost += 1;
    } else {
      assert.deepEqual(lines.slice(10), ['{"last":"one"}', '{"last":"two"}'], 'padding was hit');
    }
    const fresh = await again.append(request(['{"fresh":1}']));
    assert.ok(fresh.kind === 'stored' && fresh.range.from === 12);
    await again.close();
  }
  assert.ok(lost > (32 + 88) / (3 * stride()), `the headers and the lines: ${lost}`);
});

test('I2, I10: what was planned or settled before a kill is not accepted a second time, though its block is gone', async () => {
  for (const settled of [false, true]) {
    const shard = new TestShard(undefined, 'disk');
    const buffer = await shard.open();
    await buffer.openJob(1, STREAM, 'a1', 'oldest');
    await buffer.append(request(['{"last":"one"}', '{"last":"two"}']));
    const plan = planOf(buffer.job(1)!, { from: 0, to: 2 }, shard.clock.wall);
    await buffer.plan(1, [plan]);
    if (settled) {
      const paid = waybill(buffer.job(1)!, plan.range, shard.clock.wall, { plan: plan.id });
      await buffer.settle(paid);
    }
    await buffer.append(request(texts(5), { stream: OTHER }));
    shard.disk.kill();
    const [path] = await files(shard, '/data/log', '.seg');
    const { from } = recordWith(shard, path!, Buffer.from('"last":"one"'));
    // The frame's header: nothing of the block can be found.
    shard.disk.flip(path!, from + 5, 0x04);
    const again = await shard.open();
    assert.equal(again.stream(STREAM)!.head, 2);
    assert.equal(again.stats().corruptLines, 2);
    const stored = await again.append(request(['{"fresh":1}']));
    assert.ok(stored.kind === 'stored' && stored.range.from === 2);
    assert.equal(again.waiting(1)!.lines, settled ? 1 : 3);
    await again.close();
  }
});

test("I10: a stream's first block lost to decay is corrupt and not too old", async () => {
  const shard = new TestShard(undefined, 'disk');
  const buffer = await shard.open();
  await buffer.openJob(1, STREAM, 'a1', 'oldest');
  await buffer.append(request(['{"first":"one"}', '{"first":"two"}']));
  await buffer.append(request(texts(10)));
  await buffer.close();
  const [path] = await files(shard, '/data/log', '.seg');
  const { from } = recordWith(shard, path!, Buffer.from('"first":"one"'));
  shard.disk.flip(path!, from + 5, 0x04);
  const again = await shard.open();
  assert.deepEqual(await readAll(again), ['gap:0-2:corrupt', ...texts(10)]);
  assert.equal(again.stats().corruptLines, 2);
  await again.close();
});
