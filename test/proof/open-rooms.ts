/**
 * Opens a shard's files as the server does, on a simulated disk, and reads everything: what a start on a damaged folder would
 * serve, some thousand times faster than by starting one.
 */
import { dirname, join } from 'node:path';

import { inflateBlock, knownEnd, openBuffer } from '../../src/buffer/index.ts';
import type { JobState, ShardBuffer } from '../../src/buffer/index.ts';
import { openArchiveWriter, openBooks } from '../../src/ledger/index.ts';
import type { JobCut, JobLedger } from '../../src/ledger/contract.ts';
import { systemClock as clock } from '../../src/lib/clock.ts';
import { diagnosticsTo } from '../../src/lib/diagnostics.ts';
import type { Diagnostics } from '../../src/lib/diagnostics.ts';
import { writeAll } from '../../src/lib/fs/file-system.ts';
import type { FileSystem } from '../../src/lib/fs/file-system.ts';
import { SimDisk } from '../../src/lib/fs/sim.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { openFilesLog } from '../../src/log/index.ts';
import type { Position } from '../../src/log/index.ts';
import { limits } from '../../src/model/limits.ts';

const SHARD = '/data/shards/0';
const LIMITS = { ...limits, log: { ...limits.log, segmentBytes: 1 << 20 } };

export interface StreamSeen {
  readonly epoch: string;
  readonly head: number;
  /** The line at each offset; undefined where the buffer says that it is lost. */
  readonly lines: readonly (string | undefined)[];
}

export type Seen =
  | { readonly kind: 'refused'; readonly detail: string; readonly alarms: readonly string[] }
  | {
      readonly kind: 'open';
      readonly streams: ReadonlyMap<string, StreamSeen>;
      readonly jobs: ReadonlyMap<number, JobState>;
      readonly ledgers: ReadonlyMap<number, JobLedger>;
      readonly corruptLines: number;
      readonly alarms: readonly string[];
    };

/** A disk with these files, all durable. `files`: paths within the shard's folder. */
export async function diskOf(files: ReadonlyMap<string, Buffer>): Promise<SimDisk> {
  const disk = new SimDisk({ random: seededRandom(1), totalBytes: 1e10 });
  const system = disk.files();
  for (const folder of ['log', 'buffer', 'archive'])
    await system.makeDirectory(join(SHARD, folder));
  for (const [name, bytes] of files) {
    const file = await system.open(join(SHARD, name), 'create');
    await writeAll(file, [bytes], 0);
    await file.sync();
    await file.close();
    await system.syncDirectory(dirname(join(SHARD, name)));
  }
  return disk;
}

export interface Life {
  /** What it does before it closes. */
  readonly use?: (buffer: ShardBuffer) => Promise<void>;
  /** Whether the books are summed as well: as much work as all the rest. */
  readonly books?: boolean;
}

/** Opens, reads all there is, and closes, as one life of a server. */
export async function openRooms(
  files: FileSystem,
  { use = () => Promise.resolve(), books = true }: Life = {},
): Promise<Seen> {
  const alarms: string[] = [];
  const diagnostics = diagnosticsTo(
    // What a crash leaves at the end of a log is told as well, and is no alarm.
    (line) => {
      if (/"level":"alarm"|"event":"log.torn_tail_cut"/.test(line)) alarms.push(line.trimEnd());
    },
    () => 0,
    'warn',
  );
  const known = await knownEnd(files, `${SHARD}/buffer`);
  const log = await openFilesLog({
    ...LIMITS.log,
    files,
    directory: `${SHARD}/log`,
    clock,
    diagnostics,
    ...(known === undefined ? {} : { knownEnd: known as Position }),
  });
  if (log.kind !== 'open') return { kind: 'refused', detail: log.detail, alarms };
  const archive = await openArchiveWriter({
    files,
    directory: `${SHARD}/archive`,
    clock,
    diagnostics,
    fileBytes: limits.ledger.archiveFileBytes,
    keepMs: limits.ledger.archiveMs,
  });
  const opened = await openBuffer({
    log: log.log,
    files,
    directory: `${SHARD}/buffer`,
    clock,
    random: seededRandom(7),
    diagnostics,
    ledger: archive,
    limits: LIMITS,
  });
  if (opened.kind !== 'open') {
    await log.log.close();
    return { kind: 'refused', detail: opened.detail, alarms };
  }
  archive.live();
  const { buffer } = opened;
  const streams = new Map<string, StreamSeen>();
  for (const { stream, epoch, head } of buffer.streams())
    streams.set(stream, { epoch, head, lines: await linesOf(buffer, stream, head) });
  const jobs = new Map([...buffer.jobs()].map((job) => [job.job, job]));
  const cuts = [...jobs.values()].map((job) => cutOf(buffer, job));
  await archive.sync();
  const ledgers = books ? await sumBooks(files, cuts, diagnostics) : new Map();
  const { corruptLines } = buffer.stats();
  await use(buffer);
  await buffer.close();
  await archive.close();
  return { kind: 'open', streams, jobs, ledgers, corruptLines, alarms };
}

async function sumBooks(
  files: FileSystem,
  cuts: readonly JobCut[],
  diagnostics: Diagnostics,
): Promise<Map<number, JobLedger>> {
  const archives = [`${SHARD}/archive`];
  const books = await openBooks({ files, archives, path: ':memory:', diagnostics });
  await books.catchUp();
  const ledgers = new Map(cuts.map((cut) => [cut.job, books.job(cut)]));
  books.close();
  return ledgers;
}

async function linesOf(
  buffer: ShardBuffer,
  stream: string,
  head: number,
): Promise<readonly (string | undefined)[]> {
  const lines: (string | undefined)[] = [];
  while (lines.length < head) {
    const read = await buffer.read(stream, lines.length, 1 << 20);
    switch (read.kind) {
      case 'blocks':
        for (const block of read.blocks) {
          const plain = (await inflateBlock(block)).toString('utf8').split('\n').slice(0, -1);
          if (plain.length !== block.range.to - block.range.from || block.range.from > lines.length)
            throw new Error(`a block of ${stream} is not what it says`);
          lines.push(...plain.slice(lines.length - block.range.from));
        }
        break;
      case 'gap':
        while (lines.length < read.range.to) lines.push(undefined);
        break;
      case 'end':
      case 'failed':
        throw new Error(`reading ${stream} at ${lines.length} of ${head}: ${read.kind}`);
    }
  }
  return lines;
}

function cutOf(buffer: ShardBuffer, job: JobState): JobCut {
  return {
    job: job.job,
    stream: job.stream,
    start: job.start,
    head: buffer.stream(job.stream)?.head ?? job.start,
    totals: job.totals,
    waitingByHour: [...(buffer.waiting(job.job)?.byHour ?? [])],
  };
}
