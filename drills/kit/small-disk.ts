/**
 * A small disk of its own for a server: a file system in memory, mounted in a name space that nobody else sees. It needs
 * Linux, and either root or user name spaces, which most distributions allow.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const isRoot = process.getuid?.() === 0;

/** Why there can be no small disk here; undefined when there can. */
export function smallDiskObstacle(): string | undefined {
  if (process.platform !== 'linux')
    return 'it needs a name space of Linux for a small disk of its own';
  const { status, error } = spawnSync('unshare', [...unshareFlags(), 'true']);
  if (error) return 'the program unshare (util-linux) is not there';
  return status === 0 ? undefined : 'this user may not make name spaces for a small disk';
}

function unshareFlags(): readonly string[] {
  return isRoot ? ['-m'] : ['-U', '-r', '-m'];
}

export class SmallDisk {
  readonly #holder: ChildProcess;
  readonly #folder: string;

  private constructor(holder: ChildProcess, folder: string) {
    this.#holder = holder;
    this.#folder = folder;
  }

  /** Mounts a disk on a folder, for those alone that are started with `under`. */
  static async mount(folder: string, bytes: number): Promise<SmallDisk> {
    const script = `mount -t tmpfs -o size=${bytes},mode=700 drill "$1" && echo mounted && exec sleep 86400`;
    const holder = spawn('unshare', [...unshareFlags(), 'sh', '-c', script, 'sh', folder], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = await Promise.race([
      once(holder.stdout, 'data').then(String),
      once(holder, 'exit').then(() => 'it ended'),
    ]);
    if (!said.includes('mounted')) throw new Error(`a small disk could not be mounted: ${said}`);
    return new SmallDisk(holder, folder);
  }

  /** A command line that leads into the disk's name space and leaves its process to what follows. */
  get under(): readonly string[] {
    const user = isRoot ? [] : ['-U', '--preserve-credentials'];
    return ['nsenter', '-t', String(this.#holder.pid), ...user, '-m', '--'];
  }

  /** Where a path of the name space is seen from outside. */
  seen(path: string): string {
    return join('/proc', String(this.#holder.pid), 'root', path);
  }

  /** The share of the disk that is in use. */
  get used(): number {
    const { blocks, bavail } = statfsSync(this.seen(this.#folder));
    return 1 - bavail / blocks;
  }

  /** Fills the disk up to a share, or to its last byte. */
  fill(share: number): void {
    const piece = Buffer.alloc(1 << 16);
    const file = openSync(this.#filler, 'a');
    try {
      while (this.used < share) writeSync(file, piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Takes the filler away. */
  clear(): void {
    rmSync(this.#filler, { force: true });
  }

  /** The disk and all on it are gone when the last process in its name space has ended. */
  end(): void {
    this.#holder.kill('SIGKILL');
  }

  get #filler(): string {
    return join(this.seen(this.#folder), 'filler-of-the-drill');
  }
}
