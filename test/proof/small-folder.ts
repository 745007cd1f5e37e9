/** A small data folder that the real rooms wrote on a simulated disk, and its files as bytes. */
import assert from 'node:assert/strict';

import { openBuffer } from '../../src/buffer/index.ts';
import type { ShardBuffer } from '../../src/buffer/index.ts';
import { linesOf, planOf, smallLimits, texts, waybill } from '../../src/buffer/testing.ts';
import { checkFolder } from '../../src/check/check.ts';
import { openArchiveWriter } from '../../src/ledger/index.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { silent as diagnostics } from '../../src/lib/diagnostics.ts';
import { readFully } from '../../src/lib/fs/file-system.ts';
import type { FileSystem } from '../../src/lib/fs/file-system.ts';
import { SimDisk } from '../../src/lib/fs/sim.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { openFilesLog } from '../../src/log/index.ts';
import type { CheckReport } from '../../src/model/check-report.ts';

export const SHARD = '/data/shards/0';
export const ALPHA = 'zones/alpha/http_requests';
export const BETA = 'zones/beta/http_requests';

export interface Shard {
  readonly buffer: ShardBuffer;
  close(): Promise<void>;
  /** What a server does once a second. */
  tend(): Promise<void>;
}

export async function openShard(files: FileSystem, holdbackMs = 3_600_000): Promise<Shard> {
  const log = await openFilesLog({
    files,
    directory: `${SHARD}/log`,
    clock,
    diagnostics,
    recordBytes: 1 << 20,
    segmentBytes: 8_000,
    commitBytes: 1 << 20,
    openSegments: 2,
  });
  assert.ok(log.kind === 'open');
  const archive = await openArchiveWriter({
    files,
    directory: `${SHARD}/archive`,
    clock,
    diagnostics,
    fileBytes: 2_000,
    keepMs: 3_600_000,
  });
  const opened = await openBuffer({
    log: log.log,
    files,
    directory: `${SHARD}/buffer`,
    clock,
    random: seededRandom(3),
    diagnostics,
    ledger: archive,
    limits: smallLimits({ checkpointBytes: 6_000, holdbackMs }),
  });
  assert.ok(opened.kind === 'open', JSON.stringify(opened));
  archive.live();
  const { buffer } = opened;
  return {
    buffer,
    async close() {
      await buffer.close();
      await archive.close();
    },
    async tend() {
      await buffer.tend();
      await archive.flush();
    },
  };
}

export const store = async ({ buffer }: Shard, stream: string, lines: readonly string[]) => {
  const stored = await buffer.append({ stream, account: 'a', lines: linesOf(lines) });
  assert.equal(stored.kind, 'stored');
};

/** Settles the next `lines` of a job: every fourth as excluded, the rest as delivered. */
export async function settle({ buffer }: Shard, id: number, lines: number): Promise<void> {
  const job = buffer.job(id)!;
  const range = { from: job.cursor, to: job.cursor + lines };
  const excluded = Math.floor(lines / 4);
  const atMs = clock.wallMs();
  const counts = { delivered: lines - excluded, excluded: { filter: excluded }, dropped: {} };
  const plan = planOf(job, range, atMs);
  assert.deepEqual(await buffer.plan(id, [plan]), { kind: 'durable' });
  const result = await buffer.settle(waybill(job, range, atMs, { counts, plan: plan.id }));
  assert.deepEqual(result, { kind: 'durable' });
}

/** Two streams, three jobs (one stream has two), some hundred lines, a checkpoint or two. Killed or closed at the end. */
export async function makeFolder(
  end: 'kill' | 'close',
  disk = new SimDisk({ random: seededRandom(1) }),
): Promise<FileSystem> {
  const files = disk.files();
  const shard = await openShard(files);
  for (const [id, stream] of [
    [1, ALPHA],
    [2, ALPHA],
    [3, BETA],
  ] as const) {
    assert.deepEqual(await shard.buffer.openJob(id, stream, 'a', 'head'), { kind: 'durable' });
  }
  for (let round = 0; round < 12; round += 1) {
    await store(shard, ALPHA, texts(20, round * 20, 30));
    await store(shard, BETA, texts(9, round * 9, 300));
    await settle(shard, 1, 20);
    if (round % 3 === 0) await settle(shard, 3, 9);
    await shard.tend();
  }
  await settle(shard, 2, 100);
  if (end === 'close') await shard.close();
  return files;
}

export async function check(files: FileSystem): Promise<CheckReport> {
  const report = await checkFolder(files, '/data', { books: true });
  assert.ok(!('misuse' in report), JSON.stringify(report));
  return report;
}

export async function bytesOf(files: FileSystem, path: string): Promise<Buffer> {
  const file = await files.open(path, 'read');
  const bytes = Buffer.alloc(await file.sizeBytes());
  await readFully(file, bytes, 0);
  await file.close();
  return bytes;
}

export async function put(files: FileSystem, path: string, bytes: Buffer): Promise<void> {
  const file = await files.open(path, 'write');
  await file.truncate(bytes.length);
  await file.write([bytes], 0);
  await file.close();
}

export async function namesIn(
  files: FileSystem,
  folder: string,
  ending: string,
): Promise<string[]> {
  const names = await files.list(`${SHARD}/${folder}`);
  return names.filter((name) => name.endsWith(ending)).map((name) => `${SHARD}/${folder}/${name}`);
}
