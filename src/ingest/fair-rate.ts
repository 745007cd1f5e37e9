/**
 * A fair share of the rate: while a shard's thread is busy beyond a share of its time, accounts that send more than their
 * part are refused for a moment, and nobody else (I5, I6). There is no fixed rate: it would bite the busy customer on a quiet
 * machine, or nobody.
 *
 * What may be taken a second follows from what is taken now and how busy that keeps the thread. It is shared out max-min by
 * weight: whoever asks for less than its part gets all of it, and what it leaves is for the others. So a quiet account is never
 * refused because of a loud one. One that is over its part runs into debt by what it was let in with, and is refused until
 * its part has paid for that. A few requests at once are no rate: whoever sends one now and then looks loud in the moment of it, and
 * may have a burst beyond its part first.
 *
 * Where all send much the same, all are over their part together, and refusing would help nobody: they wait alike, because the thread
 * reads no faster than it works. So whoever sends little more than is usual among the others is not refused.
 */
import type { Clock } from '../lib/clock.ts';

export interface FairRateDeps {
  readonly clock: Clock;
  /** How busy the thread was since the last time it was asked, 0 to 1. */
  readonly busyShare: () => number;
  readonly weightOf: (account: string) => number;
  readonly limits: {
    readonly fairFrom: number;
    readonly fairTickMs: number;
    readonly fairAccounts: number;
    readonly requestCostBytes: number;
    readonly fairBurstBytes: number;
  };
}

interface Account {
  readonly name: string;
  /** Cost let in and refused since the last look, and the same a second, smoothed. */
  taken: number;
  refused: number;
  demand: number;
  /** What it may have a second; undefined: as much as it likes. */
  allowance: number | undefined;
  /** What it may still be let in with; below 0 it is in debt. */
  credit: number;
}

/** How busy a thread that shares out is kept: what is left is for whoever comes new. */
const TARGET_SHARE = 0.85;
/** What is shared out at least, of the most that was taken of late; and what is kept of that from look to look. */
const LEAST_SHARE = 0.5;
const PEAK_KEPT = 0.995;
/** How many times what is usual among the others an account may send, however little its part is: more is louder than they are. */
const LOUDER = 1.5;
/** Share of them (by weight) that ask for what is usual or less. */
const USUAL_SHARE = 0.25;
/** Weight of the newest look in what is remembered of a rate. */
const NEWEST = 0.4;
/** Rates below this (bytes a second) are forgotten. */
const NOTHING = 64;
const RETRY_MS_MOST = 30_000;

export class FairRate {
  readonly #deps: FairRateDeps;
  readonly #accounts = new Map<string, Account>();
  #lookedMs: number;
  /** The most that was taken a second of late, and what could be at its cost of time. */
  #peakRate = 0;
  #capacity = 0;
  #limited = 0;
  busyShare = 0;

  constructor(deps: FairRateDeps) {
    this.#deps = deps;
    this.#lookedMs = deps.clock.monotonicMs();
  }

  /** Accounts that are held to their part just now. */
  get limitedAccounts(): number {
    return this.#limited;
  }

  /**
   * Whether an account may send just now.
   *
   * @param bytes what it wants to send, as far as that is known
   * @returns 0, or when to come back, in milliseconds
   */
  waitMs(account: string, bytes: number): number {
    this.#look();
    const known = this.#accounts.get(account);
    if (known?.allowance === undefined || known.credit > 0) return 0;
    known.refused += bytes + this.#deps.limits.requestCostBytes;
    return Math.min(RETRY_MS_MOST, 1 + (-known.credit / known.allowance) * 1_000);
  }

  /** Notes what was taken of an account; also lines that nobody wanted have cost the thread its time. */
  charge(account: string, bytes: number): void {
    this.#look();
    const known = this.#account(account);
    if (!known) return;
    const cost = bytes + this.#deps.limits.requestCostBytes;
    known.taken += cost;
    if (known.allowance !== undefined) known.credit -= cost;
  }

  #account(name: string): Account | undefined {
    const known = this.#accounts.get(name);
    if (known) return known;
    // Beyond that many at once nobody can be told to be louder than the rest.
    if (this.#accounts.size >= this.#deps.limits.fairAccounts) return undefined;
    const made = { name, taken: 0, refused: 0, demand: 0, allowance: undefined, credit: 0 };
    this.#accounts.set(name, made);
    return made;
  }

  #look(): void {
    const { clock, busyShare, limits } = this.#deps;
    const nowMs = clock.monotonicMs();
    const overMs = nowMs - this.#lookedMs;
    if (overMs < limits.fairTickMs) return;
    this.#lookedMs = nowMs;
    this.busyShare = busyShare();
    let taken = 0;
    for (const account of this.#accounts.values()) {
      taken += account.taken;
      const rate = ((account.taken + account.refused) * 1_000) / overMs;
      account.demand = smoothed(account.demand, rate);
      account.taken = 0;
      account.refused = 0;
      if (account.allowance !== undefined) {
        const earned = (account.allowance * overMs) / 1_000;
        const most = Math.max(account.allowance, limits.fairBurstBytes);
        account.credit = Math.min(most, account.credit + earned);
      }
      if (account.demand < NOTHING && account.credit >= 0) this.#accounts.delete(account.name);
    }
    const takenRate = (taken * 1_000) / overMs;
    this.#peakRate = Math.max(takenRate, this.#peakRate * PEAK_KEPT);
    if (this.busyShare > 0) {
      this.#capacity = smoothed(this.#capacity, takenRate / this.busyShare);
    }
    if (this.busyShare < limits.fairFrom || this.#accounts.size < 2) this.#letGo();
    else this.#shareOut();
  }

  #letGo(): void {
    if (this.#limited === 0) return;
    this.#limited = 0;
    for (const account of this.#accounts.values()) {
      account.allowance = undefined;
      account.credit = 0;
    }
  }

  /** Max-min by weight. */
  #shareOut(): void {
    const { limits, weightOf } = this.#deps;
    // Not ever less: the thread may be busy with deliveries, which refusing does not help.
    const budget = Math.max(this.#capacity * TARGET_SHARE, this.#peakRate * LEAST_SHARE);
    const accounts = [...this.#accounts.values()]
      .map((account) => ({ account, weight: weightOf(account.name) }))
      .toSorted((a, b) => a.account.demand / a.weight - b.account.demand / b.weight);
    const most = mostForEach(accounts, budget);
    this.#limited = 0;
    for (const { account, weight } of accounts) {
      if (account.demand <= most * weight) {
        account.allowance = undefined;
        account.credit = 0;
        continue;
      }
      this.#limited += 1;
      const isNew = account.allowance === undefined;
      account.allowance = Math.max(NOTHING, most * weight);
      // What it may have until the next look; without it the thread would fall idle, and all be let go again.
      const untilNextLook = (account.allowance * limits.fairTickMs) / 1_000;
      if (isNew) account.credit = Math.max(untilNextLook, limits.fairBurstBytes);
    }
  }
}

interface Weighed {
  readonly account: Pick<Account, 'demand'>;
  readonly weight: number;
}

/**
 * What each may have a second, for a weight of 1.
 *
 * @param accounts the least demanding first
 */
function mostForEach(accounts: readonly Weighed[], budget: number): number {
  const weights = accounts.reduce((sum, { weight }) => sum + weight, 0);
  let left = budget;
  let weightsLeft = weights;
  // Whoever asks for less than its part leaves the rest to those behind it.
  const louder = accounts.findIndex(({ account, weight }) => {
    if (account.demand > (left * weight) / weightsLeft) return true;
    left -= account.demand;
    weightsLeft -= weight;
    return false;
  });
  if (louder < 0) return Infinity;
  const part = left / weightsLeft;
  const { weight } = accounts[louder]!;
  const areAlike = accounts.slice(louder).every((other) => other.weight === weight);
  // Of those who want too much some are to have more than others: waiting alike would not do that.
  return areAlike ? Math.max(part, LOUDER * usualDemand(accounts, weights)) : part;
}

/** What is usual among them, for a weight of 1: little, as soon as some ask for little, whose answers a crowd of loud ones would delay. */
function usualDemand(accounts: readonly Weighed[], weights: number): number {
  let passed = 0;
  for (const { account, weight } of accounts) {
    passed += weight;
    if (passed >= weights * USUAL_SHARE) return account.demand / weight;
  }
  return 0;
}

/** The first is taken as it is. */
function smoothed(before: number, newest: number): number {
  return before === 0 ? newest : before + (newest - before) * NEWEST;
}
