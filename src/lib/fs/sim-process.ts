/** The simulated disk as one process has it: the file system's calls, until the process dies. */
import { dirname } from 'node:path/posix';

import type { Random } from '../random.ts';
import { FsError } from './file-system.ts';
import type { FileHandle, FileSystem, Lock, OpenMode, ReadPlace, Space } from './file-system.ts';
import type { FaultPlan, Operation } from './sim-faults.ts';
import { SimFile } from './sim-file.ts';
import type { SimNames } from './sim-names.ts';

/** What outlives a process. */
export interface SimState {
  readonly random: Random;
  readonly names: SimNames;
  readonly faults: FaultPlan;
  readonly counts: Record<Operation, number>;
  readonly locks: Set<string>;
  readonly handleLimit: number;
  readonly inMemory: boolean;
  totalBytes: number;
}

export class SimProcess implements FileSystem {
  readonly state: SimState;
  openHandles = 0;
  #dead = false;
  #callsLeft = Number.POSITIVE_INFINITY;
  #stopped: () => void = () => {};

  constructor(state: SimState) {
    this.state = state;
  }

  /** From now on no call gets an answer. */
  die(): void {
    this.#dead = true;
    this.#stopped();
  }

  /** Dies at the n-th call from now; resolves when it has. */
  dieAt(calls: number): Promise<void> {
    this.#callsLeft = calls;
    return new Promise((resolve) => (this.#stopped = resolve));
  }

  /**
   * Does one call, with whatever is planned for it.
   *
   * @param act does the work; of reads and writes at most so many bytes
   * @param failed what happens beside when the call fails
   */
  async call<T>(
    operation: Operation,
    path: string,
    act: (mostBytes: number) => T,
    bytes = 0,
    failed: () => void = () => {},
  ): Promise<T> {
    await Promise.resolve();
    if (this.#dead) return never();
    this.state.counts[operation]++;
    if (--this.#callsLeft <= 0) {
      this.#dieWithin(act, bytes);
      return never();
    }
    const effect = this.state.faults.next(operation);
    switch (effect?.kind) {
      case undefined:
        return act(bytes);
      case 'short':
        return act(Math.min(bytes, effect.bytes));
      case 'stall':
        await effect.until;
        return this.#dead ? never() : act(bytes);
      case 'fail':
        if (effect.afterBytes !== undefined && bytes > 0) act(Math.min(bytes, effect.afterBytes));
        failed();
        throw new FsError(effect.code, operation, path, 'planned');
    }
  }

  open(path: string, mode: OpenMode): Promise<FileHandle> {
    return this.call('open', path, () => {
      const { names, handleLimit } = this.state;
      const file = names.get(path);
      const creates = mode === 'create' || mode === 'create-synced';
      if (creates ? !names.isDirectory(dirname(path)) : !file) {
        throw new FsError('ENOENT', 'open', path);
      }
      if (creates && file) throw new FsError('EEXIST', 'open', path);
      if (this.openHandles >= handleLimit) throw new FsError('EMFILE', 'open', path);
      this.openHandles++;
      const opened = file ?? new SimFile();
      if (!file) names.set(path, opened);
      return new SimHandle(this, opened, path, mode);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.call('rename', from, () => {
      const file = this.#named('rename', from);
      if (!this.state.names.isDirectory(dirname(to))) throw new FsError('ENOENT', 'rename', to);
      this.state.names.rename(from, to, file);
    });
  }

  unlink(path: string): Promise<void> {
    return this.call('unlink', path, () => {
      this.#named('unlink', path);
      this.state.names.remove(path);
    });
  }

  makeDirectory(path: string): Promise<void> {
    return this.call('makeDirectory', path, () => this.state.names.makeDirectory(path));
  }

  list(path: string): Promise<string[]> {
    return this.call('list', path, () => {
      this.#directory('list', path);
      return this.state.names.list(path);
    });
  }

  stat(path: string): Promise<{ readonly bytes: number } | undefined> {
    return this.call('stat', path, () => {
      const { names } = this.state;
      const file = names.get(path);
      if (file) return { bytes: file.bytes };
      return names.isDirectory(path) ? { bytes: 0 } : undefined;
    });
  }

  realPath(path: string): Promise<string | undefined> {
    return this.call('realPath', path, () => {
      const { names } = this.state;
      return names.get(path) || names.isDirectory(path) ? path : undefined;
    });
  }

  syncDirectory(path: string): Promise<void> {
    return this.call('syncDirectory', path, () => {
      this.#directory('syncDirectory', path);
      this.state.names.sync(path);
    });
  }

  space(path: string): Promise<Space> {
    return this.call('space', path, () => {
      const { totalBytes, inMemory } = this.state;
      return { freeBytes: this.#freeBytes(), totalBytes, inMemory };
    });
  }

  lock(path: string): Promise<Lock | 'held'> {
    return this.call('lock', path, () => {
      this.#directory('lock', dirname(path));
      const { names, locks } = this.state;
      if (locks.has(path)) return 'held';
      if (!names.get(path)) names.set(path, new SimFile());
      locks.add(path);
      return { release: async () => void (this.#dead || locks.delete(path)) };
    });
  }

  /** Bytes of `wanted` that there is room for when a file grows. */
  room(wanted: number): number {
    return Math.max(0, Math.min(wanted, this.#freeBytes()));
  }

  #freeBytes(): number {
    if (this.state.totalBytes === Number.POSITIVE_INFINITY) return this.state.totalBytes;
    let used = 0;
    for (const file of this.state.names.files()) used += file.bytes;
    return this.state.totalBytes - used;
  }

  #named(operation: Operation, path: string): SimFile {
    const file = this.state.names.get(path);
    if (!file) throw new FsError('ENOENT', operation, path);
    return file;
  }

  #directory(operation: Operation, path: string): void {
    if (!this.state.names.isDirectory(path)) throw new FsError('ENOENT', operation, path);
  }

  /** The call that the process dies in is done whole, in part, or not at all. */
  #dieWithin<T>(act: (mostBytes: number) => T, bytes: number): void {
    const share = this.state.random.fraction() * 2 - 0.5;
    try {
      if (share > 0) act(Math.floor(bytes * Math.min(1, share)));
    } catch {
      // Nobody is left to be told.
    }
    this.die();
  }
}

class SimHandle implements FileHandle {
  readonly #process: SimProcess;
  readonly #file: SimFile;
  readonly #path: string;
  readonly #mode: OpenMode;
  #open = true;

  constructor(process: SimProcess, file: SimFile, path: string, mode: OpenMode) {
    this.#process = process;
    this.#file = file;
    this.#path = path;
    this.#mode = mode;
  }

  /** Where a write syncs, it is the system that goes from one to the other: faults and deaths strike either or fall between. */
  async write(buffers: readonly Uint8Array[], at: number): Promise<number> {
    const written = await this.#write(buffers, at);
    if (this.#mode === 'create-synced') await this.sync();
    return written;
  }

  #write(buffers: readonly Uint8Array[], at: number): Promise<number> {
    const bytes = Buffer.concat(buffers);
    const act = (most: number): number => {
      this.#check('write', true);
      const growth = Math.max(0, at + most - this.#file.bytes);
      const fitting = most - growth + this.#process.room(growth);
      if (fitting <= 0 && most > 0) throw new FsError('ENOSPC', 'write', this.#path);
      this.#file.write(bytes.subarray(0, fitting), at);
      return fitting;
    };
    return this.#process.call('write', this.#path, act, bytes.length);
  }

  read(target: Uint8Array, at: number): Promise<number> {
    const act = (most: number): number => {
      this.#check('read', false);
      return this.#file.read(target.subarray(0, most), at);
    };
    return this.#process.call('read', this.#path, act, target.length);
  }

  readEach(places: readonly ReadPlace[]): Promise<readonly number[]> {
    return Promise.all(places.map(({ target, at }) => this.read(target, at)));
  }

  sync(): Promise<void> {
    const act = (): void => {
      this.#check('sync', false);
      this.#file.sync();
    };
    const { random } = this.#process.state;
    return this.#process.call('sync', this.#path, act, 0, () => this.#file.failSync(random));
  }

  truncate(bytes: number): Promise<void> {
    return this.#process.call('truncate', this.#path, () => {
      this.#check('truncate', true);
      this.#file.truncate(bytes);
    });
  }

  sizeBytes(): Promise<number> {
    return this.#process.call('size', this.#path, () => {
      this.#check('size', false);
      return this.#file.bytes;
    });
  }

  close(): Promise<void> {
    const letGo = (): void => {
      this.#check('close', false);
      this.#open = false;
      this.#process.openHandles--;
    };
    // A close that fails has let go of the file all the same.
    return this.#process.call('close', this.#path, letGo, 0, letGo);
  }

  #check(operation: Operation, writes: boolean): void {
    if (!this.#open || (writes && this.#mode === 'read')) {
      throw new FsError('EBADF', operation, this.#path);
    }
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
