/**
 * One-time tokens with which an operator can insist. Each is for one candidate on one version: whoever insists has seen the
 * blast radius of just this change on just this configuration. They live in memory: after a restart one asks again.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { TurnSlices } from '../../lib/turn-slices.ts';
import type { Random } from '../../lib/random.ts';
import type { Edit } from '../store/store.ts';

export interface InsistBounds {
  readonly tokens: number;
  readonly tokenMs: number;
}

interface Issued {
  readonly base: number;
  readonly candidate: string;
  readonly expiresMs: number;
}

/** What became of a token that was given. */
export type Redeemed =
  | { readonly kind: 'redeemed' }
  /** Never issued, used already, expired, or issued before a restart. */
  | { readonly kind: 'unknown' }
  /** Something has been changed since. */
  | { readonly kind: 'older'; readonly base: number }
  /** It was for another change. */
  | { readonly kind: 'other' };

const TOKEN_BYTES = 12;

export class Insistence {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #bounds: InsistBounds;
  /** Oldest first. */
  readonly #issued = new Map<string, Issued>();

  constructor(clock: Clock, random: Random, bounds: InsistBounds) {
    this.#clock = clock;
    this.#random = random;
    this.#bounds = bounds;
  }

  issue(base: number, candidate: string): string {
    const nowMs = this.#clock.monotonicMs();
    for (const [token, { expiresMs }] of this.#issued) {
      if (expiresMs > nowMs && this.#issued.size < this.#bounds.tokens) break;
      this.#issued.delete(token);
    }
    const token = this.#random.bytes(TOKEN_BYTES).toString('hex');
    this.#issued.set(token, { base, candidate, expiresMs: nowMs + this.#bounds.tokenMs });
    return token;
  }

  redeem(token: string, base: number, candidate: string): Redeemed {
    const issued = this.#issued.get(token);
    this.#issued.delete(token);
    if (!issued || issued.expiresMs <= this.#clock.monotonicMs()) return { kind: 'unknown' };
    if (issued.base !== base) return { kind: 'older', base: issued.base };
    return issued.candidate === candidate ? { kind: 'redeemed' } : { kind: 'other' };
  }
}

/** Set anew whenever a change is worked out, and no part of what it means. */
const INCIDENTAL = new Set(['created', 'createdMs', 'deletedMs', 'version', 'hash']);

/**
 * Checksum of what a change would make of the configuration, the same each time that it is worked out from one version. In
 * turns: a document has ten thousands of edits.
 */
export async function candidateOf(
  edits: readonly Edit[],
  clock: Pick<Clock, 'monotonicMs'>,
): Promise<string> {
  const hash = createHash('sha256');
  const slices = new TurnSlices(clock);
  for (const { kind, id, before, after } of edits) {
    if (slices.isDue()) await slices.next();
    // What is kept of a deleted job, what becomes of its replays, and what is left of a document follow from the other edits.
    if (kind === 'deleted_job' || kind === 'replay' || kind === 'stage') continue;
    hash.update(
      JSON.stringify([kind, id, before, after], (key, value: unknown) =>
        INCIDENTAL.has(key) ? undefined : value,
      ),
    );
  }
  return hash.digest('hex').slice(0, 32);
}
