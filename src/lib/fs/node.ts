/**
 * The machine's file system behind the seam of `file-system.ts`.
 *
 * The callback functions of `node:fs` are used, which cost least per call. `fdatasync` is enough for data: it also brings
 * out the size that is needed to read it.
 */
import * as fs from 'node:fs';
import { dirname } from 'node:path';

import { systemClock } from '../clock.ts';
import { resultCode, takeLock } from '../sqlite/lock.ts';
import { FsError } from './file-system.ts';
import type { FileHandle, FileSystem, Lock, OpenMode, ReadPlace, Space } from './file-system.ts';
import { ReadsNow } from './reads-now.ts';
import { Slots } from './slots.ts';

/** The most buffers that one `pwritev` takes (IOV_MAX of Linux and macOS). */
const BUFFERS_PER_WRITE = 1024;

/**
 * Reads of `readEach` that are under way in the pool at once, over all files: half of its threads, so that a sync never waits behind them
 * for a thread. What the machine has in memory is read without the pool (`reads-now.ts`), so these are waits for the disk, up to tens
 * of milliseconds where it is busy.
 */
const READS_AT_ONCE = 4;

/** Only the service reads what customers sent. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/**
 * Linux syncs as part of a write to a file that was opened so, as `fdatasync` does. Elsewhere that means less than Node's own
 * `fdatasync` (macOS leaves the bytes in the disk's cache), which then follows each write.
 */
const SYNCED_WRITES = process.platform === 'linux';

/** Linux counts what had to come from the disk. Where nobody does, nothing is read on the calling thread. */
const COUNTS_DISK_READS = process.platform === 'linux';

const { O_RDWR, O_CREAT, O_EXCL, O_DSYNC } = fs.constants;
const FLAGS: Readonly<Record<OpenMode, string | number>> = {
  read: 'r',
  write: 'r+',
  create: 'wx+',
  'create-synced': SYNCED_WRITES ? O_RDWR | O_CREAT | O_EXCL | O_DSYNC : 'wx+',
};

/** `f_type` of file systems that do not outlive the power: tmpfs and ramfs (statfs(2)). */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

type Done<T> = (error: NodeJS.ErrnoException | null, value: T) => void;

/** Calls one function of `node:fs` and turns its failure into an {@link FsError}. */
function call<T>(operation: string, path: string, start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error) reject(new FsError(error.code ?? 'EIO', operation, path));
      else resolve(value);
    });
  });
}

interface Reads {
  readonly slots: Slots;
  readonly now: ReadsNow;
}

class NodeFile implements FileHandle {
  readonly #descriptor: number;
  readonly #path: string;
  readonly #syncsAfterWrites: boolean;
  /** Shared by all files. */
  readonly #reads: Reads;

  constructor(descriptor: number, path: string, syncsAfterWrites: boolean, reads: Reads) {
    this.#descriptor = descriptor;
    this.#path = path;
    this.#syncsAfterWrites = syncsAfterWrites;
    this.#reads = reads;
  }

  write(buffers: readonly Uint8Array[], at: number): Promise<number> {
    const written = this.#write(buffers, at);
    return this.#syncsAfterWrites
      ? written.then((bytes) => this.sync().then(() => bytes))
      : written;
  }

  #write(buffers: readonly Uint8Array[], at: number): Promise<number> {
    const [only] = buffers;
    if (only === undefined) return Promise.resolve(0);
    return call('write', this.#path, (done: Done<number>) => {
      if (buffers.length === 1) fs.write(this.#descriptor, only, 0, only.length, at, done);
      else fs.writev(this.#descriptor, buffers.slice(0, BUFFERS_PER_WRITE), at, done);
    });
  }

  read(target: Uint8Array, at: number): Promise<number> {
    return call('read', this.#path, (done) =>
      fs.read(this.#descriptor, target, 0, target.length, at, done),
    );
  }

  readEach(places: readonly ReadPlace[], lately = false): Promise<readonly number[]> {
    return call('read', this.#path, (done: Done<readonly number[]>) => {
      const counts: number[] = places.map(() => 0);
      let first = 0;
      try {
        if (lately && COUNTS_DISK_READS) first = this.#readNow(places, counts);
      } catch (error) {
        return done(error as NodeJS.ErrnoException, counts);
      }
      let left = places.length - first;
      if (left === 0) return done(null, counts);
      let failure: NodeJS.ErrnoException | null = null;
      const ended = (): void => {
        left -= 1;
        this.#reads.slots.give();
        // Those under way are waited for: the file may be closed afterwards.
        if (left === 0) done(failure, counts);
      };
      for (let index = first; index < places.length; index += 1) {
        const { target, at } = places[index]!;
        this.#reads.slots.take(() => {
          if (failure !== null) return ended();
          fs.read(this.#descriptor, target, 0, target.length, at, (error, count) => {
            counts[index] = count;
            failure ??= error;
            ended();
          });
        });
      }
    });
  }

  /** @returns how many of them, from the first on, were read */
  #readNow(places: readonly ReadPlace[], counts: number[]): number {
    return this.#reads.now.run(places.length, (index) => {
      const { target, at } = places[index]!;
      counts[index] = fs.readSync(this.#descriptor, target, 0, target.length, at);
    });
  }

  sync(): Promise<void> {
    return call('sync', this.#path, (done: Done<void>) =>
      fs.fdatasync(this.#descriptor, (error) => done(error)),
    );
  }

  truncate(bytes: number): Promise<void> {
    return call('truncate', this.#path, (done: Done<void>) =>
      fs.ftruncate(this.#descriptor, bytes, (error) => done(error)),
    );
  }

  async sizeBytes(): Promise<number> {
    const stats = await call<fs.Stats>('size', this.#path, (done) =>
      fs.fstat(this.#descriptor, done),
    );
    return stats.size;
  }

  close(): Promise<void> {
    return call('close', this.#path, (done: Done<void>) =>
      fs.close(this.#descriptor, (error) => done(error ?? null)),
    );
  }
}

async function syncDirectory(path: string): Promise<void> {
  const flags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY;
  const descriptor = await call<number>('syncDirectory', path, (done) =>
    fs.open(path, flags, done),
  );
  try {
    await call('syncDirectory', path, (done: Done<void>) =>
      fs.fsync(descriptor, (error) => done(error)),
    );
  } finally {
    await call('syncDirectory', path, (done: Done<void>) =>
      fs.close(descriptor, (error) => done(error ?? null)),
    );
  }
}

/** Makes a folder and its parents, and puts the names of those that it made on stable storage. */
async function makeDirectory(path: string): Promise<void> {
  if (await isDirectory(path)) return;
  const above = dirname(path);
  // Not Node's own `recursive`: where a folder is there and nothing can be made in it (`/proc`), that tries for ever.
  if (above !== path) await makeDirectory(above);
  const made = await call<true>('makeDirectory', path, (done) =>
    fs.mkdir(path, { mode: DIRECTORY_MODE }, (error) => done(error, true)),
  ).catch(async (error: FsError) => {
    if (error.code === 'EEXIST' && (await isDirectory(path))) return false;
    throw error;
  });
  if (made) await syncDirectory(above);
}

async function isDirectory(path: string): Promise<boolean> {
  const stats = await ifThere(call<fs.Stats>('makeDirectory', path, (done) => fs.stat(path, done)));
  return stats?.isDirectory() ?? false;
}

/** The answer, or undefined when there is no such name. */
async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof FsError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function stat(path: string): Promise<{ readonly bytes: number } | undefined> {
  const stats = await ifThere(call<fs.Stats>('stat', path, (done) => fs.stat(path, done)));
  return stats && { bytes: stats.size };
}

async function space(path: string): Promise<Space> {
  const stats = await call<fs.StatsFs>('space', path, (done) => fs.statfs(path, done));
  return {
    freeBytes: stats.bavail * stats.bsize,
    // As df counts: what is kept for root is neither used nor to be had.
    totalBytes: (stats.blocks - stats.bfree + stats.bavail) * stats.bsize,
    inMemory: IN_MEMORY.has(stats.type),
  };
}

function lock(path: string): Lock | 'held' {
  try {
    const release = takeLock(path);
    if (release === 'held') return 'held';
    return {
      release() {
        release();
        return Promise.resolve();
      },
    };
  } catch (error) {
    const code = resultCode(error);
    if (code === undefined) throw error;
    throw new FsError(`SQLITE_${code}`, 'lock', path, error instanceof Error ? error.message : '');
  }
}

/** The machine's file system. */
export function nodeFileSystem(): FileSystem {
  const reads = {
    slots: new Slots(READS_AT_ONCE),
    now: new ReadsNow({
      diskReads: () => process.resourceUsage().fsRead,
      monotonicMs: () => systemClock.monotonicMs(),
    }),
  };
  return {
    async open(path, mode) {
      const descriptor = await call<number>('open', path, (done) =>
        fs.open(path, FLAGS[mode], FILE_MODE, done),
      );
      return new NodeFile(descriptor, path, mode === 'create-synced' && !SYNCED_WRITES, reads);
    },
    rename: (from, to) =>
      call('rename', from, (done: Done<void>) => fs.rename(from, to, (error) => done(error))),
    unlink: (path) =>
      call('unlink', path, (done: Done<void>) => fs.unlink(path, (error) => done(error))),
    makeDirectory,
    async list(path) {
      const names = await call<string[]>('list', path, (done) => fs.readdir(path, done));
      return names.sort();
    },
    stat,
    realPath: (path) => ifThere(call<string>('realPath', path, (done) => fs.realpath(path, done))),
    syncDirectory,
    space,
    lock: async (path) => lock(path),
  };
}
