/**
 * Which replays may work: they stand behind live delivery. Looked at now and then, and the same until looked at again, so
 * that what has begun is not given up half-way. A replay may start a batch when
 *
 * - no batch of anybody waits for its turn,
 * - no live job of its account is behind: switched on, its destination takes batches, and yet its oldest waiting line came
 *   longer ago than the lag and its own interval,
 * - its own job's destination takes batches, when it delivers to the same place,
 * - and it is among the few whose turn it is; they take turns.
 *
 * A job whose destination is down does not count as behind: it competes for nothing.
 */
import type { JobConfig } from '../../model/snapshot.ts';
import type { DeliveryState } from '../contract.ts';

/** A live job as the throttle sees it. */
export interface LiveJob {
  readonly account: string;
  readonly state: DeliveryState;
  readonly destinationConf: string;
  /** Reception of its oldest waiting line, wall time; null when none waits. */
  readonly oldestWaitingMs: number | null;
  /** How long its batches wait for more lines at most. */
  readonly intervalMs: number;
}

export interface ThrottleTools {
  /** Live jobs of an account. */
  readonly liveOf: (account: string) => Iterable<LiveJob>;
  readonly live: (job: number) => LiveJob | undefined;
  /** Batches that wait for their turn. */
  readonly queued: () => number;
  readonly wallMs: () => number;
  readonly limits: { readonly replays: number; readonly replayLagMs: number };
}

export class ReplayThrottle {
  readonly #tools: ThrottleTools;
  #allowed: ReadonlySet<number> = new Set();
  /** The last one that had a turn: the next look begins behind it. */
  #last = 0;

  constructor(tools: ThrottleTools) {
    this.#tools = tools;
  }

  /** Whether a replay may start something now. */
  may(replay: number): boolean {
    return this.#allowed.has(replay);
  }

  /** Decides anew, for the replays that have something to do. */
  look(replays: readonly JobConfig[]): void {
    const { limits, queued } = this.#tools;
    const behind = new Map<string, boolean>();
    const free = queued() > 0 ? [] : replays.filter((job) => !this.#waits(job, behind));
    const inTurn = free.toSorted((a, b) => a.id - b.id);
    const from = inTurn.findIndex(({ id }) => id > this.#last);
    const turned = from > 0 ? [...inTurn.slice(from), ...inTurn.slice(0, from)] : inTurn;
    const chosen = turned.slice(0, limits.replays);
    if (free.length > limits.replays) this.#last = chosen.at(-1)?.id ?? 0;
    this.#allowed = new Set(chosen.map(({ id }) => id));
  }

  #waits(job: JobConfig, known: Map<string, boolean>): boolean {
    let isBehind = known.get(job.account);
    if (isBehind === undefined) {
      isBehind = [...this.#tools.liveOf(job.account)].some((live) => this.#isBehind(live));
      known.set(job.account, isBehind);
    }
    const own = job.replay && this.#tools.live(job.replay.of);
    const isSamePlace = own !== undefined && own.destinationConf === job.destinationConf;
    return isBehind || (isSamePlace && (own.state === 'backing_off' || own.state === 'blocked'));
  }

  #isBehind({ intervalMs, oldestWaitingMs, state }: LiveJob): boolean {
    if (oldestWaitingMs === null) return false;
    if (state !== 'sending' && state !== 'waiting' && state !== 'idle') return false;
    const { limits, wallMs } = this.#tools;
    return oldestWaitingMs < wallMs() - limits.replayLagMs - intervalMs;
  }
}
