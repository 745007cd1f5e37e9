/**
 * What the control thread and a shard's thread say to each other. What shards say to each other is the room `peers`.
 *
 * The control thread keeps configuration, ledger sums, kept lines and the control API; a shard's thread keeps one log,
 * its buffer, delivery and its own ingest listener. Neither waits for the other to take a line in or to send a batch out:
 * the shard runs on with the last snapshot that it was given (I4), the control API answers whatever the shard does (I9).
 */
import type { MessagePort } from 'node:worker_threads';
import type { BufferStats } from '../../buffer/index.ts';
import type {
  DestinationTrial,
  ErasureReach,
  PlaceAsked,
  PlaceFound,
  TrialOutcome,
} from '../../control/index.ts';
import type { DeliveryStats, JobStatus } from '../../deliver/index.ts';
import type { IngestStats } from '../../ingest/index.ts';
import type { ArchiveMark, JobCut } from '../../ledger/index.ts';
import type { KeptLineEntry } from '../../ledger/index.ts';
import type { TurnTimes } from '../../lib/longest-turns.ts';
import type { TappedLines, Watch } from '../../live/index.ts';
import type { LossAnswer, LossMarker } from '../../loss/index.ts';
import type { StreamPlaces } from '../../peers/index.ts';
import type { Config } from '../../model/settings.ts';
import type { Attempt } from '../../model/delivery.ts';
import type { ShardErasure } from '../shard/lines.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { JobSums } from '../shard/job-sums.ts';
import type { SnapshotDelta } from './snapshot-copy.ts';
import type { Beat } from '../../watch/index.ts';
import type { PulledPage, PullReader, WindowFound } from '../../pull/index.ts';

/** Where everything lies below the data folder. */
export interface ShardPaths {
  readonly log: string;
  readonly buffer: string;
  readonly archive: string;
}

/** Where to listen, and whether other shards of the process do so too. */
export interface ListenWhere {
  readonly port: number;
  /** `first`: before all others; `again`: the first one, after its thread has ended; where only one may, it is this. */
  readonly shared: 'no' | 'first' | 'again' | 'further';
}

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** What a shard's thread is started with. */
export interface ShardStart {
  readonly shard: number;
  /** How many shards the process has. */
  readonly shards: number;
  /** What their threads hold of the memory for bodies. */
  readonly held: SharedArrayBuffer;
  /** Name of this run of the server, said by its deliveries and known to its ingest. */
  readonly instance: string;
  readonly config: Config;
  readonly paths: ShardPaths;
  readonly snapshot: Snapshot;
}

/** A job as its shard sees it. */
export interface ShardJob extends JobCut {
  readonly epoch: string;
  readonly status: JobStatus | undefined;
  readonly cursor: number;
  readonly deliveredBytes: number;
  readonly waitingBytes: number;
  readonly oldestWaitingMs: number | null;
  readonly lastCompleteMs: number | null;
  /** A replay, which has books of its own and no backlog to speak of. */
  readonly isReplay: boolean;
  /** How much longer, in service, a closed job's lines are held; null for an open one. */
  readonly heldForMs: number | null;
}

export interface ShardStats {
  readonly buffer: BufferStats;
  readonly ingest: IngestStats;
  readonly delivery: DeliveryStats;
  readonly durability: 'disk' | 'memory';
  readonly heapBytes: number;
  readonly turns: TurnTimes;
}

/** What a job's books rest on, at one instant. */
export interface ShardCut {
  readonly mark: ArchiveMark;
  readonly jobs: readonly ShardJob[];
}

/** Accounts with bytes on disk. */
export type Backlogs = readonly (readonly [account: string, bytes: number])[];

export type ShardMethods = {
  /** Puts a snapshot in force. `places`: the owners of streams that were not told before. */
  apply(snapshot: Snapshot, places: StreamPlaces): Promise<void>;
  /** The same, by what changed since the last one. `whole`: it does not fit what is held here. */
  applyDelta(delta: SnapshotDelta, places: StreamPlaces): Promise<'applied' | 'whole'>;
  /** Another shard's thread has started. */
  peer(shard: number, port: MessagePort): void;
  /** What waits on disk at the other shards, for accounts that are bounded to a share of it. */
  backlogsElsewhere(backlogs: Backlogs): void;
  /** Another shard's thread hangs, or does so no more. */
  peerHangs(shard: number, hangs: boolean): void;
  /** Jobs (all, or those named) together with the point in the archive that holds exactly the events behind them. */
  cut(jobs: readonly number[] | null): Promise<ShardCut>;
  /** All jobs summed, in turns of milliseconds; for the metrics. */
  sums(): Promise<JobSums>;
  stats(): ShardStats;
  setTls(files: TlsFiles): void;
  tryDestination(trial: DestinationTrial): Promise<TrialOutcome>;
  /** Sends a marker of lost lines to the job's destination; nothing of it reaches the books. */
  tellLoss(marker: LossMarker): Promise<LossAnswer>;
  /** Whose lines are looked at as they come in, in full (Instant Logs). */
  watch(watches: readonly Watch[]): void;
  /** The session's last lines were taken; more may be handed over. */
  tapTaken(session: string): void;
  /** Finds and reads for Logpull. */
  pullWindow(...wish: Parameters<PullReader['window']>): Promise<WindowFound>;
  pullPage(...wish: Parameters<PullReader['page']>): Promise<PulledPage>;
  /** Places in streams, and erasure: for the control API. */
  findPlace(stream: string, asked: PlaceAsked): Promise<PlaceFound>;
  erasable(reach: ErasureReach): Promise<ShardErasure>;
  erase(reach: ErasureReach): Promise<ShardErasure>;
  erasing(reach: ErasureReach): boolean;
  /** Lets retention that stopped to ask go on, if it drops no more lines than that. Answers how many it asks for. */
  expire(mostLines: number): number;
  /** Stops accepting, ends what is under way, writes a checkpoint, closes. Resolves when all of it is on disk. */
  drain(waitMs: number): Promise<void>;
};

export type ShardReady =
  | {
      readonly kind: 'ready';
      readonly host: string;
      /** 0: it has no listener of its own, because the platform lets only one listen; others hand it its lines. */
      readonly port: number;
      readonly streams: number;
      readonly jobs: number;
      readonly durability: 'disk' | 'memory';
    }
  /** It cannot start on this directory; `detail` says what to do. */
  | { readonly kind: 'refused'; readonly detail: string };

export type SupervisorMethods = {
  /**
   * Says which streams the log holds; only where there are several shards. Resolves when all have said so, with every
   * stream's owner.
   */
  join(streams: readonly string[]): Promise<StreamPlaces>;
  /** The port that all listeners share; resolves when it is known. */
  listenAt(): Promise<ListenWhere>;
  started(outcome: ShardReady): void;
  /** A sign of life, each `limits.watch.beatMs`. */
  beat(beat: Beat): void;
  /** What waits on disk here, for accounts that are bounded to a share of it. */
  backlogs(backlogs: Backlogs): void;
  /** The thread has logged an alarm. */
  alarm(event: string, detail?: string): void;
  attempts(attempts: readonly Attempt[]): void;
  /** Lines that were kept for a session of Instant Logs. */
  tapped(lines: TappedLines): void;
  /** Keeps all or none of the lines (quarantine). `failed`: the disk did not take them. */
  keep(entries: readonly KeptLineEntry[]): 'kept' | 'full' | 'failed';
  /** Keeps lines whatever has to give way for it. */
  keepNewest(entries: readonly KeptLineEntry[]): void;
};
