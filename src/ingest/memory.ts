/**
 * The memory that bodies may hold, in all and for one payer (an account; for `?by=` requests the token, since their lines
 * belong to many accounts).
 *
 * Charged as bytes arrive and as they are decompressed, given back when the request is over. A payer over its own share is
 * told `over_fair_share`; only when there is no room for anybody is the answer `overloaded` (I5, I6).
 */
import { assert } from '../lib/assert.ts';
import type { HeldElsewhere } from '../lib/held-elsewhere.ts';

type MemoryVerdict = 'ok' | 'over_fair_share' | 'overloaded';

/** What one request holds. */
export interface Lease {
  readonly bytes: number;
  /** Charges more. Anything but `ok` has charged nothing. */
  grow(bytes: number): MemoryVerdict;
  /** Charges without asking: for what exists already and cannot be refused any more. */
  force(bytes: number): void;
  /** Gives some of it back. */
  shrink(bytes: number): void;
  /** Gives all of it back. Harmless when done twice. */
  release(): void;
}

export interface MemoryBudget {
  readonly heldBytes: number;
  readonly peakBytes: number;
  lease(payer: string): Lease;
  /** Whether a payer could hold so much more just now; charges nothing. */
  room(payer: string, bytes: number): MemoryVerdict;
}

/** Share of the total from which on payers that hold more than an equal part are refused. */
const TIGHT_SHARE = 0.75;
/** Share of the total that a payer may hold however many there are, so that a small sender does not pay for a flood. */
const SMALL_SHARE = 1 / 16;

/** @param elsewhere what other threads hold of the same memory; absent: there are none */
export function memoryBudget(
  totalBytes: number,
  payerBytes: number,
  elsewhere?: HeldElsewhere,
): MemoryBudget {
  return new Budget(totalBytes, payerBytes, elsewhere);
}

class Budget implements MemoryBudget {
  readonly #totalBytes: number;
  readonly #payerBytes: number;
  readonly #elsewhere: HeldElsewhere | undefined;
  readonly #heldBy = new Map<string, number>();
  heldBytes = 0;
  peakBytes = 0;

  constructor(totalBytes: number, payerBytes: number, elsewhere: HeldElsewhere | undefined) {
    this.#totalBytes = totalBytes;
    this.#payerBytes = payerBytes;
    this.#elsewhere = elsewhere;
  }

  lease(payer: string): Lease {
    return new Held(this, payer);
  }

  room(payer: string, bytes: number): MemoryVerdict {
    const here = this.#heldBy.get(payer) ?? 0;
    const own = here + (this.#elsewhere?.of(payer) ?? 0);
    if (own + bytes > this.#payerBytes) return 'over_fair_share';
    const held = this.heldBytes + (this.#elsewhere?.bytes ?? 0);
    const tight = held + bytes > this.#totalBytes * TIGHT_SHARE;
    const equalPart = this.#totalBytes / (this.#heldBy.size + (here === 0 ? 1 : 0));
    const fair = Math.max(equalPart, this.#totalBytes * SMALL_SHARE);
    if (tight && equalPart < this.#totalBytes && own + bytes > fair) return 'over_fair_share';
    return held + bytes > this.#totalBytes ? 'overloaded' : 'ok';
  }

  charge(payer: string, bytes: number): void {
    this.#elsewhere?.note(payer, bytes);
    this.heldBytes += bytes;
    this.peakBytes = Math.max(this.peakBytes, this.heldBytes);
    const own = (this.#heldBy.get(payer) ?? 0) + bytes;
    assert(own >= 0 && this.heldBytes >= 0, 'no more memory is given back than was charged');
    if (own === 0) this.#heldBy.delete(payer);
    else this.#heldBy.set(payer, own);
  }
}

/** A class and no closures: there is one for each request. */
class Held implements Lease {
  readonly #budget: Budget;
  readonly #payer: string;
  bytes = 0;

  constructor(budget: Budget, payer: string) {
    this.#budget = budget;
    this.#payer = payer;
  }

  grow(bytes: number): MemoryVerdict {
    const verdict = this.#budget.room(this.#payer, bytes);
    if (verdict === 'ok') this.#change(bytes);
    return verdict;
  }

  force(bytes: number): void {
    this.#change(bytes);
  }

  shrink(bytes: number): void {
    this.#change(-bytes);
  }

  release(): void {
    if (this.bytes > 0) this.#change(-this.bytes);
  }

  #change(by: number): void {
    this.bytes += by;
    assert(this.bytes >= 0, 'a lease gives back at most what it holds');
    this.#budget.charge(this.#payer, by);
  }
}
