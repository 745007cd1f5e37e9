import { dirname, join } from 'node:path';
import { FsError } from '../lib/fs/file-system.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import type { ShardPaths } from './link/link.ts';

const FOLDERS = ['log', 'buffer', 'archive'] as const;

/** Where each of the shards keeps what it has, below the data folder. */
export function shardPaths(directory: string, shards: number): readonly ShardPaths[] {
  return Array.from({ length: shards }, (_, shard) => {
    const at = (name: string) => join(shardFolder(directory, shard), name);
    return { log: at('log'), buffer: at('buffer'), archive: at('archive') };
  });
}

const shardFolder = (directory: string, shard: number): string =>
  join(directory, 'shards', String(shard));

/**
 * Makes the data folder and what it is divided into, and puts their names on stable storage.
 *
 * Names are synced at every start and not only by the one that made them: that one may have been killed in between, and what
 * is answered from now on rests on them (I1).
 *
 * @param directory absolute
 * @returns why it cannot be used; undefined when it can
 */
export async function prepareDataFolder(
  files: FileSystem,
  directory: string,
  shards: number,
): Promise<string | undefined> {
  try {
    const there = await shardsWithLines(files, directory);
    if (there > shards) {
      return `the data folder ${directory} has ${there} shards, and process.shards is ${shards}: the lines of the others would be left behind. Start it with ${there} shards or more`;
    }
    const all = Array.from({ length: shards }, (_, shard) => shardFolder(directory, shard));
    for (const folder of [
      join(directory, 'ledger'),
      ...all.flatMap((shard) => FOLDERS.map((name) => join(shard, name))),
    ]) {
      await files.makeDirectory(folder);
    }
    for (const folder of [...all, join(directory, 'shards'), directory])
      await files.syncDirectory(folder);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    return `the data folder ${directory} cannot be used: ${error.message}`;
  }
  // The folder above may belong to others, who need not let us read it; if it was made just now it has been synced.
  await files.syncDirectory(dirname(directory)).catch(() => {});
  return undefined;
}

/** How many shards the folder has: up to the last one in whose log there is anything. */
async function shardsWithLines(files: FileSystem, directory: string): Promise<number> {
  const folder = join(directory, 'shards');
  if (!(await files.stat(folder))) return 0;
  const numbers = (await files.list(folder)).filter((name) => /^\d+$/.test(name)).map(Number);
  for (const shard of numbers.toSorted((a, b) => b - a)) {
    const log = join(folder, String(shard), 'log');
    if ((await files.stat(log)) && (await files.list(log)).length > 0) return shard + 1;
  }
  return 0;
}
