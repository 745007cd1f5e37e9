/**
 * What the control API asks of the rest of the server. `app` implements it over messages to the shard threads and over the
 * ledger room; everything passed either way can be cloned. Answers may be late or missing: the API bounds its waiting (I9).
 */
import type { KeptLine, JobLedger, ScopeLedger, UsageDay } from '../ledger/index.ts';
import type { LiveDesk } from '../live/index.ts';
import type { Attempt, OutcomeCounts } from '../model/delivery.ts';
import type { Scope } from '../model/scope.ts';
import type { PullDesk } from '../pull/index.ts';
import type { AlertDesk } from '../watch/index.ts';
import type { JobActivity } from './job-activity.ts';
import type { LinesDesk } from './lines-desk.ts';

export interface JobStatusView {
  readonly job: number;
  readonly activity: JobActivity;
  /** The stream's epoch, 16 hex digits; null before the stream's first line. */
  readonly epoch: string | null;
  /** End of the settled prefix, and the stream's durable end. */
  readonly cursor: number;
  readonly head: number;
  readonly waitingLines: number;
  readonly waitingBytes: number;
  /** Reception time of the oldest waiting line; null when none waits. */
  readonly oldestWaitingMs: number | null;
  /** Reception time up to which everything is settled; null before the first waybill. */
  readonly lastCompleteMs: number | null;
  /** Time and text of the last failure; null after a success. */
  readonly lastErrorMs: number | null;
  readonly errorMessage: string | null;
  readonly totals: OutcomeCounts;
  readonly deliveredBytes: number;
  /** Attempts under way. */
  readonly inFlight: number;
  /** When the next attempt is due; null unless `retrying` or `blocked`. */
  readonly nextAttemptMs: number | null;
}

/** What a stream has accepted in one UTC hour. */
export interface BusyHour {
  readonly lines: number;
  readonly bytes: number;
}

/** A page of lines that were kept apart, of these scopes' streams. */
interface KeptLinesQuery {
  readonly scopes: readonly Scope[];
  /** Only lines with a greater id. */
  readonly afterId: number;
  readonly limit: number;
}

/** A scope with what belongs to it: for an account also its zones, and the ids of all their jobs. */
export interface ScopeReach {
  readonly scope: Scope;
  readonly scopes: readonly Scope[];
  readonly jobs: readonly number[];
  readonly replays: readonly number[];
}

/** What an operator sees of the server; plain JSON. */
export interface ServerStatus {
  readonly version: string;
  readonly durability: 'disk' | 'memory';
  readonly startedMs: number;
  readonly shards: readonly Readonly<Record<string, string | number | boolean | null>>[];
}

/** One small object for a destination, with what its sender would use for a job of the account. */
export interface DestinationTrial {
  readonly account: string;
  /** With its secrets. Never logged, never part of an answer. */
  readonly destinationConf: string;
  /** What it is called where things have names; unique. */
  readonly name: string;
  readonly text: string;
  /** Whether it is sent as gzip, as batches are. */
  readonly gzip: boolean;
}

export type TrialOutcome =
  | { readonly kind: 'accepted' }
  /** `reason` is for the customer: plain words, no secret, no inner address. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface DataPlane {
  /** Instant Logs. */
  readonly live: LiveDesk;
  /** Logpull. */
  readonly pull: PullDesk;
  /** What is held, replayed and erased. */
  readonly lines: LinesDesk;
  /** Alerts and who is told of them. Absent: nobody watches. */
  readonly alerts?: AlertDesk;
  /** Really sends it, marked as a test (job 0, stream `test`); answers within `limits.control.trialMs` and a little. */
  tryDestination(trial: DestinationTrial): Promise<TrialOutcome>;
  /** Jobs that the data plane does not know yet are left out. */
  jobStatuses(ids: readonly number[]): Promise<readonly JobStatusView[]>;
  /** Newest first. */
  attempts(job: number, limit: number): Promise<readonly Attempt[]>;
  /** Also for deleted jobs, as long as the books remember them; undefined: never heard of it. */
  jobLedger(job: number, hours: number): Promise<JobLedger | undefined>;
  scopeLedger(reach: ScopeReach, hours: number): Promise<ScopeLedger>;
  /** Newest day first. */
  usage(reach: ScopeReach, days: number): Promise<readonly UsageDay[]>;
  /**
   * What streams have carried in their busiest hour of the last days; streams of which the books know nothing are left out.
   * For the guard. Absent: nothing is known of any stream.
   */
  busyHours?(streams: readonly string[]): Promise<ReadonlyMap<string, BusyHour>>;
  keptLines(query: KeptLinesQuery): Promise<readonly KeptLine[]>;
  keptLine(id: number): Promise<KeptLine | undefined>;
  status(): Promise<ServerStatus>;
  /** Prometheus' text form. */
  metrics(): Promise<string>;
  /** Whether producers can be served; `reason` names what cannot take lines just now, all of it or a shard. Must answer at once. */
  ready(): { readonly ready: boolean; readonly reason?: string };
}
