/**
 * Bodies on disk until they are decided, each in a file of its own: what a producer's process leaves behind is sent by the
 * next one, under the same keys.
 */
import { FsError, readFully, writeAll } from '../lib/fs/file-system.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';

/** `<number>.<key>`; a draft has `.new` behind. */
const NAME = /^(\d{12})\.([A-Za-z0-9_-]{1,64})$/;

export interface SpooledBody {
  readonly name: string;
  readonly key: string;
  readonly bytes: number;
}

export class DiskSpool {
  readonly #files: FileSystem;
  readonly #directory: string;
  #last = 0;

  private constructor(files: FileSystem, directory: string) {
    this.#files = files;
    this.#directory = directory;
  }

  /**
   * Opens a folder, which is made when it is missing.
   *
   * @returns the spool, and what an earlier process left in it, oldest first
   */
  static async open(
    files: FileSystem,
    directory: string,
  ): Promise<{ readonly spool: DiskSpool; readonly left: readonly SpooledBody[] }> {
    await files.makeDirectory(directory);
    const spool = new DiskSpool(files, directory);
    const left: SpooledBody[] = [];
    for (const name of await files.list(directory)) {
      const match = NAME.exec(name);
      if (match === null) {
        // A body that was never whole: nobody was told that it is kept.
        if (name.endsWith('.new')) await files.unlink(`${directory}/${name}`);
        continue;
      }
      spool.#last = Math.max(spool.#last, Number(match[1]));
      const found = await files.stat(`${directory}/${name}`);
      left.push({ name, key: match[2]!, bytes: found?.bytes ?? 0 });
    }
    return { spool, left };
  }

  /** Puts a body on stable storage. Rejects with {@link FsError} when the disk does not take it. */
  async keep(key: string, body: Buffer): Promise<SpooledBody> {
    const name = `${String(++this.#last).padStart(12, '0')}.${key}`;
    const path = `${this.#directory}/${name}`;
    const file = await this.#files.open(`${path}.new`, 'create');
    try {
      await writeAll(file, [body], 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#files.rename(`${path}.new`, path);
    await this.#files.syncDirectory(this.#directory);
    return { name, key, bytes: body.length };
  }

  async read({ name, bytes }: SpooledBody): Promise<Buffer> {
    const file = await this.#files.open(`${this.#directory}/${name}`, 'read');
    try {
      const body = Buffer.alloc(bytes);
      if ((await readFully(file, body, 0)) < bytes)
        throw new FsError('EIO', 'read', name, 'it became shorter');
      return body;
    } finally {
      await file.close();
    }
  }

  /** It is decided: it is not sent again. */
  async drop({ name }: SpooledBody): Promise<void> {
    await this.#files.unlink(`${this.#directory}/${name}`);
  }
}
