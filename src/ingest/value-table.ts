/**
 * From bytes of a body to small numbers: an open-addressing hash table whose keys are runs of the body itself, so that
 * looking up a value neither copies nor decodes it.
 */
export class ValueTable {
  readonly #body: Buffer;
  readonly #most: number;
  readonly #seed: number;
  /** Slots hold 1 + the place of an entry; 0 is free. A power of two of them, at most half full. */
  #slots = new Int32Array(64);
  #mask = 63;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #numbers: number[] = [];

  /**
   * @param most entries that are remembered; later ones are not
   * @param seed makes it hard to send values that all fall on one slot
   */
  constructor(body: Buffer, most: number, seed: number) {
    this.#body = body;
    this.#most = most;
    this.#seed = seed;
  }

  get(start: number, end: number): number | undefined {
    const entry = this.#slots[this.#slotOf(start, end)]!;
    return entry === 0 ? undefined : this.#numbers[entry - 1];
  }

  set(start: number, end: number, number: number): void {
    if (this.#numbers.length >= this.#most) return;
    if (this.#numbers.length * 2 >= this.#slots.length) this.#grow();
    this.#starts.push(start);
    this.#ends.push(end);
    this.#slots[this.#slotOf(start, end)] = this.#numbers.push(number);
  }

  /** The slot that holds the run's entry, or the free one where it belongs. */
  #slotOf(start: number, end: number): number {
    let slot = this.#hash(start, end) & this.#mask;
    for (;;) {
      const entry = this.#slots[slot]!;
      if (entry === 0 || this.#same(entry - 1, start, end)) return slot;
      slot = (slot + 1) & this.#mask;
    }
  }

  #same(entry: number, start: number, end: number): boolean {
    const other = this.#starts[entry]!;
    const length = end - start;
    if (this.#ends[entry]! - other !== length) return false;
    for (let index = 0; index < length; index++) {
      if (this.#body[other + index] !== this.#body[start + index]) return false;
    }
    return true;
  }

  /** FNV-1a (32 bit), mixed once more because the low bits choose the slot. */
  #hash(start: number, end: number): number {
    let hash = 0x811c9dc5 ^ this.#seed;
    for (let index = start; index < end; index++) {
      hash = Math.imul(hash ^ this.#body[index]!, 0x01000193);
    }
    return (hash ^ (hash >>> 15)) >>> 0;
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    this.#mask = this.#slots.length - 1;
    for (let entry = 0; entry < this.#numbers.length; entry++) {
      this.#slots[this.#slotOf(this.#starts[entry]!, this.#ends[entry]!)] = entry + 1;
    }
  }
}
