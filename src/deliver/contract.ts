/**
 * The door's types: what delivery is handed, what it offers, what it says of each job.
 */
import type { ShardBuffer, StoredBlock } from '../buffer/index.ts';
import type { Framing, Sender } from '../destinations/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { Random } from '../lib/random.ts';
import type { Attempt, DropReason } from '../model/delivery.ts';
import type { limits } from '../model/limits.ts';
import type { JobConfig } from '../model/snapshot.ts';
import type { ContentEncoder } from './content/contract.ts';

export type DeliverLimits = {
  readonly [Name in keyof (typeof limits)['deliver']]: number;
} & { readonly openPlans: number };

/** What delivery has to know of a job's destination besides how to send. */
export interface ReceiverDescription {
  /** Short hash of what identifies the place, for waybills. */
  readonly fingerprint: string;
  /**
   * The same for jobs that deliver to the same place with the same credentials: they share its breaker. It is made of
   * secrets and never shown. Absent: the job shares with none.
   */
  readonly place?: string;
  /** What the receiver takes at most in one batch, plain; absent: the engine's. */
  readonly batchBytes?: number;
  readonly batchLines?: number;
  /** Text that it wants between lines; absent: none. */
  readonly framing?: Framing;
  /** `identity`: it takes no gzip. */
  readonly encoding?: 'identity';
  /** It is sent one batch at a time, in the order of offsets. */
  readonly inOrder?: true;
}

/** `whole`: lines go out exactly as they came, and stored fragments are copied. */
export type Content = 'whole' | ContentEncoder;

/** A line that is not delivered and kept where its owner can fetch it. */
export interface KeptLine {
  readonly job: number;
  readonly stream: string;
  readonly account: string;
  readonly offset: number;
  /** Without its newline. */
  readonly bytes: Buffer;
  readonly reason: Extract<DropReason, 'malformed' | 'rejected_by_destination'>;
  /** For the owner: the receiver's answer in plain words. */
  readonly detail: string;
}

export interface DeliveryDeps {
  readonly buffer: ShardBuffer;
  /** Makes a sender for the job's newest destination. Rejects when it cannot; the job then backs off. */
  readonly openSender: (job: JobConfig) => Promise<Sender>;
  readonly describe: (job: JobConfig) => ReceiverDescription;
  /** A block's plain bytes. Rejects with an error named `BlockDamaged` when the bytes are not what the header says. */
  readonly inflateBlock: (block: StoredBlock) => Promise<Buffer>;
  /** What the job makes of lines; throws when the settings cannot be compiled. */
  readonly compileContent: (job: JobConfig, epoch: string) => Content;
  /** The job as it was at an older content version, while that is still known: for plans made before a restart. */
  readonly contentOf: (job: number, contentVersion: number) => JobConfig | undefined;
  /** Keeps lines of one job apart, within bounds of their own; all or none. The same lines may come again after a crash. */
  readonly keepLines: (lines: readonly KeptLine[]) => Promise<void>;
  readonly onAttempt: (attempt: Attempt) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly limits: DeliverLimits;
  /** How long a batch waits for more lines after its first; a job's own bound may be shorter. */
  readonly intervalMs: number;
  /** Gives up the thread between two turns of work; `setImmediate` unless a simulation brings its own. */
  readonly nextTurn?: () => Promise<void>;
}

/**
 * What a job is doing, for people.
 *
 * - `idle`: every accepted line is settled
 * - `waiting`: lines wait for their batch to close
 * - `sending`: a batch is being prepared, sent or settled
 * - `backing_off`: the last attempt failed; the next one is at `nextAttemptMs`
 * - `blocked`: the receiver refuses the batches themselves and accepts no others; it is probed, its owner must act
 * - `paused`: switched off; cursor and lines are held back
 * - `closed`: deleted; attempts under way still end
 */
export type DeliveryState =
  | 'idle'
  | 'waiting'
  | 'sending'
  | 'backing_off'
  | 'blocked'
  | 'paused'
  | 'closed';

export interface JobStatus {
  readonly job: number;
  readonly state: DeliveryState;
  /** Reception time up to which all lines are settled; null before the first waybill. */
  readonly lastCompleteMs: number | null;
  /** Wall time of the last failure; null after a success, as is the message. */
  readonly lastErrorMs: number | null;
  readonly errorMessage: string | null;
  /** Wall time of the next attempt while backing off or blocked. */
  readonly nextAttemptMs: number | null;
  /** Batches being prepared, sent or settled. */
  readonly inFlight: number;
  readonly attempts: Readonly<Record<Attempt['outcome'], number>>;
  readonly consecutiveFailures: number;
  /** A replay that live delivery keeps waiting. */
  readonly throttled?: true;
}

export interface DeliveryStats {
  readonly jobs: number;
  /** Jobs that have something to do, or had in the last minutes. */
  readonly runners: number;
  /** Attempts and preparations under way, with the bytes they hold. */
  readonly inFlight: number;
  readonly preparing: number;
  readonly heldBytes: number;
  /** Batches that wait for their turn. */
  readonly queued: number;
  readonly openSenders: number;
  /** Places that several jobs have found dead: a probe in some seconds is all that is sent there. */
  readonly openBreakers: number;
}

export interface Delivery {
  /**
   * Takes the jobs of a new snapshot, whole. Running jobs get their new settings at once; jobs that are gone or switched
   * off stop planning. Resolves when the buffer has recorded what changed, or has failed to once (it is then tried again).
   */
  apply(jobs: readonly JobConfig[], version: number): Promise<void>;
  /**
   * Asked before lines of a stream are stored. Undefined, as nearly always: each of its jobs has its cursor on disk. Else those
   * that the disk refused to open are tried once more, and it resolves with whether all of them are open now: lines that come before
   * a job's cursor would not be its own after a crash.
   */
  opened(stream: string): Promise<boolean> | undefined;
  status(job: number): JobStatus | undefined;
  /** The settings in force of a job or replay. */
  settings(job: number): JobConfig | undefined;
  /** Of the jobs of one stream. */
  statusesOf(stream: string): readonly JobStatus[];
  stats(): DeliveryStats;
  /** Lines of these streams were erased: attempts under way that may hold them end. Call it once nothing reads them. */
  recall(streams: readonly string[]): void;
  /** Lets go of what jobs that rest do not need. Call it once a second. */
  tend(): void;
  /** Starts nothing new and resolves when all attempts under way have ended and settled, or when `signal` aborts. */
  drain(signal?: AbortSignal): Promise<void>;
  /** Aborts what is under way, closes senders, and lets go of the buffer. Open plans stay in the buffer. */
  close(): Promise<void>;
}
