/** The file with the key that seals secrets: 32 random bytes, for its owner alone, made at the first start. */
import { readFully, writeAll } from '../../lib/fs/file-system.ts';
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
    return { kind: 'key', key: await makeKey(files, path, random), created: true };
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

/** Under another name first, so that a crash leaves no half-written key behind. */
async function makeKey(files: FileSystem, path: string, random: Random): Promise<Buffer> {
  const key = random.bytes(KEY_BYTES);
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
  const slash = path.lastIndexOf('/');
  await files.syncDirectory(slash <= 0 ? (slash === 0 ? '/' : '.') : path.slice(0, slash));
  return key;
}
