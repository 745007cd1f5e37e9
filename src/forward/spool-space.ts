import type { FileSystem } from '../lib/fs/file-system.ts';

/**
 * The file system with a disk no larger than the spool may grow: every bound on the disk's fill (fair shares, the room for
 * holdback, the refusal of everybody) then holds for the spool.
 *
 * @param mostBytes what the spool may take
 * @param heldBytes what it takes now
 */
export function withSpoolSpace(
  files: FileSystem,
  mostBytes: number,
  heldBytes: () => number,
): FileSystem {
  return {
    open: (path, mode) => files.open(path, mode),
    rename: (from, to) => files.rename(from, to),
    unlink: (path) => files.unlink(path),
    makeDirectory: (path) => files.makeDirectory(path),
    list: (path) => files.list(path),
    stat: (path) => files.stat(path),
    realPath: (path) => files.realPath(path),
    syncDirectory: (path) => files.syncDirectory(path),
    lock: (path) => files.lock(path),
    async space(path) {
      const { freeBytes, totalBytes, inMemory } = await files.space(path);
      const held = heldBytes();
      return {
        totalBytes: Math.min(totalBytes, mostBytes),
        freeBytes: Math.max(0, Math.min(freeBytes, mostBytes - held)),
        inMemory,
      };
    },
  };
}
