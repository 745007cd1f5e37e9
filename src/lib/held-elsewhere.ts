/**
 * What the threads of several shards hold of one budget for bodies: in all, and for each payer.
 *
 * Each thread writes a row of its own in shared memory and reads those of the others, so nobody waits for anybody, and what a
 * thread held that has died is forgotten when its next one begins. Two threads that look at the same moment may both find
 * room for one more piece of a body; by more than that the bound is never passed.
 */
import { crc32 } from 'node:zlib';

/** Places for payers in a row. Two that share one (seldom: payers that hold much are few) look like one to the other threads. */
const SLOTS = 8_192;
const ROW = 1 + SLOTS;

/** Memory for the rows of so many threads, to be handed to each. */
export function heldMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * ROW * Int32Array.BYTES_PER_ELEMENT);
}

export class HeldElsewhere {
  readonly #rows: Int32Array;
  readonly #own: number;

  /** Begins anew in the row of this thread, whatever is left in it. */
  constructor(memory: SharedArrayBuffer, thread: number) {
    this.#rows = new Int32Array(memory);
    this.#own = thread * ROW;
    this.#rows.fill(0, this.#own, this.#own + ROW);
  }

  /** This thread holds so much more, or less, for a payer. */
  note(payer: string, bytes: number): void {
    Atomics.add(this.#rows, this.#own, bytes);
    Atomics.add(this.#rows, this.#own + slotOf(payer), bytes);
  }

  /** What the other threads hold in all. */
  get bytes(): number {
    return this.#others(0);
  }

  /** What the other threads hold for a payer. */
  of(payer: string): number {
    return this.#others(slotOf(payer));
  }

  #others(place: number): number {
    let sum = 0;
    for (let row = 0; row < this.#rows.length; row += ROW) {
      if (row !== this.#own) sum += Atomics.load(this.#rows, row + place);
    }
    return sum;
  }
}

function slotOf(payer: string): number {
  return 1 + (crc32(payer) % SLOTS);
}
