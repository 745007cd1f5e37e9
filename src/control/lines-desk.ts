/**
 * What the control API asks of the lines that the data plane holds: where times lie in a stream, how long what is held for
 * switched-off jobs stays, and that lines be erased. Everything passed either way can be cloned.
 */
import type { OutcomeCounts } from '../model/delivery.ts';
import type { Scope } from '../model/scope.ts';
import type { StreamPlace } from '../model/snapshot.ts';
import type { JobActivity } from './job-activity.ts';

/** A place that somebody asks for. */
export type PlaceAsked =
  | { readonly kind: 'now' }
  | { readonly kind: 'oldest' }
  /** The first line received then or later; milliseconds since 1970. */
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'offset'; readonly offset: number };

export type PlaceFound =
  | {
      readonly kind: 'place';
      /** Null: the stream has had no line yet. */
      readonly place: StreamPlace | null;
      readonly oldest: number;
      readonly head: number;
    }
  /** Lines from there on are not held any more; from `place` and `sinceMs` on all are. */
  | { readonly kind: 'gone'; readonly place: StreamPlace; readonly sinceMs: number | null }
  /** It lies in the future. */
  | { readonly kind: 'ahead' }
  /** The disk did not answer, or lines of that time are still on their way to it. */
  | { readonly kind: 'failed'; readonly detail: string };

/** A job as its shard holds it. */
export interface JobHold {
  readonly job: number;
  readonly epoch: string;
  readonly start: number;
  readonly cursor: number;
  readonly head: number;
  readonly waitingLines: number;
  readonly totals: OutcomeCounts;
  /** How much longer, in service, cursor and lines are held; null while it is switched on. */
  readonly heldForMs: number | null;
  readonly inFlight: number;
  /** Null: nothing of it runs. */
  readonly activity: JobActivity | 'throttled' | null;
  readonly errorMessage: string | null;
}

/** Whose lines an erasure means. */
export interface ErasureReach {
  /** The order's id. */
  readonly order: string;
  /** Its scope, and for an account all of its zones. */
  readonly scopes: readonly Scope[];
  /** For an account: its id, by which lines of zones that are not there any more are found. */
  readonly account: string | null;
  /** Zones that stand: their lines are their owner's, whoever had the id before. */
  readonly standing: readonly string[];
  /** Null: all. */
  readonly dataset: string | null;
  /** Lines received before it. */
  readonly beforeMs: number;
}

/** What an erasure takes, or would take. */
export interface ErasureSize {
  readonly streams: readonly {
    readonly stream: string;
    readonly to: number;
    readonly lines: number;
  }[];
  /** Of all their jobs: lines that are still to be delivered. */
  readonly waitingLines: number;
  /** Lines that were kept apart. */
  readonly keptLines: number;
}

export interface LinesDesk {
  place(stream: string, asked: PlaceAsked): Promise<PlaceFound>;
  /** Jobs that no shard knows are left out. */
  holds(jobs: readonly number[]): Promise<readonly JobHold[]>;
  erasable(reach: ErasureReach): Promise<ErasureSize>;
  /** Resolves once it is durable and nothing reads the lines any more. Given again, it does what is left to do. */
  erase(reach: ErasureReach): Promise<ErasureSize>;
  /** Whether bytes of erased lines are still on disk, or such lines not settled yet. */
  erasing(reach: ErasureReach): Promise<boolean>;
  /**
   * Lets retention that stopped because it would drop much go on, if it drops no more lines than that.
   *
   * @returns how many lines it asks for; 0 when it does not ask
   */
  expire(mostLines: number): Promise<number>;
}
