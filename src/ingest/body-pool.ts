/**
 * Memory for bodies that is used again.
 *
 * Each large body is joined into one stretch of memory. Made anew, a gigabyte of bodies is a gigabyte of external memory that
 * V8 has to find dead, by marking the whole heap each time some tens of megabytes have gathered: that was a quarter of the
 * CPU of a shard under load.
 */
import { assert } from '../lib/assert.ts';

/** Smaller bodies are cheap to make anew, larger ones too dear to keep. */
const SMALLEST_BYTES = 32 * 1024;
const LARGEST_BYTES = 4 * 1024 * 1024;
/** Sizes are rounded up to a step, so that bodies of nearly the same size can follow one another: large ones to a larger one. */
const STEP_BYTES = 256 * 1024;
const SMALL_STEP_BYTES = 32 * 1024;

export class BodyPool {
  readonly #mostIdleBytes: number;
  /** The last one given back is the first one lent: it is likely still in the processor's cache. */
  readonly #idle: ArrayBufferLike[] = [];
  /** Weak, because a body that is never given back is simply garbage. */
  readonly #lent = new WeakSet<ArrayBufferLike>();
  #idleBytes = 0;

  constructor(mostIdleBytes: number) {
    this.#mostIdleBytes = mostIdleBytes;
  }

  get idleBytes(): number {
    return this.#idleBytes;
  }

  /** Memory of just this many bytes, with anything in it. */
  take(bytes: number): Buffer {
    if (bytes < SMALLEST_BYTES || bytes > LARGEST_BYTES) return Buffer.allocUnsafeSlow(bytes);
    const memory = this.#takeIdle(bytes) ?? freshMemory(bytes);
    this.#lent.add(memory);
    return Buffer.from(memory, 0, bytes);
  }

  /** The last that fits and is not much too large. */
  #takeIdle(bytes: number): ArrayBufferLike | undefined {
    const fits = ({ byteLength }: ArrayBufferLike): boolean =>
      byteLength >= bytes && byteLength <= bytes * 2 + stepFor(bytes);
    const index = this.#idle.findLastIndex(fits);
    if (index < 0) return undefined;
    const [memory] = this.#idle.splice(index, 1);
    assert(memory !== undefined, 'what was found is there');
    this.#idleBytes -= memory.byteLength;
    return memory;
  }

  /**
   * Takes a body back that nobody looks at any more. Harmless with one that is not from here, or given twice.
   *
   * @returns whether it was from here
   */
  give(body: Buffer): boolean {
    const memory = body.buffer;
    if (!this.#lent.delete(memory)) return false;
    // What was moved to another thread is empty here; it comes back by itself.
    if (memory.byteLength > 0) this.#keep(memory);
    return true;
  }

  /** Takes memory back that was moved to another thread with its body. Harmless with memory that no pool has made. */
  regain(memory: ArrayBuffer): void {
    const bytes = memory.byteLength;
    if (bytes > 0 && bytes % stepFor(bytes) === 0) this.#keep(memory);
  }

  #keep(memory: ArrayBufferLike): void {
    this.#idle.push(memory);
    this.#idleBytes += memory.byteLength;
    // The oldest goes: sizes change with the producers.
    while (this.#idleBytes > this.#mostIdleBytes) {
      this.#idleBytes -= this.#idle.shift()?.byteLength ?? 0;
    }
  }
}

function freshMemory(bytes: number): ArrayBufferLike {
  const step = stepFor(bytes);
  return Buffer.allocUnsafeSlow(Math.ceil(bytes / step) * step).buffer;
}

function stepFor(bytes: number): number {
  return bytes < STEP_BYTES ? SMALL_STEP_BYTES : STEP_BYTES;
}
