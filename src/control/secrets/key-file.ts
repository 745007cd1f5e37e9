/**
 * The file with the key that seals secrets: 32 random bytes, for its owner alone, made at the first start. While a key is
 * replaced there are up to three: `<file>` in use, `<file>.next` to come, `<file>.old` until nothing is sealed with it any more.
 */
import { FsError, readFully, writeAll } from '../../lib/fs/file-system.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import type { Random } from '../../lib/random.ts';
import { KEY_BYTES } from './sealing.ts';

export type KeyResult =
  | { readonly kind: 'key'; readonly key: Buffer; readonly created: boolean }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unreadable'; readonly detail: string };

/** Reads the key, or makes it when `create` is set and there is none. */
export async function keyFromFile(
  files: FileSystem,
  path: string,
  random: Random,
  create: boolean,
): Promise<KeyResult> {
  try {
    const found = await files.stat(path);
    if (found && found.bytes !== KEY_BYTES) {
      return {
        kind: 'unreadable',
        detail: `The key file ${path} holds ${found.bytes} bytes, but must hold ${KEY_BYTES}. Restore it from a backup.`,
      };
    }
    if (found) return { kind: 'key', key: await readKey(files, path), created: false };
    if (!create) return { kind: 'missing' };
    const key = random.bytes(KEY_BYTES);
    await writeKey(files, path, key);
    return { kind: 'key', key, created: true };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return {
      kind: 'unreadable',
      detail: `The key file ${path} could not be read or made: ${detail}`,
    };
  }
}

async function readKey(files: FileSystem, path: string): Promise<Buffer> {
  const file = await files.open(path, 'read');
  try {
    const key = Buffer.alloc(KEY_BYTES);
    await readFully(file, key, 0);
    return key;
  } finally {
    await file.close();
  }
}

/** Under another name first, so that a crash leaves no half-written key behind. Rejects with FsError. */
export async function writeKey(files: FileSystem, path: string, key: Buffer): Promise<void> {
  const draft = `${path}.new`;
  if (await files.stat(draft)) await files.unlink(draft);
  const file = await files.open(draft, 'create');
  try {
    await writeAll(file, [key], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(draft, path);
  await files.syncDirectory(folderOf(path));
}

/** Puts the next key in the place of the one in use. */
export async function promoteKey(files: FileSystem, path: string): Promise<void> {
  await files.rename(`${path}.next`, path);
  await files.syncDirectory(folderOf(path));
}

/** Removes a key that nothing is sealed with any more. */
export async function removeKey(files: FileSystem, path: string): Promise<void> {
  try {
    await files.unlink(path);
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'ENOENT') throw error;
  }
  await files.syncDirectory(folderOf(path));
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? (slash === 0 ? '/' : '.') : path.slice(0, slash);
}
