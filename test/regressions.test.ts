// Real bugs of other shippers, each tried on ours. The numbers are those of the projects' public issue trackers.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { ShardBuffer } from '../src/buffer/index.ts';
import {
  planOf,
  readAll,
  request,
  smallLimits,
  STREAM,
  TestShard,
  texts,
  waybill,
} from '../src/buffer/testing.ts';
import { NO_LINES } from '../src/model/delivery.ts';
import { limits } from '../src/model/limits.ts';

const LOG = '/data/log';
const BUFFER = '/data/buffer';

/** A shard on a simulated disk with a job and some spans and checkpoints. */
async function shardWith(lines: number): Promise<{ shard: TestShard; buffer: ShardBuffer }> {
  const shard = new TestShard(smallLimits({ checkpointBytes: 500, spanBlocks: 10 }), 'disk');
  const buffer = await shard.open();
  assert.deepEqual(await buffer.openJob(1, STREAM, 'a1', 'oldest'), { kind: 'durable' });
  await append(buffer, lines);
  return { shard, buffer };
}

async function append(buffer: ShardBuffer, lines: number): Promise<void> {
  const head = buffer.stream(STREAM)?.head ?? 0;
  for (let from = head; from < head + lines; from += 10) {
    const stored = await buffer.append(request(texts(Math.min(10, head + lines - from), from, 30)));
    assert.equal(stored.kind, 'stored', JSON.stringify(stored));
    if (from % 50 === 0) await buffer.tend();
  }
}

/** Settles so many lines of job 1 as delivered. */
async function deliver(shard: TestShard, buffer: ShardBuffer, lines: number): Promise<void> {
  const job = buffer.job(1)!;
  const plan = planOf(job, { from: job.cursor, to: job.cursor + lines }, shard.clock.wall);
  assert.deepEqual(await buffer.plan(1, [plan]), { kind: 'durable' });
  const settled = waybill(job, plan.range, shard.clock.wall, { plan: plan.id });
  assert.deepEqual(await buffer.settle(settled), { kind: 'durable' });
}

async function named(shard: TestShard, folder: string, ending: string): Promise<string[]> {
  const names = await shard.disk.files().list(folder);
  return names
    .filter((name) => name.endsWith(ending))
    .toSorted()
    .map((name) => `${folder}/${name}`);
}

async function reopened(shard: TestShard): Promise<ShardBuffer> {
  shard.disk.crash();
  return await shard.open();
}

test('Vector #25570: the power goes at any call while settled segments are removed: the next start reads on', async () => {
  for (let calls = 1; calls <= 40; calls += 3) {
    const { shard, buffer } = await shardWith(200);
    await deliver(shard, buffer, 180);
    shard.clock.pass(limits.buffer.holdbackMs + 1);
    const stopped = shard.disk.stopAt(calls);
    void buffer.tend().catch(() => {});
    await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, 50))]);
    const again = await reopened(shard);
    assert.deepEqual((await readAll(again, STREAM, 180)).length, 20, `stopped at call ${calls}`);
    assert.equal(again.job(1)!.cursor, 180);
  }
});

test('Vector #25766: the name of a new segment is on stable storage before its first lines are answered', async () => {
  const { shard } = await shardWith(300);
  assert.ok((await named(shard, LOG, '.seg')).length > 3, 'over several segments');
  assert.equal((await readAll(await reopened(shard))).length, 300);
});

test('Vector #25845, Fluent Bit #3060: after a restart what waits is counted as it is, neither full for ever nor from 0', async () => {
  const { shard, buffer } = await shardWith(200);
  await deliver(shard, buffer, 150);
  const before = buffer.waiting(1)!;
  const again = await reopened(shard);
  assert.deepEqual(again.waiting(1), before);
  await deliver(shard, again, 50);
  assert.equal(again.waiting(1)!.lines, 0);
  await append(again, 10);
  assert.equal(again.waiting(1)!.lines, 10);
});

test('Vector #25795: a request larger than a record is cut at its lines, and every one is there', async () => {
  const shard = new TestShard({ ...smallLimits(), buffer: limits.buffer }, 'disk');
  const buffer = await shard.open();
  const large = texts(40, 0, 100_000);
  const stored = await buffer.append(request(large));
  assert.equal(stored.kind, 'stored');
  assert.deepEqual(await readAll(await reopened(shard)), large);
});

test('Vector, known_errors: a frame torn at any of its bytes is cut, and reading comes to the end', async () => {
  const { shard } = await shardWith(20);
  const path = (await named(shard, LOG, '.seg')).at(-1)!;
  const whole = shard.disk.content(path)!;
  for (let cut = 1; cut <= 40; cut += 1) {
    const { shard: torn } = await shardWith(20);
    // Half of a frame behind what was committed.
    const file = await torn.disk.files().open(path, 'write');
    await file.write([whole.subarray(64, 64 + cut)], await file.sizeBytes());
    await file.sync();
    await file.close();
    const again = await reopened(torn);
    assert.equal((await readAll(again)).length, 20, `${cut} bytes`);
    await append(again, 10);
  }
});

test('Logstash #8218, rsyslog #5771: an empty, short or missing newest checkpoint falls back on the one before', async () => {
  for (const keep of [0, 7, 40]) {
    const { shard, buffer } = await shardWith(200);
    await deliver(shard, buffer, 120);
    await buffer.close();
    const newest = (await named(shard, BUFFER, '.wbc')).at(-1)!;
    const file = await shard.disk.files().open(newest, 'write');
    await file.truncate(keep);
    await file.sync();
    await file.close();
    const again = await shard.open();
    assert.equal(again.job(1)!.cursor, 120, `${keep} bytes left`);
    assert.equal((await readAll(again)).length, 200);
  }
});

test('Logstash #12554: a last segment that is all zeros behind its header, or has none, holds nothing and harms nothing', async () => {
  const { shard } = await shardWith(50);
  const path = (await named(shard, LOG, '.seg')).at(-1)!;
  const file = await shard.disk.files().open(path, 'write');
  await file.write([Buffer.alloc(100_000)], await file.sizeBytes());
  await file.sync();
  await file.close();
  const again = await reopened(shard);
  assert.equal((await readAll(again)).length, 50);
  assert.equal(again.stats().corruptLines, 0);
});

test('rsyslog #868: a segment missing in the middle is a told gap of its lines, and the others are read', async () => {
  const { shard, buffer } = await shardWith(300);
  await buffer.close();
  const segments = await named(shard, LOG, '.seg');
  await shard.disk.files().unlink(segments[Math.floor(segments.length / 2)]!);
  await shard.disk.files().syncDirectory(LOG);
  const again = await shard.open();
  const read = await readAll(again);
  const gaps = read.filter((line) => line.startsWith('gap:'));
  assert.ok(gaps.length > 0 && gaps.every((gap) => gap.endsWith(':corrupt')));
  const lost = gaps
    .map((gap) => /gap:(\d+)-(\d+)/.exec(gap)!)
    .reduce((sum, [, from, to]) => sum + Number(to) - Number(from), 0);
  assert.equal(read.length - gaps.length + lost, 300);
  assert.equal(again.stats().corruptLines, lost);
});

test('Fluent Bit #2246: a start with a bad setting is refused, and the backlog is not touched', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-regression-'));
  const log = join(folder, 'shards', '0', 'log');
  mkdirSync(log, { recursive: true });
  const segment = join(log, '0000000000000001-0000000000000000.seg');
  const backlog = Buffer.alloc(5_000, 'backlog');
  writeFileSync(segment, backlog);
  const launcher = fileURLToPath(new URL('../bin/waybill.mjs', import.meta.url));
  const flags = ['serve', '--data-dir', folder, '--deliver-interval-ms', '5'];
  const { status, stderr } = spawnSync(process.execPath, [launcher, ...flags], {
    encoding: 'utf8',
  });
  assert.equal(status, 2, stderr);
  assert.match(stderr, /deliver.*interval.*200/i);
  assert.deepEqual(readFileSync(segment), backlog);
  assert.deepEqual(readdirSync(folder), ['shards']);
  rmSync(folder, { recursive: true });
});

test('Fluent Bit #2566, #5166: a start over a hundred segments holds few files open', async () => {
  const { shard, buffer } = await shardWith(12_000);
  await buffer.close();
  const segments = (await named(shard, LOG, '.seg')).length;
  assert.ok(segments > 100, `${segments} segments`);
  const again = await shard.open();
  assert.equal((await readAll(again)).length, 12_000);
  assert.ok(shard.disk.openHandles() < 12, `${shard.disk.openHandles()} files are open`);
});

test('OTel #6020: what was in flight when the process died is open again, the same plan', async () => {
  const { shard, buffer } = await shardWith(60);
  const job = buffer.job(1)!;
  const plans = [planOf(job, { from: 0, to: 20 }, shard.clock.wall)];
  await buffer.plan(1, plans);
  const again = await reopened(shard);
  assert.deepEqual(again.job(1)!.open, plans);
});

test('OTel #8115: what was delivered leaves the disk once the holdback is over', async () => {
  const { shard, buffer } = await shardWith(1_000);
  await deliver(shard, buffer, 1_000);
  const before = (await named(shard, LOG, '.seg')).length;
  shard.clock.pass(limits.buffer.holdbackMs + 1);
  for (let round = 0; round < 5; round += 1) {
    await buffer.tend();
    shard.clock.pass(3_600_000);
  }
  const left = (await named(shard, LOG, '.seg')).length;
  assert.ok(left < before / 4, `${left} of ${before} segments are left`);
});

test('Beats #32560: after a restart only what was not settled is sent again, and not its whole segment', async () => {
  const { shard, buffer } = await shardWith(100);
  await deliver(shard, buffer, 37);
  const again = await reopened(shard);
  assert.equal(again.job(1)!.cursor, 37);
  assert.deepEqual(await readAll(again, STREAM, 37), texts(63, 37, 30));
});

test('Vector #5147: what is open is not opened a second time, and is free when the first has closed', async () => {
  const { shard, buffer } = await shardWith(10);
  await assert.rejects(shard.log(), /lock|another|uses/i);
  await buffer.close();
  assert.equal((await readAll(await shard.open())).length, 10);
});

test("Vector #26050: a removed job's lines are settled by name when the holdback ends, and nothing of it stays behind", async () => {
  const { shard, buffer } = await shardWith(100);
  await buffer.closeJob(1);
  shard.clock.pass(limits.buffer.holdbackMs + 3_600_000);
  for (let round = 0; round < 30 && buffer.job(1) !== undefined; round += 1) {
    await buffer.tend();
    shard.clock.pass(3_600_000);
  }
  assert.equal(buffer.job(1), undefined);
  const settled = shard.ledger.events.flatMap((event) =>
    event.kind === 'waybill' && event.waybill.job === 1 ? [event.waybill.counts] : [],
  );
  const unclaimed = settled.reduce((sum, { dropped }) => sum + (dropped.unclaimed ?? 0), 0);
  assert.equal(unclaimed, 100);
  assert.deepEqual(settled.at(-1)!.delivered, NO_LINES.delivered);
});

test('a length of 4 GiB in a decayed frame is damage, and no memory is asked for it', async () => {
  const { shard, buffer } = await shardWith(100);
  await buffer.close();
  const path = (await named(shard, LOG, '.seg'))[0]!;
  for (const at of [4, 5, 6, 7]) shard.disk.flip(path, 64 + at, 0xff);
  const again = await shard.open();
  const read = await readAll(again);
  assert.equal(read.filter((line) => !line.startsWith('gap:')).length >= 90, true);
});

test('Redpanda Connect #919: a disk that was full and has room again takes lines without a restart', async () => {
  const { shard, buffer } = await shardWith(50);
  shard.disk.resize(shard.disk.usedBytes());
  const refused = await buffer.append(request(texts(10, 50, 30)));
  assert.equal(refused.kind, 'refused');
  shard.disk.resize(Infinity);
  shard.clock.pass(10_000);
  await buffer.tend();
  await append(buffer, 10);
  assert.equal((await readAll(buffer)).length, 60);
});

test('metadata ahead of data, data ahead of metadata: whichever file the power cut sets back, offsets go on behind what was answered', async () => {
  for (let calls = 5; calls <= 120; calls += 7) {
    const shard = new TestShard(smallLimits({ checkpointBytes: 500, spanBlocks: 10 }), 'disk');
    let buffer = await shard.open();
    await buffer.openJob(1, STREAM, 'a1', 'oldest');
    let answered = 0;
    const stopped = shard.disk.stopAt(calls);
    const work = (async () => {
      for (let round = 0; round < 20; round += 1) {
        const stored = await buffer.append(request(texts(10, round * 10, 30)));
        if (stored.kind === 'stored') answered = stored.range.to;
        await buffer.tend();
      }
    })().catch(() => {});
    await Promise.race([stopped, work]);
    buffer = await reopened(shard);
    const read = await readAll(buffer);
    assert.deepEqual(read.slice(0, answered), texts(answered, 0, 30), `stopped at call ${calls}`);
    const head = buffer.stream(STREAM)?.head ?? 0;
    const next = await buffer.append(request(texts(1, head, 30)));
    assert.ok(next.kind === 'stored' && next.range.from >= answered);
  }
});
