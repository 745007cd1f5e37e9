/**
 * Memory for small pieces that are kept for a while and let go in about the order in which they came.
 *
 * Node's own pool lays what is kept beside what is garbage in a moment: a piece of a kilobyte then keeps eight. Memory of its own for each
 * is a call of malloc and an object that the garbage collector has to look after.
 */
const SLAB_BYTES = 256 * 1024;
/** Larger pieces have memory of their own: what is left of a slab stays unused. */
const LARGEST_BYTES = SLAB_BYTES / 8;

export class Slabs {
  #slab = Buffer.alloc(0);
  #used = 0;

  /** A copy of the bytes, beside nothing but other copies. */
  copy(bytes: Uint8Array): Buffer {
    const piece =
      bytes.length > LARGEST_BYTES
        ? Buffer.allocUnsafeSlow(bytes.length)
        : this.#take(bytes.length);
    piece.set(bytes);
    return piece;
  }

  #take(bytes: number): Buffer {
    if (this.#used + bytes > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += bytes;
    return this.#slab.subarray(from, this.#used);
  }
}
