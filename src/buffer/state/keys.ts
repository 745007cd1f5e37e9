/**
 * Which requests with an `Idempotency-Key` were stored, and as what. A ring in typed arrays, because 250,000 objects would
 * cost more than the lines: the oldest slot is given up when the ring is full or its time in service is over.
 */

export interface StoredRequest {
  readonly stream: number;
  readonly first: number;
  readonly lines: number;
  readonly bytes: number;
  readonly crc: number;
}

export const SLOT_BYTES = 48;
const FIRST_SLOTS = 1_024;
const HASH_BYTES = 16;

export class KeyMemory {
  readonly #limit: number;
  readonly #ageMs: number;
  /** Hash as latin1 to its slot. */
  readonly #slots = new Map<string, number>();
  #ring = Buffer.alloc(0);
  #oldest = 0;
  #count = 0;

  constructor(limit: number, ageMs: number) {
    this.#limit = Math.max(1, limit);
    this.#ageMs = ageMs;
  }

  get size(): number {
    return this.#slots.size;
  }

  find(hash: Buffer, serviceMs: number): StoredRequest | undefined {
    const slot = this.#slots.get(hash.toString('latin1', 0, HASH_BYTES));
    if (slot === undefined) return undefined;
    const at = slot * SLOT_BYTES;
    if (serviceMs - this.#ring.readDoubleLE(at + 16) > this.#ageMs) return undefined;
    return {
      first: this.#ring.readDoubleLE(at + 24),
      stream: this.#ring.readUInt32LE(at + 32),
      lines: this.#ring.readUInt32LE(at + 36),
      bytes: this.#ring.readUInt32LE(at + 40),
      crc: this.#ring.readUInt32LE(at + 44),
    };
  }

  /** Remembers a request. One that is known with the same lines is left as it is. */
  remember(hash: Buffer, serviceMs: number, request: StoredRequest): void {
    const name = hash.toString('latin1', 0, HASH_BYTES);
    const known = this.find(hash, serviceMs);
    if (known !== undefined && known.first === request.first) return;
    this.forgetAged(serviceMs);
    if (this.#count === this.#capacity) this.#makeRoom();
    const slot = (this.#oldest + this.#count) % this.#capacity;
    const at = slot * SLOT_BYTES;
    hash.copy(this.#ring, at, 0, HASH_BYTES);
    this.#ring.writeDoubleLE(serviceMs, at + 16);
    this.#ring.writeDoubleLE(request.first, at + 24);
    this.#ring.writeUInt32LE(request.stream, at + 32);
    this.#ring.writeUInt32LE(request.lines, at + 36);
    this.#ring.writeUInt32LE(request.bytes, at + 40);
    this.#ring.writeUInt32LE(request.crc, at + 44);
    this.#count += 1;
    this.#slots.set(name, slot);
  }

  /** Gives up slots whose time in service is over. */
  forgetAged(serviceMs: number): void {
    while (this.#count > 0) {
      const age = serviceMs - this.#ring.readDoubleLE(this.#oldest * SLOT_BYTES + 16);
      if (age <= this.#ageMs) return;
      this.#forgetOldest();
    }
  }

  /** For the checkpoint: a copy of all slots, from the oldest on. */
  slots(): Buffer {
    const end = this.#oldest + this.#count;
    const wrapped = Math.max(0, end - this.#capacity);
    return Buffer.concat([
      this.#ring.subarray(this.#oldest * SLOT_BYTES, (end - wrapped) * SLOT_BYTES),
      this.#ring.subarray(0, wrapped * SLOT_BYTES),
    ]);
  }

  /** Takes slots as {@link slots} gave them. */
  restore(slots: Buffer): void {
    for (let at = 0; at + SLOT_BYTES <= slots.length; at += SLOT_BYTES) {
      this.remember(slots.subarray(at, at + HASH_BYTES), slots.readDoubleLE(at + 16), {
        first: slots.readDoubleLE(at + 24),
        stream: slots.readUInt32LE(at + 32),
        lines: slots.readUInt32LE(at + 36),
        bytes: slots.readUInt32LE(at + 40),
        crc: slots.readUInt32LE(at + 44),
      });
    }
  }

  get #capacity(): number {
    return this.#ring.length / SLOT_BYTES;
  }

  #forgetOldest(): void {
    const at = this.#oldest * SLOT_BYTES;
    const name = this.#ring.toString('latin1', at, at + HASH_BYTES);
    // The same key may have come again after its time: then a younger slot holds the name.
    if (this.#slots.get(name) === this.#oldest) this.#slots.delete(name);
    this.#oldest = (this.#oldest + 1) % this.#capacity;
    this.#count -= 1;
  }

  /** Doubles the ring up to its limit; at the limit the oldest goes. */
  #makeRoom(): void {
    if (this.#capacity === this.#limit) return this.#forgetOldest();
    const capacity = Math.min(this.#limit, Math.max(FIRST_SLOTS, this.#capacity * 2));
    const grown = Buffer.alloc(capacity * SLOT_BYTES);
    this.slots().copy(grown);
    this.#ring = grown;
    this.#oldest = 0;
    this.#slots.clear();
    for (let slot = 0; slot < this.#count; slot += 1) {
      const at = slot * SLOT_BYTES;
      this.#slots.set(grown.toString('latin1', at, at + HASH_BYTES), slot);
    }
  }
}
