/** Looks at a whole data folder: `shards/<n>/{log,buffer,archive}` and `snapshots`. */
import { join } from 'node:path';

import { FsError } from '../lib/fs/file-system.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import type { BookLine, CheckReport } from '../model/check-report.ts';
import { readArchive } from './archive.ts';
import { auditChain, auditExtent, auditStream, auditStrays } from './audit.ts';
import { readCheckpoints } from './checkpoint.ts';
import { bookLine } from './equation.ts';
import { Findings, NewerFormat } from './findings.ts';
import { readLog } from './log.ts';
import { Recount } from './recount.ts';
import { readSnapshots } from './snapshots.ts';
import type { SnapshotsSeen } from './snapshots.ts';

/** A running server trims and writes while we read: what looks wrong then is looked at again. */
const LOOKS = 3;

/** Looks at a folder through a file system. @see {checkDirectory} */
export async function checkFolder(
  files: FileSystem,
  directory: string,
  what: { readonly books: boolean },
): Promise<CheckReport | { readonly misuse: string }> {
  const shards = await shardsOf(files, directory);
  if (shards.length === 0) {
    return { misuse: `${directory} is no data folder of Waybill: there are no shards in it` };
  }
  try {
    for (let look = 1; ; look += 1) {
      const before = await contents(files, directory, shards);
      const report = await lookOnce(files, directory, shards, what);
      if (report.problems.length === 0 || look === LOOKS) return report;
      if (before === (await contents(files, directory, shards))) return report;
    }
  } catch (error) {
    if (error instanceof NewerFormat) return { misuse: error.message };
    throw error;
  }
}

/** Numbers of the shards in a data folder; empty when it is none. */
export async function shardsOf(files: FileSystem, directory: string): Promise<number[]> {
  const names = await listed(files, join(directory, 'shards'));
  return names
    .filter((name) => /^\d{1,9}$/.test(name))
    .map(Number)
    .toSorted((a, b) => a - b);
}

async function lookOnce(
  files: FileSystem,
  directory: string,
  shards: readonly number[],
  what: { readonly books: boolean },
): Promise<CheckReport> {
  const findings = new Findings();
  const sums = { segments: 0, blocks: 0, lines: 0 };
  const books: BookLine[] = [];
  for (const shard of shards) {
    const name = `shards/${shard}`;
    const seen = await lookAtShard(files, join(directory, name), shard, findings.within(name));
    sums.segments += seen.segments;
    sums.blocks += seen.blocks;
    sums.lines += seen.lines;
    books.push(...seen.books);
  }
  const copy = await lookAtSnapshots(files, directory, findings.within('snapshots'));
  const shown = books.filter(({ job, balanced }) => job >= 0 || !balanced);
  return {
    directory,
    ...sums,
    ...(copy ? { configurationVersion: copy.version } : {}),
    problems: findings.list(),
    books: what.books ? shown.toSorted((a, b) => a.job - b.job) : [],
  };
}

/** Folders of earlier versions have none. */
async function lookAtSnapshots(
  files: FileSystem,
  directory: string,
  findings: Findings,
): Promise<SnapshotsSeen | undefined> {
  const folder = join(directory, 'snapshots');
  if ((await listed(files, folder)).length === 0) return undefined;
  try {
    return await readSnapshots(files, folder, findings);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    findings.add(`${error.operation} of ${error.path} failed: ${error.code}`);
    return undefined;
  }
}

interface ShardSeen {
  readonly segments: number;
  readonly blocks: number;
  readonly lines: number;
  readonly books: readonly BookLine[];
}

async function lookAtShard(
  files: FileSystem,
  directory: string,
  shard: number,
  findings: Findings,
): Promise<ShardSeen> {
  const at = (folder: string) => ({
    directory: join(directory, folder),
    findings: findings.within(folder),
  });
  const recount = new Recount(at('log').findings);
  try {
    const buffer = at('buffer');
    const checkpoints = await readCheckpoints(files, buffer.directory, buffer.findings);
    recount.checkpoints(checkpoints);
    const oldestFile = await readArchive({
      files,
      ...at('archive'),
      event: (event) => recount.event(event),
    });
    const extent = await readLog({
      files,
      ...at('log'),
      shard,
      knownEnd: checkpoints.at(-1)?.head.position ?? 0,
      record: (position, payload) => recount.record(position, payload),
    });
    auditExtent(extent, checkpoints, findings);
    const jobs = [...recount.jobs.values()];
    for (const stream of recount.streams.values()) auditStream(stream, jobs, findings);
    auditStrays(recount, findings);
    const archivePruned = oldestFile > 1;
    for (const job of jobs) auditChain(job, archivePruned, findings);
    const books = jobs.map((job) => bookLine(job, archivePruned, findings));
    return { segments: extent.segments, blocks: recount.blocks, lines: recount.lines(), books };
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    findings.add(`${error.operation} of ${error.path} failed: ${error.code}`);
    return { segments: 0, blocks: recount.blocks, lines: recount.lines(), books: [] };
  }
}

/** Names and sizes of all that is looked at: whether somebody is at work here. */
async function contents(
  files: FileSystem,
  directory: string,
  shards: readonly number[],
): Promise<string> {
  const all: string[] = [];
  for (const name of await listed(files, join(directory, 'snapshots'))) {
    all.push(`${name} ${(await files.stat(join(directory, 'snapshots', name)))?.bytes ?? 0}`);
  }
  for (const shard of shards) {
    for (const folder of ['log', 'buffer', 'archive']) {
      const path = join(directory, 'shards', String(shard), folder);
      for (const name of await listed(files, path)) {
        all.push(`${path}/${name} ${(await files.stat(join(path, name)))?.bytes ?? 0}`);
      }
    }
  }
  return all.join('\n');
}

async function listed(files: FileSystem, path: string): Promise<string[]> {
  try {
    return await files.list(path);
  } catch (error) {
    if (error instanceof FsError && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return [];
    throw error;
  }
}
