/**
 * Where the keys that seal secrets come from, and how one is replaced while the server runs.
 *
 * From a file: a new key is made and put beside the old one; when everything in force is sealed with it, it takes the old one's
 * place; when the history is as well, the old one goes. A crash at any point leaves every key that something is sealed with.
 * From the environment or a command: the operator puts the new key before the old one, and takes the old one away later.
 */
import type { FileSystem } from '../../lib/fs/file-system.ts';
import { FsError } from '../../lib/fs/file-system.ts';
import type { Random } from '../../lib/random.ts';
import type { SealedSecret } from '../store/store.ts';
import { keyFromFile, promoteKey, removeKey, writeKey } from './key-file.ts';
import { KeyRing } from './key-ring.ts';
import { KEY_BYTES, keyIdOf } from './sealing.ts';

export type KeySource =
  | { readonly kind: 'file'; readonly path: string }
  /** `text`: what the variable holds; undefined: it is not set. */
  | { readonly kind: 'env'; readonly variable: string; readonly text: string | undefined }
  /** Runs the operator's command; its text is never shown. */
  | { readonly kind: 'command'; readonly run: () => Promise<CommandText> };

type CommandText =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'failed'; readonly detail: string };

export type KeysOpened =
  | { readonly kind: 'keys'; readonly keeper: KeyKeeper }
  | { readonly kind: 'unreadable'; readonly detail: string };

export type NewKey =
  /** From now on it seals. */
  | { readonly kind: 'new'; readonly keyId: string }
  /** There is no other key to seal with; `detail` says what to do. */
  | { readonly kind: 'none'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string };

interface KeyDeps {
  readonly files: FileSystem;
  readonly random: Random;
  readonly source: KeySource;
}

/**
 * Reads the keys.
 *
 * @param secrets those in force; with none, a first key file may be made
 * @param where what holds them, for messages
 */
export async function openKeys(
  deps: KeyDeps,
  secrets: readonly SealedSecret[],
  where: string,
): Promise<KeysOpened> {
  const { source, random } = deps;
  const sealedWith = new Set(secrets.map(({ keyId }) => keyId));
  const unreadable = (detail: string): KeysOpened => ({ kind: 'unreadable', detail });
  const read =
    source.kind === 'file' ? await fileKeys(deps, source.path, sealedWith) : await textKeys(source);
  if (read.kind === 'unreadable') return read;
  const { keys } = read;
  if (keys.length === 0) {
    const name = source.kind === 'file' ? source.path : '';
    return unreadable(
      `The key file ${name} is missing, and the configuration in ${where} holds ${secrets.length} secrets sealed with it. Restore it from a backup.`,
    );
  }
  const ring = new KeyRing(keys, random);
  const foreign = [...sealedWith].find((keyId) => !ring.keyIds.includes(keyId));
  if (foreign !== undefined) {
    return unreadable(
      `${nameOf(source)} holds ${keys.length > 1 ? 'keys' : 'key'} ${ring.keyIds.join(', ')}, but secrets in ${where} are sealed with key ${foreign}. Put that key back.`,
    );
  }
  return { kind: 'keys', keeper: new KeyKeeper(deps, ring, keys) };
}

type KeysRead =
  | { readonly kind: 'read'; readonly keys: readonly Buffer[] }
  | { readonly kind: 'unreadable'; readonly detail: string };

/** A rotation that a crash cut off goes on where it was: a next key that seals already takes its place. */
async function fileKeys(
  { files, random }: KeyDeps,
  path: string,
  sealedWith: ReadonlySet<string>,
): Promise<KeysRead> {
  const names = [`${path}.next`, path, `${path}.old`] as const;
  const found: (Buffer | undefined)[] = [];
  for (const name of names) {
    const result = await keyFromFile(files, name, random, name === path && sealedWith.size === 0);
    if (result.kind === 'unreadable') return result;
    found.push(result.kind === 'key' ? result.key : undefined);
  }
  const [next, inUse, old] = found;
  const rest = [inUse, old].filter((key) => key !== undefined);
  if (!next) return { kind: 'read', keys: rest };
  if (inUse && !sealedWith.has(keyIdOf(next))) return { kind: 'read', keys: [...rest, next] };
  try {
    if (inUse && !old) await writeKey(files, `${path}.old`, inUse);
    await promoteKey(files, path);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    // It seals and opens all the same; the next start tries again.
  }
  return { kind: 'read', keys: [next, ...rest] };
}

async function textKeys(source: Exclude<KeySource, { kind: 'file' }>): Promise<KeysRead> {
  const name = nameOf(source);
  const unreadable = (detail: string): KeysRead => ({ kind: 'unreadable', detail });
  let text: string | undefined;
  if (source.kind === 'env') text = source.text;
  else {
    const said = await source.run();
    if (said.kind === 'failed') return unreadable(`${name} failed: ${said.detail}`);
    ({ text } = said);
  }
  const parts = (text ?? '').split(/[\s,]+/).filter((part) => part !== '');
  if (parts.length === 0)
    return unreadable(`${name} gives no key; it must give 32 bytes as 64 hex digits or base64.`);
  const keys = parts.map(keyFromText);
  const wrong = keys.findIndex((key) => key === undefined);
  if (wrong >= 0)
    return unreadable(
      `${name} gives something as key ${wrong + 1} that is not 32 bytes as 64 hex digits or base64.`,
    );
  return { kind: 'read', keys: keys.filter((key) => key !== undefined) };
}

/** 32 bytes from their text; undefined when it holds something else. */
function keyFromText(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return undefined;
  const key = Buffer.from(text, 'base64');
  return key.length === KEY_BYTES ? key : undefined;
}

function nameOf(source: KeySource): string {
  switch (source.kind) {
    case 'file':
      return `The key file ${source.path}`;
    case 'env':
      return `The environment variable ${source.variable}`;
    case 'command':
      return 'The command of control.keyCommand';
  }
}

export class KeyKeeper {
  readonly ring: KeyRing;
  readonly #deps: KeyDeps;
  #keys: readonly Buffer[];

  /** @param keys newest first */
  constructor(deps: KeyDeps, ring: KeyRing, keys: readonly Buffer[]) {
    this.#deps = deps;
    this.ring = ring;
    this.#keys = keys;
  }

  /** Whether there are keys besides the one that seals: something may still be sealed with them. */
  get hasOlder(): boolean {
    return this.#keys.length > 1;
  }

  /** Whether a key was replaced, and its history perhaps not sealed anew yet. */
  async hasLeftover(): Promise<boolean> {
    const { source, files } = this.#deps;
    return source.kind === 'file' && (await files.stat(`${source.path}.old`)) !== undefined;
  }

  /** Takes a new key into use for sealing; all before go on to open. */
  async begin(): Promise<NewKey> {
    const { source } = this.#deps;
    return source.kind === 'file' ? await this.#nextFile(source.path) : await this.#reread(source);
  }

  async #nextFile(path: string): Promise<NewKey> {
    const { files, random } = this.#deps;
    const next = await keyFromFile(files, `${path}.next`, random, true);
    if (next.kind !== 'key')
      return { kind: 'failed', detail: next.kind === 'missing' ? `${path}.next` : next.detail };
    this.#use([next.key, ...this.#keys.filter((key) => !key.equals(next.key))]);
    return { kind: 'new', keyId: this.ring.keyId };
  }

  async #reread(source: Exclude<KeySource, { kind: 'file' }>): Promise<NewKey> {
    const read = await textKeys(source);
    if (read.kind === 'unreadable') return { kind: 'failed', detail: read.detail };
    const added = read.keys.filter((key) => !this.#keys.some((known) => known.equals(key)));
    if (added.length === 0 && !this.hasOlder) {
      const how =
        source.kind === 'env'
          ? `Put a new key before it in ${source.variable}, separated by a comma, and restart; then ask again.`
          : 'Let the command print a new key before it, on a line of its own; then ask again.';
      return { kind: 'none', detail: `There is only the key ${this.ring.keyId}. ${how}` };
    }
    this.#use([
      ...read.keys,
      ...this.#keys.filter((key) => !read.keys.some((one) => one.equals(key))),
    ]);
    return { kind: 'new', keyId: this.ring.keyId };
  }

  /** Everything in force is sealed with the new key: it takes the place of the one before. Rejects with FsError. */
  async promote(): Promise<void> {
    const { source, files } = this.#deps;
    const [, before] = this.#keys;
    if (source.kind !== 'file' || !before) return;
    if (!(await files.stat(`${source.path}.next`))) return;
    await writeKey(files, `${source.path}.old`, before);
    await promoteKey(files, source.path);
  }

  /** Nothing is sealed with older keys any more: those that we keep go. Rejects with FsError. */
  async forget(): Promise<void> {
    const { source, files } = this.#deps;
    if (source.kind === 'file') await removeKey(files, `${source.path}.old`);
    this.#keys = this.#keys.slice(0, 1);
  }

  #use(keys: readonly Buffer[]): void {
    this.#keys = keys;
    this.ring.use(keys);
  }
}
