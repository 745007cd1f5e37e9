import type { BlockRecord } from '../format/block.codec.ts';

/** Places of blocks that went are dropped from the queue when they are so many, and half of it. */
const GONE = 1_024;

/** A block's objects on the heap: without them a cache of small blocks holds a third more than it counts. */
export const OBJECTS_BYTES = 400;

/** The newest blocks as stored, so that a job which keeps up never reads the disk. The oldest goes when it is full. */
export class TailCache {
  readonly #mostBytes: number;
  readonly #blocks = new Map<number, BlockRecord>();
  /** Positions in the order of their coming: a Map walks over all that was taken from its front each time it is asked for that. */
  #queue: number[] = [];
  #gone = 0;
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  put(position: number, block: BlockRecord): void {
    this.#blocks.set(position, block);
    this.#queue.push(position);
    this.#bytes += block.stored.length + OBJECTS_BYTES;
    while (this.#bytes > this.#mostBytes) this.#dropOldest();
    if (this.#gone < GONE || this.#gone * 2 < this.#queue.length) return;
    this.#forgetGone();
  }

  /** Drops what came before: it has been read by whoever keeps up. */
  dropBefore(serviceMs: number): void {
    while (this.#gone < this.#queue.length) {
      const oldest = this.#blocks.get(this.#queue[this.#gone]!);
      if (oldest && oldest.serviceMs >= serviceMs) break;
      this.#dropOldest();
    }
    if (this.#blocks.size === 0) this.#forgetGone();
  }

  #forgetGone(): void {
    this.#queue = this.#queue.slice(this.#gone);
    this.#gone = 0;
  }

  #dropOldest(): void {
    const oldest = this.#queue[this.#gone++]!;
    const block = this.#blocks.get(oldest);
    if (block) this.#bytes -= block.stored.length + OBJECTS_BYTES;
    this.#blocks.delete(oldest);
  }

  /** What it holds, with the objects. */
  get bytes(): number {
    return this.#bytes;
  }

  get(position: number): BlockRecord | undefined {
    return this.#blocks.get(position);
  }
}
