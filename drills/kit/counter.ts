/**
 * The books of the outside: what producers sent, what they were promised, and what destinations hold.
 *
 * It shares nothing with the product, so that it cannot share its mistakes.
 */
import { identify } from './lines.ts';

const ACKED = 1;
const DELIVERED = 2;

/** How a marker for lost lines begins: it is no line, and whether lines are missing is counted without it. */
const LOSS_NOTICE = '{"waybill_notice":"lines_lost",';

/** How many of the first things that are wrong are named. */
const EXAMPLES = 8;

/** One customer's account. All are numbers of lines. */
export interface Tally {
  readonly zone: string;
  readonly sent: number;
  /** Answered with 2xx and accepted: these are owed. */
  readonly acked: number;
  /** Found at the destination, each counted once. */
  readonly delivered: number;
  /** Owed, and not at the destination. */
  readonly missing: number;
  /** At the destination, and never sent by this customer. */
  readonly spurious: number;
  /** At the destination with a byte changed. */
  readonly damaged: number;
  /** At the destination more than once, repeats that are marked as such apart. */
  readonly repeated: number;
  /** Refused for good by an answer: never owed. */
  readonly refused: number;
  /** Answered as wanted by nobody: never owed. */
  readonly unwanted: number;
}

class Account {
  flags = new Uint8Array(1 << 16);
  sent = 0;
  refused = 0;
  unwanted = 0;
  spurious = 0;
  damaged = 0;
  repeated = 0;
  ackedSoFar = 0;
  arrivedSoFar = 0;

  reserve(lines: number): void {
    if (lines <= this.flags.length) return;
    const larger = new Uint8Array(Math.max(lines, this.flags.length * 2));
    larger.set(this.flags);
    this.flags = larger;
  }
}

export class Counter {
  readonly #accounts = new Map<string, Account>();
  /** The first few of what is wrong. */
  readonly examples: string[] = [];

  /** Gives out the next numbers of a zone's lines. @returns the first of them */
  next(zone: string, lines: number): number {
    const account = this.#of(zone);
    const first = account.sent;
    account.sent += lines;
    account.reserve(account.sent);
    return first;
  }

  /** A 2xx for these lines: from now on they are owed. */
  acked(zone: string, first: number, lines: number): void {
    const account = this.#of(zone);
    for (let n = first; n < first + lines; n += 1) account.flags[n] = account.flags[n]! | ACKED;
    account.ackedSoFar += lines;
  }

  /** Where things stand, without a recount: for those who watch. */
  progress(): { readonly zone: string; readonly acked: number; readonly arrived: number }[] {
    return [...this.#accounts].map(([zone, { ackedSoFar, arrivedSoFar }]) => ({
      zone,
      acked: ackedSoFar,
      arrived: arrivedSoFar,
    }));
  }

  refused(zone: string, lines: number): void {
    this.#of(zone).refused += lines;
  }

  unwanted(zone: string, lines: number): void {
    this.#of(zone).unwanted += lines;
  }

  /**
   * A line was found at a customer's destination.
   *
   * @returns when it was made; undefined when it is damaged, not this customer's, or the product's word on lost lines
   */
  arrived(place: string, line: string): number | undefined {
    if (line.startsWith(LOSS_NOTICE)) return undefined;
    const account = this.#of(place);
    const known = identify(line);
    if (!known) {
      account.damaged += 1;
      this.#tell(`damaged at ${place}: ${line.slice(0, 80)}`);
      return undefined;
    }
    const { zone, number, madeMs } = known;
    if (zone !== place || number >= account.sent) {
      account.spurious += 1;
      this.#tell(`spurious at ${place}: line ${number} of ${zone}`);
      return undefined;
    }
    if ((account.flags[number]! & DELIVERED) !== 0) {
      account.repeated += 1;
      this.#tell(`repeated at ${place}: line ${number}`);
    } else account.arrivedSoFar += 1;
    account.flags[number] = account.flags[number]! | DELIVERED;
    return madeMs;
  }

  /** Lines that are owed and have not been found, over all customers or one. */
  missing(zone?: string): number {
    const zones = zone === undefined ? [...this.#accounts.keys()] : [zone];
    return zones.reduce((sum, one) => sum + this.tally(one).missing, 0);
  }

  tally(zone: string): Tally {
    const account = this.#of(zone);
    let [acked, delivered, missing] = [0, 0, 0];
    for (let n = 0; n < account.sent; n += 1) {
      const flags = account.flags[n]!;
      if ((flags & ACKED) !== 0) acked += 1;
      if ((flags & DELIVERED) !== 0) delivered += 1;
      if (flags === ACKED) missing += 1;
    }
    const { sent, spurious, damaged, repeated, refused, unwanted } = account;
    return {
      zone,
      sent,
      acked,
      delivered,
      missing,
      spurious,
      damaged,
      repeated,
      refused,
      unwanted,
    };
  }

  tallies(): Tally[] {
    return [...this.#accounts.keys()].map((zone) => this.tally(zone));
  }

  /** Numbers of a zone's lines that are owed and have not been found, at most `most`. */
  missingNumbers(zone: string, most: number): number[] {
    const { flags, sent } = this.#of(zone);
    const numbers: number[] = [];
    for (let n = 0; n < sent && numbers.length < most; n += 1)
      if (flags[n] === ACKED) numbers.push(n);
    return numbers;
  }

  /**
   * Takes a delivered line out of the books, as if it had never come.
   *
   * @returns how to put it back; undefined when none was delivered
   */
  takeAway(): (() => void) | undefined {
    for (const account of this.#accounts.values()) {
      const at = account.flags.indexOf(ACKED | DELIVERED);
      if (at < 0) continue;
      account.flags[at] = ACKED;
      return () => void (account.flags[at] = ACKED | DELIVERED);
    }
    return undefined;
  }

  #of(zone: string): Account {
    let account = this.#accounts.get(zone);
    if (!account) this.#accounts.set(zone, (account = new Account()));
    return account;
  }

  #tell(what: string): void {
    if (this.examples.length < EXAMPLES) this.examples.push(what);
  }
}
