/**
 * The memory that bodies may hold, in all and for one payer (an account; for `?by=` requests the token, since their lines
 * belong to many accounts).
 *
 * Charged as bytes arrive and as they are decompressed, given back when the request is over. A payer over its own share is
 * told `over_fair_share`; only when there is no room for anybody is the answer `overloaded` (I5, I6).
 */
import { assert } from '../lib/assert.ts';

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

export function memoryBudget(totalBytes: number, payerBytes: number): MemoryBudget {
  const heldBy = new Map<string, number>();
  let held = 0;
  let peak = 0;

  const room = (payer: string, bytes: number): MemoryVerdict => {
    const own = heldBy.get(payer) ?? 0;
    if (own + bytes > payerBytes) return 'over_fair_share';
    const tight = held + bytes > totalBytes * TIGHT_SHARE;
    const equalPart = totalBytes / (heldBy.size + (own === 0 ? 1 : 0));
    const fair = Math.max(equalPart, totalBytes * SMALL_SHARE);
    if (tight && equalPart < totalBytes && own + bytes > fair) return 'over_fair_share';
    return held + bytes > totalBytes ? 'overloaded' : 'ok';
  };
  const charge = (payer: string, bytes: number): void => {
    held += bytes;
    peak = Math.max(peak, held);
    const own = (heldBy.get(payer) ?? 0) + bytes;
    assert(own >= 0 && held >= 0, 'no more memory is given back than was charged');
    if (own === 0) heldBy.delete(payer);
    else heldBy.set(payer, own);
  };
  const lease = (payer: string): Lease => {
    let bytes = 0;
    const change = (by: number): void => {
      bytes += by;
      assert(bytes >= 0, 'a lease gives back at most what it holds');
      charge(payer, by);
    };
    return {
      get bytes() {
        return bytes;
      },
      grow(more) {
        const verdict = room(payer, more);
        if (verdict === 'ok') change(more);
        return verdict;
      },
      force: change,
      shrink: (less) => change(-less),
      release: () => change(-bytes),
    };
  };
  return {
    get heldBytes() {
      return held;
    },
    get peakBytes() {
      return peak;
    },
    lease,
    room,
  };
}
