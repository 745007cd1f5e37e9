/** One file of the simulated disk: what the page cache holds, what is on stable storage, and what lies between. */
import type { Random } from '../random.ts';

/** Disks write sectors of this size whole, or tear one when the power goes. */
const SECTOR_BYTES = 512;

export class SimFile {
  /** As every process sees it. */
  #cache: Buffer = Buffer.alloc(0);
  #cacheBytes = 0;
  /** As it is on stable storage. */
  #stable: Buffer = Buffer.alloc(0);
  /** Sectors whose cache differs from stable storage, as far as the system knows. */
  readonly #dirty = new Set<number>();

  get bytes(): number {
    return this.#cacheBytes;
  }

  content(): Buffer {
    return Buffer.from(this.#cache.subarray(0, this.#cacheBytes));
  }

  read(target: Uint8Array, at: number): number {
    const end = Math.min(this.#cacheBytes, at + target.length);
    if (end <= at) return 0;
    target.set(this.#cache.subarray(at, end));
    return end - at;
  }

  write(bytes: Uint8Array, at: number): void {
    if (bytes.length === 0) return;
    const end = at + bytes.length;
    if (end > this.#cache.length) {
      const grown = Buffer.alloc(Math.max(end, this.#cache.length * 2));
      this.#cache.copy(grown, 0, 0, this.#cacheBytes);
      this.#cache = grown;
    }
    this.#cache.set(bytes, at);
    this.#touch(Math.min(at, this.#cacheBytes), end);
    this.#cacheBytes = Math.max(this.#cacheBytes, end);
  }

  truncate(bytes: number): void {
    if (bytes > this.#cacheBytes) {
      this.write(Buffer.alloc(bytes - this.#cacheBytes), this.#cacheBytes);
      return;
    }
    this.#cache.fill(0, bytes, this.#cacheBytes);
    this.#touch(bytes, this.#cacheBytes);
    this.#cacheBytes = bytes;
  }

  /** Brings everything that is known to be dirty to stable storage. */
  sync(): void {
    this.#stable = this.#surviving(this.#cacheBytes, () => SECTOR_BYTES);
    this.#dirty.clear();
  }

  /**
   * A sync that failed: some sectors may have made it, all of them count as clean. A later sync passes and brings none of
   * the lost ones out, although reading still shows them (as Linux does after EIO).
   */
  failSync(random: Random): void {
    this.#stable = this.#crashed(random);
    this.#dirty.clear();
  }

  /** The power goes: what was not synced survives in parts. */
  crash(random: Random): void {
    this.#stable = this.#crashed(random);
    this.#cache = Buffer.from(this.#stable);
    this.#cacheBytes = this.#stable.length;
    this.#dirty.clear();
  }

  /** Changes a byte on stable storage and in the cache, as decay does. */
  flip(at: number, mask: number): void {
    if (at < this.#cacheBytes) this.#cache[at]! ^= mask;
    if (at < this.#stable.length) this.#stable[at]! ^= mask;
  }

  #touch(from: number, to: number): void {
    const first = Math.floor(from / SECTOR_BYTES);
    for (let sector = first; sector * SECTOR_BYTES < to; sector++) this.#dirty.add(sector);
  }

  /** Stable storage after an arbitrary part of what is pending has reached it. */
  #crashed(random: Random): Buffer {
    const before = this.#stable.length;
    const after = this.#cacheBytes;
    const sizes = [before, after, before + Math.floor(random.fraction() * (after - before))];
    const bytes = sizes[Math.floor(random.fraction() * sizes.length)] ?? before;
    // Some crashes keep nearly all, some nearly nothing.
    const share = random.fraction() * 1.4 - 0.2;
    return this.#surviving(bytes, () => {
      if (random.fraction() >= share) return 0;
      const torn = random.fraction() < 0.1;
      return torn ? Math.floor(random.fraction() * SECTOR_BYTES) : SECTOR_BYTES;
    });
  }

  /** @param keep how many bytes of a dirty sector reach stable storage */
  #surviving(bytes: number, keep: () => number): Buffer {
    const result = Buffer.alloc(bytes);
    this.#stable.copy(result);
    for (const sector of this.#dirty) {
      const from = sector * SECTOR_BYTES;
      const to = Math.min(from + keep(), bytes);
      if (to <= from) continue;
      const cached = Math.min(to, this.#cacheBytes);
      if (cached > from) this.#cache.copy(result, from, from, cached);
      result.fill(0, Math.max(from, cached), to);
    }
    return result;
  }
}
