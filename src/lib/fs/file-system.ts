/**
 * The file system as handed in: the narrow set of operations that Waybill's durability rests on.
 *
 * Two implementations pass one suite: the machine's (`node.ts`) and a simulated one with honest crash semantics
 * (`sim.ts`). Nothing else under `src/` that stores lines touches `node:fs`.
 *
 * What a caller may rely on after a crash: a file's bytes only up to its last successful `sync()` (or write, where that syncs), a name (made, renamed
 * or removed) only after `syncDirectory()` of its folder. After a failed `sync()` the written bytes may be gone although a
 * later `sync()` succeeds: write them again elsewhere.
 */

/** A failure that the outside caused. `code` is the operating system's (`ENOSPC`, `EIO`, ...). */
export class FsError extends Error {
  override readonly name = 'FsError';
  readonly code: string;
  readonly operation: string;
  readonly path: string;

  constructor(code: string, operation: string, path: string, detail?: string) {
    super(`${operation} ${path}: ${code}${detail ? ` (${detail})` : ''}`);
    this.code = code;
    this.operation = operation;
    this.path = path;
  }
}

/**
 * - `write`: an existing file, for reading and writing.
 * - `create`: a new one, refused (`EEXIST`) when the name is taken.
 * - `create-synced`: a new one of which each write is on stable storage when it resolves, as if a `sync()` of it followed. Where
 *   the system can do both in one call, that is one trip to the thread pool and not two. A write that rejects is a failed `sync()`.
 */
export type OpenMode = 'read' | 'write' | 'create' | 'create-synced';

/** Where to read from, and into what. */
export interface ReadPlace {
  readonly target: Uint8Array;
  readonly at: number;
}

/** An open file. Every method rejects with {@link FsError}. */
export interface FileHandle {
  /**
   * Writes the buffers one after the other from byte `at` on.
   *
   * @returns bytes written, which may be fewer than given (a short write): callers loop, or use {@link writeAll}
   */
  write(buffers: readonly Uint8Array[], at: number): Promise<number>;
  /**
   * Reads into `target` from byte `at` on.
   *
   * @returns bytes read, which may be fewer than asked (a short read); 0 only at the end of the file
   */
  read(target: Uint8Array, at: number): Promise<number>;
  /**
   * Reads several places, some side by side, at a fraction of what as many calls of `read` cost: each of those wakes a thread by
   * itself.
   *
   * @param lately they were written a short time ago, so that the machine most likely has them in memory
   * @returns for each place the bytes read, which may be fewer than asked, as with `read`
   */
  readEach(places: readonly ReadPlace[], lately?: boolean): Promise<readonly number[]>;
  /** Puts the file's data (and the size needed to read it) on stable storage. */
  sync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  sizeBytes(): Promise<number>;
  close(): Promise<void>;
}

/** Held until released or until the process dies, whichever is first. */
export interface Lock {
  release(): Promise<void>;
}

export interface Space {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** True for file systems that do not outlive the machine's power (tmpfs, ramfs). */
  readonly inMemory: boolean;
}

export interface FileSystem {
  open(path: string, mode: OpenMode): Promise<FileHandle>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes the folder and its parents; nothing happens when it is there. */
  makeDirectory(path: string): Promise<void>;
  /** Names in a folder, sorted. Rejects with `ENOENT` when there is none. */
  list(path: string): Promise<string[]>;
  /** A file's size, or undefined when there is no such name. */
  stat(path: string): Promise<{ readonly bytes: number } | undefined>;
  /** The path with every symbolic link in it resolved, or undefined when there is no such name. */
  realPath(path: string): Promise<string | undefined>;
  /** Puts the names in a folder on stable storage. */
  syncDirectory(path: string): Promise<void>;
  space(path: string): Promise<Space>;
  /** Takes the lock named by `path`, or answers `"held"` when another process (or this one) has it. */
  lock(path: string): Promise<Lock | 'held'>;
}

/** Writes all of the buffers at `at`, going on after short writes. On a rejection any prefix may have been written. */
export async function writeAll(
  file: FileHandle,
  buffers: readonly Uint8Array[],
  at: number,
): Promise<void> {
  let rest: readonly Uint8Array[] = buffers;
  let position = at;
  let left = buffers.reduce((sum, part) => sum + part.length, 0);
  while (left > 0) {
    let written = await file.write(rest, position);
    if (written <= 0) throw new FsError('EIO', 'write', '', 'nothing was written');
    position += written;
    left -= written;
    let index = 0;
    while (index < rest.length && written >= rest[index]!.length) written -= rest[index++]!.length;
    rest = rest.slice(index);
    if (written > 0) rest = [rest[0]!.subarray(written), ...rest.slice(1)];
  }
}

/** Reads until `target` is full or the file ends; returns the bytes read. */
export async function readFully(file: FileHandle, target: Uint8Array, at: number): Promise<number> {
  let done = 0;
  while (done < target.length) {
    const count = await file.read(target.subarray(done), at + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
