import type { BlockRecord } from '../format/block.codec.ts';

/** The newest blocks as stored, so that a job which keeps up never reads the disk. The oldest goes when it is full. */
export class TailCache {
  readonly #mostBytes: number;
  readonly #blocks = new Map<number, BlockRecord>();
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  put(position: number, block: BlockRecord): void {
    this.#blocks.set(position, block);
    this.#bytes += block.stored.length;
    for (const [oldest, { stored }] of this.#blocks) {
      if (this.#bytes <= this.#mostBytes) return;
      this.#blocks.delete(oldest);
      this.#bytes -= stored.length;
    }
  }

  get(position: number): BlockRecord | undefined {
    return this.#blocks.get(position);
  }
}
