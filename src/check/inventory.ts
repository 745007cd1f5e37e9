/**
 * What lines a data folder holds, and where, from the blocks themselves: indexes are made anew and not believed, so that a
 * damaged one costs nothing.
 */
import { join } from 'node:path';

import { FsError } from '../lib/fs/file-system.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import { readArchive } from './archive.ts';
import { wrongWith } from './block.ts';
import { readCheckpoints } from './checkpoint.ts';
import { Findings } from './findings.ts';
import { readLog } from './log.ts';
import { Ranges } from './ranges.ts';
import { readRecord } from './record.ts';
import { Recount } from './recount.ts';
import type { JobFacts, StreamBook } from './recount.ts';

/** Where a readable block stands. */
export interface BlockPlace {
  readonly first: number;
  readonly lines: number;
  readonly plainBytes: number;
  readonly receivedMs: number;
  readonly position: number;
}

export interface StreamInside {
  readonly book: StreamBook;
  /** The folder of the shard's log. */
  readonly log: string;
  /** By first offset, ascending, each offset once; erased ones are left out. */
  readonly blocks: readonly BlockPlace[];
}

export interface Inventory {
  readonly segments: number;
  readonly streams: readonly StreamInside[];
  readonly jobs: readonly JobFacts[];
  readonly problems: readonly string[];
}

/**
 * Reads everything once.
 *
 * @throws {NewerFormat} for a folder that a later version wrote
 */
export async function takeInventory(
  files: FileSystem,
  directory: string,
  shards: readonly number[],
): Promise<Inventory> {
  const findings = new Findings();
  const streams: StreamInside[] = [];
  const jobs: JobFacts[] = [];
  let segments = 0;
  for (const shard of shards) {
    const folder = join(directory, 'shards', String(shard));
    const within = findings.within(`shards/${shard}`);
    try {
      const seen = await shardInside(files, folder, shard, within);
      segments += seen.segments;
      streams.push(...seen.streams);
      jobs.push(...seen.jobs);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      within.add(`${error.operation} of ${error.path} failed: ${error.code}`);
    }
  }
  const byKey = (a: StreamInside, b: StreamInside) => (a.book.key < b.book.key ? -1 : 1);
  return { segments, streams: streams.toSorted(byKey), jobs, problems: findings.list() };
}

async function shardInside(
  files: FileSystem,
  folder: string,
  shard: number,
  findings: Findings,
): Promise<Omit<Inventory, 'problems'>> {
  const log = join(folder, 'log');
  const recount = new Recount(findings.within('log'));
  const buffer = join(folder, 'buffer');
  const checkpoints = await readCheckpoints(files, buffer, findings.within('buffer'));
  recount.checkpoints(checkpoints);
  await readArchive({
    files,
    directory: join(folder, 'archive'),
    findings: findings.within('archive'),
    event: (event) => recount.event(event),
  });
  /** By epoch, which names a stream as well as its key does, and by first offset: the highest place wins. */
  const places = new Map<string, Map<number, BlockPlace>>();
  const extent = await readLog({
    files,
    directory: log,
    findings: findings.within('log'),
    shard,
    knownEnd: checkpoints.at(-1)?.head.position ?? 0,
    record(position, payload) {
      recount.record(position, payload);
      const record = readRecord(payload);
      if (record.kind !== 'block' || wrongWith(record) !== undefined) return;
      const { epoch, first, lines, plainBytes, receivedMs } = record;
      const mine = places.get(epoch) ?? new Map<number, BlockPlace>();
      places.set(epoch, mine);
      mine.set(first, { first, lines, plainBytes, receivedMs, position });
    },
  });
  const streams = [...recount.streams.values()].map((book): StreamInside => {
    const all = [...(places.get(book.epoch)?.values() ?? [])];
    const readable = all.filter(({ first, lines }) => first + lines > book.erasedTo);
    return { book, log, blocks: readable.toSorted((a, b) => a.first - b.first) };
  });
  return { segments: extent.segments, streams, jobs: [...recount.jobs.values()] };
}

/** What of a job's lines no waybill has settled, up to its stream's head. */
export function waitingOf({ book, checkpoint, starts, stream, end, alive }: JobFacts): Ranges {
  const settled = new Ranges();
  for (const { from, to } of book.settled.runs) settled.add(from, to);
  if (checkpoint) {
    settled.add(checkpoint.start, checkpoint.cursor);
    for (const { from, to } of checkpoint.settled) settled.add(from, to);
  }
  const waiting = new Ranges();
  if (!alive) return waiting;
  const to = Math.min(stream.head, end ?? stream.head);
  let at = Math.max(...starts);
  for (const run of settled.runs) {
    waiting.add(at, Math.min(run.from, to));
    at = Math.max(at, run.to);
  }
  waiting.add(at, to);
  return waiting;
}
