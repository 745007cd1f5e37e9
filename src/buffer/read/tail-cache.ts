import type { BlockRecord } from '../format/block.codec.ts';

/** Places of blocks that went are dropped from the queue when they are so many, and half of it. */
const GONE = 1_024;

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
    this.#bytes += block.stored.length;
    while (this.#bytes > this.#mostBytes) this.#dropOldest();
    if (this.#gone < GONE || this.#gone * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#gone);
    this.#gone = 0;
  }

  #dropOldest(): void {
    const oldest = this.#queue[this.#gone++]!;
    this.#bytes -= this.#blocks.get(oldest)?.stored.length ?? 0;
    this.#blocks.delete(oldest);
  }

  get(position: number): BlockRecord | undefined {
    return this.#blocks.get(position);
  }
}
