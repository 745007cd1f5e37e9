/** How much disk there is, and how much a drill uses. */
import { lstatSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** What a folder's files take on disk. Files that vanish meanwhile count nothing. */
export function folderBytes(folder: string): number {
  let sum = 0;
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return 0;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) sum += folderBytes(path);
    else {
      try {
        sum += lstatSync(path).blocks * 512;
      } catch {
        // Gone meanwhile.
      }
    }
  }
  return sum;
}
