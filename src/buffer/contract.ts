/**
 * The upper layer: streams, offsets, blocks, jobs, plans, waybills, keys, checkpoints, index and compaction, over any log.
 *
 * No method shows a position of the log: a line's address is (stream, offset), so that a block may move. State changes by
 * one function, `apply(record)`, after the record is durable; recovery runs the same function over the log's tail.
 */
import type { Range, OutcomeCounts, Plan, Waybill } from '../model/delivery.ts';

/** Lines as they go into blocks: every line ended by one newline, blank ones gone. */
export interface Lines {
  readonly bytes: Buffer;
  /** For each line the byte just behind its newline; the last equals `bytes.length`. */
  readonly ends: Uint32Array;
}

/** Lines `from` (included) to `to` (not) of a request: one block's share. */
export interface Cut {
  readonly from: number;
  readonly to: number;
  readonly bytes: Buffer;
}

/** One with the CRC-32 of its bytes. */
export interface SummedCut extends Cut {
  readonly crc: number;
}

/** What makes a request recognisable when it is repeated. */
export type RequestIdentity =
  | {
      readonly kind: 'key';
      /** 16 bytes: a hash of token, key and stream. */
      readonly hash: Buffer;
    }
  | {
      readonly kind: 'producer';
      readonly producer: bigint;
      readonly epoch: number;
      /** Grows with each request of the producer to this stream. */
      readonly sequence: number;
    };

/** A request's lines as their sender has deflated them. */
export interface DeflatedLines {
  /** A raw deflate fragment ended by a sync flush, which has been inflated to just these lines. In memory of its own. */
  readonly fragment: Buffer;
  /** CRC-32 of the lines' bytes. */
  readonly crc: number;
}

export interface AppendRequest {
  readonly stream: string;
  /** Whom a flood of new streams, a full disk's fair share and memory are charged to. */
  readonly account: string;
  readonly lines: Lines;
  readonly identity?: RequestIdentity;
  /** As {@link ShardBuffer.cut} has made them of these lines, so that their bytes are not summed again. */
  readonly cuts?: readonly SummedCut[];
  /** Stored as it is where that makes a block that may be one; then nothing has to be deflated. */
  readonly deflated?: DeflatedLines;
}

export type AppendRefusal =
  /** Disk above the low watermark and this account above its fair share, or its stream quota. */
  | 'over_fair_share'
  | 'too_many_streams'
  | 'disk_full'
  /** Neither the write nor its repetition elsewhere could be synced. */
  | 'not_durable'
  | 'draining';

export type AppendResult =
  | {
      readonly kind: 'stored';
      /** The stream's epoch, 16 hex digits. */
      readonly epoch: string;
      readonly range: Range;
      /** True when an earlier request with the same identity had stored them. */
      readonly repeat: boolean;
    }
  /** The same key came before with another body. */
  | { readonly kind: 'key_conflict' }
  | { readonly kind: 'refused'; readonly reason: AppendRefusal; readonly retryAfterMs: number };

/** How a block's bytes are stored: as they came, as a raw deflate fragment ended by a sync flush, or as a zstd frame. */
export type Codec = 'raw' | 'deflate' | 'zstd';

/** What the index knows of a block without reading it. */
export interface BlockInfo {
  readonly range: Range;
  readonly receivedMs: number;
  readonly plainBytes: number;
  readonly storedBytes: number;
}

/** A block as read back and verified. `stored` may be shared: never write into it. */
export interface StoredBlock extends BlockInfo {
  readonly codec: Codec;
  readonly stored: Buffer;
  /** CRC-32 (IEEE) of the plain bytes. */
  readonly plainCrc: number;
}

export type ReadBlocks =
  /** Consecutive blocks; the first one holds `from` (it may begin before). */
  | {
      readonly kind: 'blocks';
      readonly blocks: readonly StoredBlock[];
      /** For whoever has copied what it wanted: gives memory back at once. Nobody may look at the blocks afterwards. */
      readonly giveBack?: () => void;
    }
  /** These lines cannot be read any more; read on from `range.to`. */
  | {
      readonly kind: 'gap';
      readonly range: Range;
      readonly receivedMs: number;
      readonly reason: 'corrupt' | 'erased' | 'expired';
    }
  /** `from` is the stream's durable head. */
  | { readonly kind: 'end' }
  /** The disk did not answer; try again. */
  | { readonly kind: 'failed'; readonly detail: string };

/** Where a time of reception falls in a stream. */
export type OffsetAt =
  /** The first line received then or later; the head when there is none yet. Lines to come are never dated before it. */
  | { readonly kind: 'offset'; readonly offset: number }
  /** Some of the lines received from then on are not there any more; from `sinceMs` on all are. */
  | { readonly kind: 'gone'; readonly sinceMs: number }
  /** Lines received before may still be on their way to the disk. Ask again. */
  | { readonly kind: 'early' }
  /** The disk did not answer; try again. */
  | { readonly kind: 'failed'; readonly detail: string };

export interface StreamState {
  readonly stream: string;
  /** To whom it was charged when it was made. */
  readonly account: string;
  readonly epoch: string;
  readonly head: number;
  /** Oldest offset still readable. */
  readonly oldest: number;
  /** Lines before it were ordered erased; 0 when there is nothing left of such an order. */
  readonly erasedTo: number;
  readonly acceptedLines: number;
  readonly acceptedBytes: number;
  readonly lastReceivedMs: number;
}

export interface JobState {
  readonly job: number;
  readonly stream: string;
  readonly epoch: string;
  /** The offset from which the job's books count. */
  readonly start: number;
  /** Where its lines end, for a replay; null: never. */
  readonly end: number | null;
  /** End of the settled prefix. */
  readonly cursor: number;
  /** Settled ranges beyond the cursor, ordered. */
  readonly settled: readonly Range[];
  /** Durable plans that no waybill has settled yet, ordered by range. After a restart they are sent again as they are. */
  readonly open: readonly Plan[];
  /** Sums of all its waybills. */
  readonly totals: OutcomeCounts;
  readonly deliveredBytes: number;
  /** Sequence and hash of its newest waybill; what the next one chains to. */
  readonly sequence: number;
  readonly chain: string | null;
  /** Reception time up to which all lines are settled; null before the first waybill. */
  readonly lastCompleteMs: number | null;
  /** Set while the job is deleted or switched off and its lines are held back. */
  readonly closedMs: number | null;
}

/** Lines of a job that are neither settled nor lost, per UTC hour of reception. */
export interface JobWaiting {
  readonly job: number;
  readonly lines: number;
  readonly bytes: number;
  readonly oldestReceivedMs: number | null;
  readonly byHour: ReadonlyMap<number, number>;
}

/** How a plan or a waybill was taken. `failed`: nothing was recorded; try again later. */
export type RecordResult =
  | { readonly kind: 'durable' }
  | { readonly kind: 'failed'; readonly detail: string };

/** Where a job begins to read. What is not held any more is passed over. */
export type JobStart =
  | 'head'
  | 'oldest'
  | { readonly offset: number }
  /** In the past when the job is new; one that was forgotten and comes again begins at the head. */
  | { readonly firstOffset: number }
  /** Only these lines: a replay. They are held for it like waiting ones. */
  | { readonly offset: number; readonly end: number };

/** An owner's order, as one stream of it sees it. */
export interface StreamErasure {
  readonly stream: string;
  /** Its lines before this offset, which is the head or where a block begins. */
  readonly to: number;
}

/** What the ledger is told, once the record behind it is durable. Order is the log's. */
export type LedgerEvent =
  | {
      readonly kind: 'accepted';
      readonly stream: string;
      readonly epoch: string;
      readonly range: Range;
      readonly hour: number;
      readonly bytes: number;
    }
  | {
      readonly kind: 'job';
      readonly job: number;
      readonly stream: string;
      readonly epoch: string;
      readonly start: number;
      readonly open: boolean;
      /** A replay: where its lines end. */
      readonly end?: number;
    }
  | { readonly kind: 'waybill'; readonly waybill: Waybill }
  | {
      readonly kind: 'refused';
      readonly sequence: number;
      readonly entries: readonly RefusalCount[];
    };

/** Lines that were not taken: refusals that name a stream, counted by hour and reason. */
export interface RefusalCount {
  readonly stream: string;
  readonly hour: number;
  readonly reason: string;
  readonly requests: number;
  readonly lines: number;
}

/** The ledger's durable copy, as the buffer needs it: it outlives trimmed segments. */
export interface LedgerSink {
  /** Takes an event; may hold it in memory. Events seen before (after a crash) are recognised by it and skipped. */
  record(event: LedgerEvent): void;
  /** Puts everything recorded so far on stable storage. Rejects when the disk does not take it. */
  sync(): Promise<void>;
}

export interface BufferStats {
  readonly streams: number;
  readonly jobs: number;
  readonly heldBytes: number;
  readonly diskUsedShare: number;
  readonly commits: number;
  readonly syncs: number;
  readonly writtenBytes: number;
  readonly damagedBytes: number;
  readonly corruptLines: number;
  readonly replayableSinceMs: number | null;
  readonly serviceMs: number;
  /** Lines that retention would drop, and does not because they are too many: it asks an operator. 0 when it does not. */
  readonly expiryAsksForLines: number;
}

export interface ShardBuffer {
  readonly durability: 'disk' | 'memory';
  /**
   * Resolves once the lines are on stable storage, or says why they are not. All of them or none. Until then it looks at the
   * request's bytes; once they are stored their memory is the caller's again.
   */
  append(request: AppendRequest): Promise<AppendResult>;
  /** What `append` would make blocks of, for whoever has to know the CRC-32 of lines before they may be appended. */
  cut(lines: Lines): readonly SummedCut[];

  stream(key: string): StreamState | undefined;
  /**
   * An operator's answer to retention that stopped because it would drop much: it may drop what it asks for, if that is no more
   * than so many lines. Returns how many lines it asks for; 0 when it does not ask.
   */
  expire(mostLines: number): number;
  /** The newest epoch of a producer that the stream has lines of, and its highest sequence: durable as the lines are. */
  lastOf(
    stream: string,
    producer: bigint,
  ): { readonly epoch: number; readonly sequence: number } | undefined;
  streams(): Iterable<StreamState>;
  /**
   * Index only: blocks from the one that holds `from` on, at most `most`, and none behind those that come to `plainBytes`. Empty at
   * the head.
   */
  peek(
    stream: string,
    from: number,
    most: number,
    plainBytes?: number,
  ): Promise<readonly BlockInfo[]>;
  /**
   * Blocks from the one that holds `from` on, about `maxPlainBytes` of them and at least one; none that begins at `before` or behind
   * it, so that of a long backlog no more is read than is wanted.
   */
  read(stream: string, from: number, maxPlainBytes: number, before?: number): Promise<ReadBlocks>;
  /**
   * Finds a time of reception, in milliseconds since 1970, by the index alone. Once answered for a stream, the answer for
   * this time stays the same, whatever the wall clock does, until the lines are gone or the process ends.
   */
  offsetAt(stream: string, receivedMs: number): Promise<OffsetAt>;
  /** Calls `wake` after each commit with the streams that grew. Returns the way to stop. */
  onGrowth(wake: (streams: readonly string[]) => void): () => void;

  job(id: number): JobState | undefined;
  jobs(): Iterable<JobState>;
  /** Makes the job's cursor (and its stream, when that has no lines yet); reopens a closed one where it stopped. */
  openJob(id: number, stream: string, account: string, start: JobStart): Promise<RecordResult>;
  /** Keeps cursor and lines for the holdback, then settles the rest as `unclaimed`. */
  closeJob(id: number): Promise<RecordResult>;
  /** Records plans before their first attempt. `replaces`: the open plan whose halves they are. */
  plan(job: number, plans: readonly Plan[], replaces?: string): Promise<RecordResult>;
  /** Settles a range. The waybill must continue the job's chain (`sequence`, `previous`) and account for exactly its lines. */
  settle(waybill: Waybill): Promise<RecordResult>;
  waiting(job: number): JobWaiting | undefined;
  /** How much longer, in service, a closed job's cursor and lines are held; null for one that is open or not known. */
  heldForMs(job: number): number | null;
  /** Settles what is unsettled before an offset as not wanted by its owner. `failed`: something is left; try again. */
  skip(job: number, before: number): Promise<RecordResult>;
  /**
   * Erases lines as their owner ordered: once this is durable, nothing reads them. Waybills that say so follow by themselves,
   * and their bytes are gone from the disk within `erasureMs` in service and a little.
   */
  erase(order: string, streams: readonly StreamErasure[]): Promise<RecordResult>;
  /** Of these streams those that have erased lines whose bytes are still on disk, or that are not settled yet. */
  erasing(streams: readonly string[]): readonly string[];

  /** Counts lines that were not taken; made durable with a later commit, at the latest after five seconds. */
  countRefusal(entry: RefusalCount): void;

  /** Runs the periodic chores that are due: checkpoint, trimming, retention, closing of held-back jobs, compaction. */
  tend(): Promise<void>;
  stats(): BufferStats;
  /** Refuses new appends as `draining`; plans and waybills still pass. */
  drain(): void;
  /** Writes a last checkpoint and closes the log. */
  close(): Promise<void>;
}
