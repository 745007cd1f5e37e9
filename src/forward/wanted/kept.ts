/** The last good wanted set on disk, and the one before it: what a forwarder starts with. */
import { createHash } from 'node:crypto';
import { FsError, readFully, writeAll } from '../../lib/fs/file-system.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import { readWanted } from '../../model/wanted-set.ts';
import type { WantedSet } from '../../model/wanted-set.ts';

const NAME = 'wanted.json';
const PREVIOUS = 'wanted.previous.json';
const DRAFT = 'wanted.json.new';

export interface Kept {
  readonly set: WantedSet;
  readonly tag: string;
}

export interface Recalled {
  readonly kept: Kept | undefined;
  /** What of it could not be read, for an alarm. */
  readonly problems: readonly string[];
}

/** Reads what was kept. A damaged file is told and never taken for an empty set (I4, I10). */
export async function recallWanted(files: FileSystem, directory: string): Promise<Recalled> {
  const problems: string[] = [];
  for (const name of [NAME, PREVIOUS]) {
    const found = await readKept(files, `${directory}/${name}`);
    if (found === undefined) continue;
    if (typeof found !== 'string') return { kept: found, problems };
    problems.push(`${name}: ${found}`);
  }
  return { kept: undefined, problems };
}

/** @returns undefined when there is no such file, or what is wrong with it */
async function readKept(files: FileSystem, path: string): Promise<Kept | string | undefined> {
  let bytes: Buffer;
  try {
    const found = await files.stat(path);
    if (found === undefined) return undefined;
    const file = await files.open(path, 'read');
    try {
      bytes = Buffer.alloc(found.bytes);
      if ((await readFully(file, bytes, 0)) < bytes.length) return 'it became shorter';
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof FsError) return error.message;
    throw error;
  }
  // The first row is the checksum of the rest.
  const end = bytes.indexOf(0x0a);
  const document = bytes.subarray(end + 1);
  const sum = createHash('sha256').update(document).digest('hex');
  if (end < 0 || bytes.toString('latin1', 0, end) !== sum) return 'its checksum is not right';
  const read = readWanted(document.toString('utf8'), undefined);
  return read.kind === 'set' ? { set: read.set, tag: read.tag } : read.detail;
}

/** Puts a document on stable storage. The one before stays beside it. Rejects with {@link FsError}. */
export async function keepWanted(
  files: FileSystem,
  directory: string,
  document: string,
): Promise<void> {
  const at = (name: string) => `${directory}/${name}`;
  const bytes = Buffer.from(document);
  const sum = createHash('sha256').update(bytes).digest('hex');
  if (await files.stat(at(DRAFT))) await files.unlink(at(DRAFT));
  const file = await files.open(at(DRAFT), 'create');
  try {
    await writeAll(file, [Buffer.from(`${sum}\n`), bytes], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  if (await files.stat(at(NAME))) await files.rename(at(NAME), at(PREVIOUS));
  await files.rename(at(DRAFT), at(NAME));
  await files.syncDirectory(directory);
}
