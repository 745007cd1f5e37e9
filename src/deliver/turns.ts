/**
 * Whose batch is prepared next, and how much may be under way: fairness and memory in one place (I5, I6).
 *
 * Accounts take turns: deficit round robin by bytes, so that an account with much to send delays the next one by no more
 * than one batch. A turn is held until its attempt has ended and counts against four bounds: batches being prepared,
 * attempts in all, held bytes in all, and what one account may have of both. That share shrinks as the rest gets scarce (at
 * most half of what is still free, besides its first), so that a few slow receivers never leave nothing for the others.
 *
 * Jobs whose last attempt failed stand in a ring of their own with a quarter of everything, served after the healthy ones, and
 * with a quarter of what their account may have: however many receivers hang, neither other accounts' batches nor those of the
 * account's own healthy jobs wait for them. Batches that are prepared in another thread, which may get little of a core, never have
 * all places of those being prepared.
 */
import type { DeliverLimits } from './contract.ts';

export interface TurnRequest {
  readonly account: string;
  /** Plain bytes: what preparing costs. */
  readonly costBytes: number;
  /** Bytes that the batch will hold, about. */
  readonly heldBytes: number;
  /** Whether the job's last attempt failed. */
  readonly suspect: boolean;
  /** Whether it is prepared in another thread. */
  readonly apart: boolean;
}

/** A place among what is under way. */
export interface Turn {
  /** The body stands: lets the next preparation begin, and counts what is held in truth. */
  prepared(heldBytes: number): void;
  /** The attempt has ended; harmless when called twice. */
  release(): void;
}

export type TurnLimits = Pick<
  DeliverLimits,
  | 'attempts'
  | 'attemptsPerAccount'
  | 'heldBytes'
  | 'heldBytesPerAccount'
  | 'preparations'
  | 'preparationsApart'
  | 'targetBytes'
>;

interface Waiting extends TurnRequest {
  readonly grant: (turn: Turn | undefined) => void;
}

/** One account's queue in one ring. */
interface Queue {
  readonly account: string;
  readonly waiting: Waiting[];
  deficit: number;
}

interface Use {
  attempts: number;
  heldBytes: number;
}

/** Counters of one account: over both rings, and of its failing jobs alone. */
interface AccountUse extends Use {
  readonly suspect: Use;
}

interface Ring {
  readonly share: number;
  readonly queues: Map<string, Queue>;
  /** Accounts in the order of their next turn. */
  order: Queue[];
  /** Accounts that cannot go now: they have as much under way as they may, or their batch is too large just now. */
  parked: Queue[];
  /** Those of them that wait for more free bytes than there are. */
  largeParked: number;
  readonly use: Use;
}

const SUSPECT_SHARE = 0.25;

/** Batches too large for what is free that others may pass: bounds what is looked at again after each release. */
const LARGE_PARKED = 16;

export class Turns {
  readonly #limits: TurnLimits;
  readonly #rings: readonly [healthy: Ring, suspect: Ring] = [newRing(1), newRing(SUSPECT_SHARE)];
  readonly #accounts = new Map<string, AccountUse>();
  readonly #use: Use = { attempts: 0, heldBytes: 0 };
  #preparing = 0;
  #preparingApart = 0;
  #queued = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** Resolves when it is the account's turn; undefined when waiting was called off. */
  request(request: TurnRequest): Promise<Turn | undefined> {
    return new Promise((grant) => {
      const ring = request.suspect ? this.#rings[1] : this.#rings[0];
      let queue = ring.queues.get(request.account);
      if (!queue) {
        queue = { account: request.account, waiting: [], deficit: 0 };
        ring.queues.set(request.account, queue);
        ring.order.push(queue);
      }
      queue.waiting.push({ ...request, grant });
      this.#queued += 1;
      this.#serve();
    });
  }

  /** Calls off everything that waits. */
  callOff(): void {
    for (const ring of this.#rings) {
      const queues = [...ring.queues.values()];
      ring.queues.clear();
      ring.order = [];
      ring.parked = [];
      ring.largeParked = 0;
      for (const queue of queues) for (const waiting of queue.waiting) waiting.grant(undefined);
    }
    this.#queued = 0;
  }

  stats(): { inFlight: number; preparing: number; heldBytes: number; queued: number } {
    const { attempts, heldBytes } = this.#use;
    return { inFlight: attempts, preparing: this.#preparing, heldBytes, queued: this.#queued };
  }

  #serve(): void {
    for (const ring of this.#rings) this.#serveRing(ring);
  }

  #serveRing(ring: Ring): void {
    while (this.#preparing < this.#limits.preparations) {
      const queue = ring.order[0];
      const head = queue?.waiting[0];
      if (!queue || !head) return;
      if (queue.deficit <= 0) {
        // It has had its share of this round.
        queue.deficit += this.#limits.targetBytes;
        if (queue.deficit <= 0 || ring.order.length > 1) {
          ring.order.push(ring.order.shift()!);
          continue;
        }
      }
      switch (this.#room(ring, head)) {
        case 'none':
          return;
        case 'account_full':
          ring.parked.push(ring.order.shift()!);
          continue;
        case 'too_large':
          if (ring.largeParked >= LARGE_PARKED) return;
          ring.largeParked += 1;
          ring.parked.push(ring.order.shift()!);
          continue;
        case 'room':
          this.#grant(ring, queue, head);
      }
    }
  }

  #room(ring: Ring, request: TurnRequest): 'room' | 'account_full' | 'too_large' | 'none' {
    const limits = this.#limits;
    // As an account that has what it may have: looked at again when one of them is prepared.
    if (request.apart && this.#preparingApart >= limits.preparationsApart) return 'account_full';
    const own = this.#accounts.get(request.account);
    const all = this.#free(1, this.#use);
    const ofRing = this.#free(ring.share, ring.use);
    if (own && !this.#isWithin(1, own, all, request)) return 'account_full';
    if (own && request.suspect && !this.#isWithin(ring.share, own.suspect, ofRing, request)) {
      return 'account_full';
    }
    const freeAttempts = Math.min(all.attempts, ofRing.attempts);
    const freeBytes = Math.min(all.heldBytes, ofRing.heldBytes);
    if (freeAttempts < 1) return 'none';
    // A batch that is larger than all of the budget goes alone.
    if (ring.use.attempts === 0) return 'room';
    // While a large one waits for room, smaller ones pass it, but leave it most of what becomes free.
    const mine = ring.largeParked > 0 ? freeBytes / 4 : freeBytes;
    return request.heldBytes <= mine ? 'room' : 'too_large';
  }

  #free(share: number, use: Use): Use {
    const { attempts, heldBytes } = this.#limits;
    return {
      attempts: Math.ceil(attempts * share) - use.attempts,
      heldBytes: heldBytes * share - use.heldBytes,
    };
  }

  /** Whether an account has room for one more in its part of a share, and leaves half of what is free. It may always have one. */
  #isWithin(share: number, own: Use, free: Use, { heldBytes }: TurnRequest): boolean {
    const limits = this.#limits;
    const attempts = Math.min(
      Math.ceil(limits.attemptsPerAccount * share),
      Math.ceil(free.attempts / 2),
    );
    const bytes = Math.min(limits.heldBytesPerAccount * share, free.heldBytes / 2);
    return own.attempts === 0 || (own.attempts < attempts && own.heldBytes + heldBytes <= bytes);
  }

  #grant(ring: Ring, queue: Queue, request: Waiting): void {
    queue.waiting.shift();
    queue.deficit -= request.costBytes;
    if (queue.waiting.length === 0) {
      ring.order.shift();
      ring.queues.delete(queue.account);
    }
    this.#queued -= 1;
    request.grant(this.#turn(ring, request));
  }

  #turn(ring: Ring, request: TurnRequest): Turn {
    const own = this.#accounts.get(request.account) ?? newAccount();
    this.#accounts.set(request.account, own);
    const uses = [own, ring.use, this.#use, ...(request.suspect ? [own.suspect] : [])];
    let heldBytes = request.heldBytes;
    let state: 'preparing' | 'prepared' | 'released' = 'preparing';
    for (const use of uses) {
      use.attempts += 1;
      use.heldBytes += heldBytes;
    }
    this.#preparing += 1;
    if (request.apart) this.#preparingApart += 1;
    const isPrepared = (): void => {
      this.#preparing -= 1;
      if (request.apart) this.#preparingApart -= 1;
    };
    return {
      prepared: (bytes) => {
        if (state !== 'preparing') return;
        state = 'prepared';
        isPrepared();
        for (const use of uses) use.heldBytes += bytes - heldBytes;
        heldBytes = bytes;
        this.#moreRoom();
      },
      release: () => {
        if (state === 'released') return;
        if (state === 'preparing') isPrepared();
        state = 'released';
        for (const use of uses) {
          use.attempts -= 1;
          use.heldBytes -= heldBytes;
        }
        if (own.attempts === 0) this.#accounts.delete(request.account);
        this.#moreRoom();
      },
    };
  }

  #moreRoom(): void {
    for (const ring of this.#rings) {
      if (ring.parked.length === 0) continue;
      ring.order.unshift(...ring.parked);
      ring.parked = [];
      ring.largeParked = 0;
    }
    this.#serve();
  }
}

function newAccount(): AccountUse {
  return { attempts: 0, heldBytes: 0, suspect: { attempts: 0, heldBytes: 0 } };
}

function newRing(share: number): Ring {
  return {
    share,
    queues: new Map(),
    order: [],
    parked: [],
    largeParked: 0,
    use: { attempts: 0, heldBytes: 0 },
  };
}
