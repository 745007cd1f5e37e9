/**
 * A simulated disk with honest crash semantics, behind the seam of `file-system.ts`.
 *
 * Per file there is a stable image and pending writes by sectors; per folder the pending changes of names. A crash keeps an
 * arbitrary part of both, independently of each other; a sync that failed is not made good by a later one. Faults strike
 * planned calls, and the process can be stopped at any call: from then on nothing of it gets an answer.
 *
 * ```ts
 * const disk = new SimDisk({ random: seededRandom(1) });
 * const dead = disk.stopAt(17);
 * await Promise.race([work(disk.files()), dead]);
 * disk.crash();
 * await look(disk.files()); // a new process: the files() of before stays dead
 * ```
 */
import type { Random } from '../random.ts';
import type { FileSystem } from './file-system.ts';
import { FaultPlan, OPERATIONS } from './sim-faults.ts';
import type { Fault, Operation } from './sim-faults.ts';
import { SimNames } from './sim-names.ts';
import { SimProcess } from './sim-process.ts';
import type { SimState } from './sim-process.ts';

export { OPERATIONS } from './sim-faults.ts';
export type { Effect, Fault, Operation } from './sim-faults.ts';

export interface SimDiskOptions {
  /** Decides what survives. */
  readonly random: Random;
  /** Bytes that all files together may have; without a bound when absent. */
  readonly totalBytes?: number;
  /** Files open at once (`EMFILE` beyond); without a bound when absent. */
  readonly handles?: number;
  readonly inMemory?: boolean;
}

export class SimDisk {
  readonly #state: SimState;
  #process: SimProcess;

  constructor(options: SimDiskOptions) {
    const counts = OPERATIONS.map((operation): [Operation, number] => [operation, 0]);
    this.#state = {
      random: options.random,
      names: new SimNames(),
      faults: new FaultPlan(),
      counts: Object.fromEntries(counts) as Record<Operation, number>,
      locks: new Set(),
      handleLimit: options.handles ?? Number.POSITIVE_INFINITY,
      totalBytes: options.totalBytes ?? Number.POSITIVE_INFINITY,
      inMemory: options.inMemory ?? false,
    };
    this.#process = new SimProcess(this.#state);
  }

  /** The file system as the living process has it. */
  files(): FileSystem {
    return this.#process;
  }

  /** Calls so far, by kind, over all processes. */
  get counts(): Readonly<Record<Operation, number>> {
    return this.#state.counts;
  }

  /** Faults that have struck so far. */
  get struck(): number {
    return this.#state.faults.struck;
  }

  /** Plans a fault, counted from now. */
  plan(fault: Fault): void {
    this.#state.faults.add(fault);
  }

  /** Forgets all planned faults. */
  heal(): void {
    this.#state.faults.clear();
  }

  /** Stops the process at its n-th call from now, which is done whole, in part or not at all. Resolves when it has. */
  stopAt(calls: number): Promise<void> {
    return this.#process.dieAt(calls);
  }

  /** The process dies, the machine goes on: what was written is still seen, synced or not. */
  kill(): void {
    this.#process.die();
    this.#state.locks.clear();
    this.#process = new SimProcess(this.#state);
  }

  /** The power goes, and comes again. */
  crash(random: Random = this.#state.random): void {
    this.kill();
    const { names } = this.#state;
    const files = new Set(names.files());
    names.crash(random);
    for (const file of names.files()) files.add(file);
    for (const file of files) file.crash(random);
  }

  /** Changes the size of the disk. */
  resize(totalBytes: number): void {
    this.#state.totalBytes = totalBytes;
  }

  /** Bytes that all files together have. */
  usedBytes(): number {
    let used = 0;
    for (const file of this.#state.names.files()) used += file.bytes;
    return used;
  }

  /** Files that the living process has open. */
  openHandles(): number {
    return this.#process.openHandles;
  }

  /** A file's bytes as they are seen; undefined when there is no such name. */
  content(path: string): Buffer | undefined {
    return this.#state.names.get(path)?.content();
  }

  /** Changes bits of one byte of a file, in the cache and on stable storage, as decay does. */
  flip(path: string, at: number, mask: number): void {
    this.#state.names.get(path)?.flip(at, mask);
  }
}
