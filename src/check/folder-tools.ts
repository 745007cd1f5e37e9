/**
 * `waybill log list`, `export` and `salvage`: what can still be read of a folder, by the checker's own parsers. The folder that
 * is looked at is never written to.
 */
import { join, resolve } from 'node:path';

import type { FileSystem } from '../lib/fs/file-system.ts';
import type {
  ExportReport,
  FolderListing,
  LinesWanted,
  ListedJob,
  ListedStream,
  Misuse,
  OffsetRun,
  SalvageReport,
} from '../model/folder-lines.ts';
import { shardsOf } from './check.ts';
import { NewerFormat } from './findings.ts';
import { takeInventory, waitingOf } from './inventory.ts';
import type { Inventory, StreamInside } from './inventory.ts';
import { Ranges } from './ranges.ts';
import { readLines } from './read-lines.ts';
import type { JobFacts } from './recount.ts';

/** Where lines go: called in order, each call after the one before has resolved. */
export type Write = (bytes: Buffer) => Promise<void>;

/** Makes the files of a salvage, in a folder of their own. */
export interface Target {
  file(name: string): Promise<{ readonly write: Write; close(): Promise<void> }>;
}

export async function listFolder(
  files: FileSystem,
  directory: string,
): Promise<FolderListing | Misuse> {
  return await inside(files, directory, async (inventory) => ({
    directory,
    segments: inventory.segments,
    streams: inventory.streams.map(listedStream),
    jobs: inventory.jobs.map(listedJob),
    problems: inventory.problems,
  }));
}

export async function exportLines(
  files: FileSystem,
  directory: string,
  wanted: LinesWanted,
  write: Write,
): Promise<ExportReport | Misuse> {
  return await inside(files, directory, async (inventory) => {
    const found = find(inventory, wanted);
    if ('misuse' in found) return found;
    const { stream, runs } = found;
    const { key, epoch } = stream.book;
    const taken = await readLines(files, stream, runs, write);
    return { stream: key, epoch, ...taken, problems: inventory.problems };
  });
}

/** @param target where the lines of each stream are written to, and `salvage.json` */
export async function salvageFolder(
  files: FileSystem,
  directory: string,
  target: Target,
): Promise<SalvageReport | Misuse> {
  return await inside(files, directory, async (inventory) => {
    const streams: SalvageReport['streams'][number][] = [];
    for (const stream of inventory.streams) {
      const listed = listedStream(stream);
      const file = `${stream.book.key.replaceAll('/', '~')}.${stream.book.epoch}.ndjson`;
      const into = await target.file(file);
      const { missing } = await readLines(files, stream, [extentOf(stream)], (bytes) =>
        into.write(bytes),
      );
      await into.close();
      streams.push({ ...listed, file, missing });
    }
    const report: SalvageReport = {
      directory: resolve(directory),
      streams,
      jobs: inventory.jobs.map(listedJob),
      problems: inventory.problems,
    };
    const into = await target.file('salvage.json');
    await into.write(Buffer.from(`${JSON.stringify(report, null, 2)}\n`));
    await into.close();
    return report;
  });
}

async function inside<T>(
  files: FileSystem,
  directory: string,
  look: (inventory: Inventory) => Promise<T | Misuse>,
): Promise<T | Misuse> {
  const shards = await shardsOf(files, directory);
  if (shards.length === 0) {
    return {
      misuse: `${directory} is no data folder of Waybill: ${join(directory, 'shards')} has none`,
    };
  }
  try {
    return await look(await takeInventory(files, directory, shards));
  } catch (error) {
    if (error instanceof NewerFormat) return { misuse: error.message };
    throw error;
  }
}

/** From the oldest line that can be read, or that somebody waits for, to the head. */
function extentOf({ blocks, book }: StreamInside): OffsetRun {
  const from = Math.max(blocks[0]?.first ?? book.head, book.erasedTo);
  return { from: Math.min(from, book.head), to: book.head };
}

function find(
  { jobs, streams }: Inventory,
  wanted: LinesWanted,
): { readonly stream: StreamInside; readonly runs: readonly OffsetRun[] } | Misuse {
  const job = wanted.job === undefined ? undefined : jobs.find(({ id }) => id === wanted.job);
  if (wanted.job !== undefined && job === undefined) {
    return {
      misuse: `job ${wanted.job} is not in this folder; it has ${names(jobs.map(({ id }) => id))}`,
    };
  }
  const stream = job
    ? streams.find(({ book }) => book === job.stream)
    : streams.findLast(({ book }) => book.key === wanted.stream);
  if (stream === undefined) {
    return {
      misuse: `stream ${wanted.stream} is not in this folder; it has ${names(streams.map(({ book }) => book.key))}`,
    };
  }
  const extent = extentOf(stream);
  const from = Math.max(wanted.from ?? extent.from, 0);
  const to = Math.min(wanted.to ?? extent.to, stream.book.head);
  const runs = job && wanted.waiting ? waitingOf(job).runs : [{ from, to }];
  const cut = runs.map((run) => ({ from: Math.max(run.from, from), to: Math.min(run.to, to) }));
  return { stream, runs: cut.filter((run) => run.from < run.to) };
}

/** A few of them, for an error message. */
function names(all: readonly (string | number)[]): string {
  if (all.length === 0) return 'none';
  return all.length <= 5
    ? all.join(', ')
    : `${all.slice(0, 5).join(', ')} and ${all.length - 5} more`;
}

function listedStream({ blocks, book }: StreamInside): ListedStream {
  const kept = new Ranges();
  let plainBytes = 0;
  for (const { first, lines, plainBytes: bytes } of blocks) {
    kept.add(Math.max(first, book.erasedTo), first + lines);
    plainBytes += bytes;
  }
  return {
    stream: book.key,
    epoch: book.epoch,
    head: book.head,
    lines: kept.within(0, kept.end),
    runs: kept.runs,
    plainBytes,
    firstMs: blocks[0]?.receivedMs ?? null,
    lastMs: blocks.at(-1)?.receivedMs ?? null,
  };
}

function listedJob(job: JobFacts): ListedJob {
  const waiting = waitingOf(job);
  return {
    job: job.id,
    stream: job.stream.key,
    open: job.alive,
    waitingLines: waiting.within(0, waiting.end),
  };
}
