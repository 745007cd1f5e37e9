import { assert } from '../lib/assert.ts';
import { giveBack } from '../lib/give-back.ts';

const NEWLINE = 0x0a;
/** Pieces smaller than this are copied together: each Buffer costs some 100 bytes besides its own. */
const SMALL_BYTES = 1024;
const SLAB_BYTES = 4 * SMALL_BYTES;

/** Bytes as they arrive, kept until they are joined. A sender of single bytes costs little more than one of large pieces. */
export class Pieces {
  bytes = 0;
  #pieces: Buffer[] = [];
  #slab: Buffer | undefined;
  #slabUsed = 0;

  /** Takes a piece. It is this object's from now on: once it is joined its memory is given back. */
  push(piece: Buffer): void {
    this.bytes += piece.length;
    if (this.#pieces.length > 0 && piece.length < SMALL_BYTES) this.#copy(piece);
    else {
      this.#closeSlab();
      this.#pieces.push(piece);
    }
  }

  #copy(piece: Buffer): void {
    let rest = piece;
    while (rest.length > 0) {
      this.#slab ??= Buffer.allocUnsafeSlow(SLAB_BYTES);
      const copied = rest.copy(this.#slab, this.#slabUsed);
      this.#slabUsed += copied;
      rest = rest.subarray(copied);
      if (this.#slabUsed === SLAB_BYTES) this.#closeSlab();
    }
  }

  #closeSlab(): void {
    if (this.#slab === undefined) return;
    this.#pieces.push(this.#slab.subarray(0, this.#slabUsed));
    this.#slab = undefined;
    this.#slabUsed = 0;
  }

  /** The pieces, in order. This object is empty afterwards. */
  take(): Buffer[] {
    this.#closeSlab();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.bytes = 0;
    return pieces;
  }

  /**
   * All bytes in one Buffer, ended by a newline when they are not. This object is empty afterwards.
   *
   * @param make memory of so many bytes, with anything in it
   */
  joinLines(make = (bytes: number): Buffer => Buffer.allocUnsafeSlow(bytes)): Buffer {
    const total = this.bytes;
    const pieces = this.take();
    const last = pieces.at(-1);
    if (last === undefined || last.length === 0) return Buffer.alloc(0);
    const ended = last[last.length - 1] === NEWLINE;
    if (ended && pieces.length === 1) return last;
    const joined = make(ended ? total : total + 1);
    let at = 0;
    for (const piece of pieces) {
      at += piece.copy(joined, at);
      giveBack(piece);
    }
    assert(at === total, 'the pieces hold as many bytes as were counted');
    if (!ended) joined[at] = NEWLINE;
    return joined;
  }
}
