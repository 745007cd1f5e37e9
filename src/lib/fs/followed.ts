/**
 * Files that somebody else writes, rotates and truncates, as a tailer needs to see them: by what they are and not by what
 * they are called.
 */
import * as fs from 'node:fs';
import { FsError } from './file-system.ts';

/** An open file that somebody else writes. Every method rejects with {@link FsError}. */
export interface FollowedFile {
  /** The same for as long as the file exists, whatever it is called: device and inode. May be given to another one later. */
  readonly id: string;
  /** Its size now, and whether it still has a name. */
  look(): Promise<{ readonly bytes: number; readonly hasName: boolean }>;
  /** Bytes read into `target` from `at` on; 0 at the end. */
  read(target: Uint8Array, at: number): Promise<number>;
  close(): Promise<void>;
}

export interface FollowedFiles {
  /** Paths of files that match one of the patterns and none of the exclusions, sorted. */
  match(patterns: readonly string[], exclude: readonly string[]): Promise<string[]>;
  /** Undefined when there is no such name, or it is no plain file. */
  open(path: string): Promise<FollowedFile | undefined>;
}

const failed = (error: unknown, operation: string, path: string): FsError =>
  new FsError((error as NodeJS.ErrnoException).code ?? 'EIO', operation, path);

class NodeFollowedFile implements FollowedFile {
  readonly id: string;
  readonly #handle: fs.promises.FileHandle;
  readonly #path: string;

  constructor(id: string, handle: fs.promises.FileHandle, path: string) {
    this.id = id;
    this.#handle = handle;
    this.#path = path;
  }

  async look(): Promise<{ bytes: number; hasName: boolean }> {
    try {
      const { size, nlink } = await this.#handle.stat();
      return { bytes: size, hasName: nlink > 0 };
    } catch (error) {
      throw failed(error, 'stat', this.#path);
    }
  }

  async read(target: Uint8Array, at: number): Promise<number> {
    try {
      return (await this.#handle.read(target, 0, target.length, at)).bytesRead;
    } catch (error) {
      throw failed(error, 'read', this.#path);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => {});
  }
}

/** The machine's files. */
export function nodeFollowedFiles(): FollowedFiles {
  return {
    async match(patterns, exclude) {
      const found = new Set<string>();
      try {
        for await (const path of fs.promises.glob([...patterns], { exclude: [...exclude] }))
          found.add(path);
      } catch (error) {
        throw failed(error, 'match', patterns.join(' '));
      }
      return [...found].toSorted();
    },
    async open(path) {
      // Without waiting: a pipe that nobody writes to would hold up all others.
      const flags = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK;
      let handle: fs.promises.FileHandle;
      try {
        handle = await fs.promises.open(path, flags);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENXIO') return undefined;
        throw failed(error, 'open', path);
      }
      const stats = await handle.stat({ bigint: true });
      if (stats.isFile()) return new NodeFollowedFile(`${stats.dev}:${stats.ino}`, handle, path);
      await handle.close();
      return undefined;
    },
  };
}
