/** Which files are followed and how far, on disk: what a tailer starts with. */
import { FsError, readFully, writeAll } from '../../lib/fs/file-system.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import type { Print } from './print.ts';

/** A file as it is remembered. */
export interface Remembered {
  /** 16 hex digits, made once: what its lines are numbered under. */
  readonly key: string;
  /** What it belongs to, as the settings name it. */
  readonly source: string;
  /** Device and inode; null: its bytes are gone from there, and looked for in a copy. */
  readonly id: string | null;
  readonly path: string;
  /** Everything before it is stored. More may be: the spool knows. */
  readonly position: number;
  /** What its bytes are known by. */
  readonly print: Print;
}

/** Keeps one text durably. */
export interface TextStore {
  /** Undefined when there is none yet. Rejects when it cannot be read. */
  load(): Promise<string | undefined>;
  /** Resolves when it is on stable storage. */
  save(text: string): Promise<void>;
}

export function fileTextStore(files: FileSystem, directory: string, name: string): TextStore {
  const path = `${directory}/${name}`;
  return {
    async load() {
      const found = await files.stat(path);
      if (found === undefined) return undefined;
      const file = await files.open(path, 'read');
      try {
        const bytes = Buffer.alloc(found.bytes);
        await readFully(file, bytes, 0);
        return bytes.toString('utf8');
      } finally {
        await file.close();
      }
    },
    async save(text) {
      const draft = `${path}.new`;
      if (await files.stat(draft)) await files.unlink(draft);
      const file = await files.open(draft, 'create');
      try {
        await writeAll(file, [Buffer.from(text)], 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await files.rename(draft, path);
      await files.syncDirectory(directory);
    },
  };
}

const FORMAT = 'waybill-followed/1';

export type Recall =
  | { readonly kind: 'first' }
  | { readonly kind: 'known'; readonly files: readonly Remembered[] }
  | { readonly kind: 'unreadable'; readonly detail: string };

/** Reads what was remembered. A damaged file is told: reading everything anew would repeat it (I10). */
export async function recall(store: TextStore): Promise<Recall> {
  let text: string | undefined;
  try {
    text = await store.load();
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    return { kind: 'unreadable', detail: error.message };
  }
  if (text === undefined) return { kind: 'first' };
  try {
    const { format, files } = JSON.parse(text) as { format?: unknown; files?: unknown };
    if (format === FORMAT && Array.isArray(files))
      return { kind: 'known', files: files as readonly Remembered[] };
  } catch {
    // Said below.
  }
  return { kind: 'unreadable', detail: `it is not of the form ${FORMAT}` };
}

export function remember(store: TextStore, files: readonly Remembered[]): Promise<void> {
  return store.save(`${JSON.stringify({ format: FORMAT, files })}\n`);
}
