/**
 * Writes each batch as one file: a temporary one in the same folder, synced, renamed to its name, the folder synced. So a
 * reader sees a whole file or none, and an accepted batch survives a power cut. A repeat replaces the file by its equal.
 */
import { dirname } from 'node:path';
import { assert, AssertionError } from '../../lib/assert.ts';
import { FsError, writeAll } from '../../lib/fs/file-system.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import { withDate } from '../conf.ts';
import type { Batch, Sender, SendOutcome } from '../destination.ts';
import { isBelow } from './settings.ts';
import type { FileSettings } from './settings.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'Waybill may not write there',
  EPERM: 'Waybill may not write there',
  EROFS: 'the file system is read-only',
  ENOENT: 'the folder is gone',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'there is a folder with the name of the file',
  ENAMETOOLONG: 'the path is too long for the file system',
  EMFILE: 'Waybill has no free file handle just now',
  ENFILE: 'Waybill has no free file handle just now',
  EIO: 'the disk reports an error',
};

export function fileSender(settings: FileSettings, files: FileSystem): Sender {
  /** Folders whose names are known to be on stable storage. One a day at most; forgotten when they become many. */
  const settled = new Set<string>();
  return {
    async send(batch, signal): Promise<SendOutcome> {
      if (signal.aborted) return { kind: 'retry', reason: 'the attempt was stopped' };
      assert(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(batch.name), 'a batch has a plain file name');
      const folder = withDate(settings.folder, batch.receivedMs.first);
      try {
        if (!(await prepareFolder(files, folder, settings.root, settled))) {
          return {
            kind: 'retry',
            reason: 'a symbolic link leads out of the folder that is open to file:// here',
          };
        }
        const path = `${folder}/${batch.name}`;
        await writeWhole(files, path, batch);
        return { kind: 'accepted', receipt: path };
      } catch (error) {
        if (!(error instanceof FsError)) throw error;
        return {
          kind: 'retry',
          reason: REASONS[error.code] ?? `the file system answers ${error.code}`,
        };
      }
    },
    close: () => Promise.resolve(),
  };
}

/**
 * Makes the folder and puts its name on stable storage.
 *
 * The way there is looked at with every symbolic link resolved, before anything is made and after.
 *
 * @returns false when it would lie outside of `root`
 */
async function prepareFolder(
  files: FileSystem,
  folder: string,
  root: string,
  settled: Set<string>,
): Promise<boolean> {
  const realRoot = await files.realPath(root);
  if (realRoot === undefined) throw new FsError('ENOENT', 'open', root);
  let standing = folder;
  let real = await files.realPath(standing);
  const missing: string[] = [];
  while (real === undefined) {
    missing.push(standing);
    standing = dirname(standing);
    real = await files.realPath(standing);
  }
  if (!isBelow(real, realRoot)) return false;
  if (missing.length === 0 && settled.has(folder)) return true;
  if (missing.length > 0) await files.makeDirectory(folder);
  const made = await files.realPath(folder);
  if (made === undefined || !isBelow(made, realRoot)) return false;
  // From the root down, also when the folder stands already: a crash may have come between making and syncing it.
  for (let at = folder; at !== root; at = dirname(at)) await files.syncDirectory(dirname(at));
  if (settled.size > 64) settled.clear();
  settled.add(folder);
  return true;
}

/** A name of the batch's own, so that attempts of other batches never meet it. */
async function writeWhole(files: FileSystem, path: string, batch: Batch): Promise<void> {
  const temporary = `${dirname(path)}/.${batch.name}.part`;
  try {
    const file = await createAnew(files, temporary);
    try {
      await writeAll(file, batch.body, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await files.rename(temporary, path);
    await files.syncDirectory(dirname(path));
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    // Gives the space back; after a failed rename or a full disk the file is of no more use.
    await files.unlink(temporary).catch(() => {});
    throw error;
  }
}

/** An earlier attempt may have left its part behind. */
async function createAnew(files: FileSystem, path: string) {
  try {
    return await files.open(path, 'create');
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'EEXIST') throw error;
    await files.unlink(path);
    return await files.open(path, 'create');
  }
}
