/**
 * What the folder of snapshots holds when the server starts. The newest file with a base that is whole counts; nothing is
 * changed here, and nothing that is damaged is ever taken for empty (I4, I10).
 */
import { join } from 'node:path';
import { FsError } from '../../lib/fs/file-system.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import { readHead } from './head.ts';
import type { HeadRead } from './head.ts';
import type { Holdings } from './holdings.ts';
import { snapshotFileName, snapshotFileNumber } from './line.codec.ts';
import type { FileHeader, Head } from './line.codec.ts';
import { readSnapshotFile } from './read-file.ts';
import type { FileRead, LastChange } from './read-file.ts';

/** What stands on disk, as far as it is good. */
export interface OnDisk {
  readonly holdings: Holdings;
  readonly file: number;
  readonly header: FileHeader;
  readonly baseEnd: number;
  readonly end: number;
  readonly offsets: readonly number[];
  /** The newest change, when it is not known to have been answered. */
  readonly unconfirmed: LastChange | undefined;
  readonly migrated: boolean;
  /** Bytes behind `end` that a crash left there: nobody was answered for them. */
  readonly torn: boolean;
}

export type Recovered =
  /** There has never been a snapshot here. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'whole'; readonly found: OnDisk }
  /** `found` is the good rest; later versions than its own may have been in force: `head` says which, if it can be read. */
  | {
      readonly kind: 'damaged';
      readonly found: OnDisk;
      readonly head: Head | undefined;
      readonly detail: string;
    }
  /** Nothing of it can be read. */
  | { readonly kind: 'unreadable'; readonly head: Head | undefined; readonly detail: string };

/** Looks at the folder. */
export async function recoverSnapshots(files: FileSystem, directory: string): Promise<Recovered> {
  const numbers = await fileNumbers(files, directory);
  const head = await readHead(files, directory);
  const known = typeof head === 'object' ? head : undefined;
  if (numbers.length === 0) {
    return head === 'absent'
      ? { kind: 'absent' }
      : { kind: 'unreadable', head: known, detail: `${directory} holds no snapshot file any more` };
  }
  const problems: string[] = [];
  for (const file of numbers.toReversed()) {
    const name = snapshotFileName(file);
    const read = await readOne(files, join(directory, name));
    if (read.kind === 'base') {
      return judge(read, file, head, problems);
    }
    problems.push(
      read.kind === 'newer'
        ? `${name} has format ${read.format}, which a newer version wrote`
        : `${name} cannot be read: ${read.detail}`,
    );
  }
  return { kind: 'unreadable', head: known, detail: `${directory}: ${problems.join('; ')}` };
}

type Base = Extract<FileRead, { readonly kind: 'base' }>;

/** Whether what was read is all that was answered. */
function judge(read: Base, file: number, head: HeadRead, problems: readonly string[]): Recovered {
  const { holdings, header, baseEnd, end, offsets, last, migrated } = read;
  const confirmed = typeof head === 'object' ? head.version : undefined;
  const isUnconfirmed = last && confirmed !== undefined && last.line.version > confirmed;
  const found: OnDisk = {
    holdings,
    file,
    header,
    baseEnd,
    end,
    offsets,
    migrated,
    unconfirmed: isUnconfirmed ? last : undefined,
    torn: read.rest !== 'none',
  };
  const wrong = [...problems];
  const name = snapshotFileName(file);
  // Behind what was answered there is at most one change that a crash cut off.
  const isTail = confirmed === undefined ? read.rest !== 'bad' : holdings.version >= confirmed;
  if (!isTail && confirmed === undefined) wrong.push(`${name} is damaged at byte ${end}`);
  else if (!isTail) {
    wrong.push(
      `${name} ends at version ${holdings.version} (byte ${end}), but version ${confirmed} was in force`,
    );
  }
  if (head === 'bad') wrong.push('`head` cannot be read');
  if (wrong.length === 0) return { kind: 'whole', found };
  return {
    kind: 'damaged',
    found,
    head: typeof head === 'object' ? head : undefined,
    detail: wrong.join('; '),
  };
}

/** The same without its newest change, for which nobody was answered. */
export function withoutUnconfirmed(found: OnDisk): OnDisk {
  const { unconfirmed, holdings, offsets } = found;
  if (!unconfirmed) return found;
  holdings.revert(unconfirmed.line, unconfirmed.nextJobBefore);
  const end = offsets.at(-1) ?? found.baseEnd;
  return { ...found, end, offsets: offsets.slice(0, -1), unconfirmed: undefined };
}

async function readOne(files: FileSystem, path: string): Promise<FileRead> {
  try {
    const file = await files.open(path, 'read');
    try {
      return await readSnapshotFile(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    return { kind: 'unreadable', detail: error.message };
  }
}

/** Numbers of the snapshot files, oldest first. */
export async function fileNumbers(files: FileSystem, directory: string): Promise<number[]> {
  const names = await files.list(directory).catch((error: unknown) => {
    if (error instanceof FsError && error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .map(snapshotFileNumber)
    .filter((number) => number !== undefined)
    .toSorted((a, b) => a - b);
}
