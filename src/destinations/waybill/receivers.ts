/**
 * The receivers of a fail-over list, and what is known of each: shared by all senders that lead to them, so that a receiver
 * that is down is asked once in a while and not once per stream.
 *
 * A batch goes to the first receiver that is up. One whose fate at a receiver is not known (the connection broke after it
 * was sent) goes back to that very receiver, which recognises it; only when that stays silent for `uncertainMs` is it sent
 * to another, and may then be stored twice. That is counted.
 */
import type { Clock } from '../../lib/clock.ts';
import type { WaybillReceiver } from './settings.ts';

export interface ReceiverState {
  readonly name: string;
  /** `failing`: it is asked again at times. */
  readonly state: 'untried' | 'up' | 'failing';
  readonly failuresInRow: number;
  /** Why it failed last; null after a success. */
  readonly problem: string | null;
  readonly accepted: number;
}

export interface FailoverLimits {
  /** Pause after the first failure, doubling up to the most, milliseconds. */
  readonly pauseMs: number;
  readonly pauseMsMost: number;
  /** How long a batch of unknown fate waits for the receiver that may have it, milliseconds. */
  readonly uncertainMs: number;
  /** Batches of unknown fate that are remembered; the oldest is forgotten first. */
  readonly uncertainBatches: number;
}

const FAILOVER: FailoverLimits = {
  pauseMs: 500,
  pauseMsMost: 10_000,
  uncertainMs: 60_000,
  uncertainBatches: 10_000,
};

class Known {
  readonly receiver: WaybillReceiver;
  failuresInRow = 0;
  problem: string | null = null;
  accepted = 0;
  tried = false;
  /** Monotonic time of the next attempt while it fails. */
  nextMs = 0;

  constructor(receiver: WaybillReceiver) {
    this.receiver = receiver;
  }
}

/** What is known of a batch that a receiver may have. */
interface Uncertain {
  readonly at: Known;
  readonly untilMs: number;
}

export type Choice =
  | { readonly kind: 'receiver'; readonly receiver: WaybillReceiver; readonly index: number }
  /** None may be asked yet. */
  | { readonly kind: 'wait'; readonly afterMs: number; readonly reason: string };

export class Receivers {
  readonly #clock: Clock;
  readonly #limits: FailoverLimits;
  readonly #known: readonly Known[];
  readonly #uncertain = new Map<string, Uncertain>();
  #mayBeTwice = 0;

  constructor(receivers: readonly WaybillReceiver[], clock: Clock, limits = FAILOVER) {
    this.#known = receivers.map((receiver) => new Known(receiver));
    this.#clock = clock;
    this.#limits = limits;
  }

  states(): readonly ReceiverState[] {
    return this.#known.map(({ receiver, failuresInRow, problem, accepted, tried }) => ({
      name: receiver.name,
      state: tried ? (failuresInRow > 0 ? 'failing' : 'up') : 'untried',
      failuresInRow,
      problem,
      accepted,
    }));
  }

  /** Batches that went to another receiver although one before may have stored them. */
  get mayBeTwice(): number {
    return this.#mayBeTwice;
  }

  /** @param from receivers before this place have been asked in this attempt */
  choose(batch: string, from: number): Choice {
    const nowMs = this.#clock.monotonicMs();
    const uncertain = this.#uncertain.get(batch);
    const bound = uncertain && nowMs < uncertain.untilMs ? uncertain.at : undefined;
    let waitMs = Infinity;
    // What the last one said that was asked in this attempt: of a lone receiver, what is wrong with it.
    let reason = this.#known[from - 1]?.problem ?? 'no receiver is left to ask';
    for (const [index, known] of this.#known.entries()) {
      if (index < from || (bound && known !== bound)) continue;
      if (known.nextMs <= nowMs) {
        this.#probing(known, nowMs);
        if (uncertain && known !== uncertain.at) {
          this.#uncertain.delete(batch);
          this.#mayBeTwice += 1;
        }
        return { kind: 'receiver', receiver: known.receiver, index };
      }
      if (known.nextMs - nowMs < waitMs) {
        waitMs = known.nextMs - nowMs;
        reason = known.problem ?? reason;
      }
    }
    const afterMs = waitMs === Infinity ? this.#soonestMs(nowMs) : waitMs;
    return { kind: 'wait', afterMs, reason };
  }

  /** While it fails one attempt at a time finds out whether it is back. */
  #probing(known: Known, nowMs: number): void {
    if (known.failuresInRow > 0) known.nextMs = nowMs + this.#pauseMs(known.failuresInRow);
  }

  #soonestMs(nowMs: number): number {
    return Math.max(0, Math.min(...this.#known.map(({ nextMs }) => nextMs)) - nowMs);
  }

  /** It answered as a Waybill does, whatever it said. */
  answered(index: number, batch: string, accepted: boolean): void {
    const known = this.#at(index);
    known.tried = true;
    known.failuresInRow = 0;
    known.problem = null;
    known.nextMs = 0;
    if (accepted) known.accepted += 1;
    this.#uncertain.delete(batch);
  }

  /** @param mayHaveIt the batch whose fate there is not known; undefined: it certainly does not have it */
  failed(index: number, problem: string, afterMs: number | undefined, mayHaveIt?: string): void {
    const known = this.#at(index);
    const nowMs = this.#clock.monotonicMs();
    known.tried = true;
    known.failuresInRow += 1;
    known.problem = problem;
    known.nextMs = nowMs + Math.max(afterMs ?? 0, this.#pauseMs(known.failuresInRow));
    if (mayHaveIt === undefined || this.#uncertain.has(mayHaveIt)) return;
    this.#uncertain.set(mayHaveIt, { at: known, untilMs: nowMs + this.#limits.uncertainMs });
    if (this.#uncertain.size <= this.#limits.uncertainBatches) return;
    const [oldest] = this.#uncertain.keys();
    if (oldest !== undefined) this.#uncertain.delete(oldest);
  }

  #pauseMs(failures: number): number {
    const { pauseMs, pauseMsMost } = this.#limits;
    return Math.min(pauseMsMost, pauseMs * 2 ** Math.min(failures - 1, 16));
  }

  #at(index: number): Known {
    return this.#known[index]!;
  }
}
