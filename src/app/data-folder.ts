import { dirname, join } from 'node:path';
import { FsError } from '../lib/fs/file-system.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';

/** Where everything of one shard lies, below the data folder. */
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
): Promise<string | undefined> {
  const shard = shardFolder(directory, 0);
  try {
    for (const folder of [
      join(directory, 'ledger'),
      ...['log', 'buffer', 'archive'].map((name) => join(shard, name)),
    ]) {
      await files.makeDirectory(folder);
    }
    for (const folder of [shard, dirname(shard), directory]) await files.syncDirectory(folder);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    return `the data folder ${directory} cannot be used: ${error.message}`;
  }
  // The folder above may belong to others, who need not let us read it; if it was made just now it has been synced.
  await files.syncDirectory(dirname(directory)).catch(() => {});
  return undefined;
}
