/** Writes a new snapshot file: a full base under a draft name, and what was changed meanwhile, then the rename. */
import { join } from 'node:path';
import { writeAll } from '../../lib/fs/file-system.ts';
import type { FileHandle, FileSystem } from '../../lib/fs/file-system.ts';
import type { SealedSecret } from '../store/store.ts';
import type { Held, Holdings } from './holdings.ts';
import { SNAPSHOT_FORMAT, encodeLine, sealedToForm, snapshotFileName } from './line.codec.ts';
import type { FileHeader } from './line.codec.ts';

/** Objects that are encoded in one turn: well under 10 ms of the control thread. */
const TURN = 200;

/** One version, held fast while it is written: records are never changed in place, so references are enough. */
export interface Frozen {
  readonly version: number;
  readonly nextJob: number;
  readonly sum: string;
  readonly records: readonly Held[];
  readonly secrets: readonly SealedSecret[];
}

export function freeze(holdings: Holdings): Frozen {
  const { version, nextJob, sum } = holdings;
  return {
    version,
    nextJob,
    sum,
    records: [...holdings.records()],
    secrets: [...holdings.secrets()],
  };
}

export interface DraftFile {
  readonly handle: FileHandle;
  readonly header: FileHeader;
  /** Where the base ends. */
  readonly bytes: number;
}

const draftPath = (directory: string, file: number): string =>
  join(directory, `${snapshotFileName(file)}.new`);

/** Writes the base, not yet synced, under the draft's name. Gives way to others between turns. */
export async function writeDraft(
  files: FileSystem,
  directory: string,
  file: number,
  frozen: Frozen,
  atMs: number,
): Promise<DraftFile> {
  const path = draftPath(directory, file);
  if (await files.stat(path)) await files.unlink(path);
  const handle = await files.open(path, 'create');
  try {
    const { version, nextJob, sum, records, secrets } = frozen;
    const header: FileHeader = {
      format: SNAPSHOT_FORMAT,
      file,
      version,
      atMs,
      nextJob,
      objects: records.length,
      secrets: secrets.length,
      sum,
    };
    let at = await put(handle, [encodeLine({ header })], 0);
    for (let from = 0; from < records.length; from += TURN) {
      const lines = records
        .slice(from, from + TURN)
        .map(({ kind, id, record }) => encodeLine({ object: { kind, id, record } }));
      at = await put(handle, lines, at);
    }
    for (let from = 0; from < secrets.length; from += TURN) {
      const lines = secrets
        .slice(from, from + TURN)
        .map((secret) => encodeLine({ secret: { id: secret.id, ...sealedToForm(secret) } }));
      at = await put(handle, lines, at);
    }
    return { handle, header, bytes: at };
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
}

/** Makes a draft the file: from then on it is the newest one. It must be synced. */
export async function nameDraft(files: FileSystem, directory: string, file: number): Promise<void> {
  await files.rename(draftPath(directory, file), join(directory, snapshotFileName(file)));
  await files.syncDirectory(directory);
}

async function put(handle: FileHandle, lines: readonly Buffer[], at: number): Promise<number> {
  const bytes = Buffer.concat(lines);
  await writeAll(handle, [bytes], at);
  return at + bytes.length;
}
