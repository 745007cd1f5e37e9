/** What ingest is handed, and what it offers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type {
  AppendRequest,
  AppendResult,
  Lines,
  RefusalCount,
  SummedCut,
} from '../buffer/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { Random } from '../lib/random.ts';
import type { PassedThrough } from '../lib/via.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { HeldElsewhere } from '../lib/held-elsewhere.ts';
import type { limits } from '../model/limits.ts';
import type { StreamKey } from '../model/scope.ts';
import type { Handed, HandedResult } from '../peers/index.ts';
import type { RouteTable } from '../route/index.ts';

/** The bounds of `limits.ingest`, as numbers, so that tests and operators can set others. */
export type IngestLimits = { readonly [Name in keyof typeof limits.ingest]: number };

/** What was wrong with a line that is kept apart: the code that it would have been refused with. */
export type LineProblem = 'line_too_long' | 'line_shape' | 'line_json';

/** A line that was not accepted and is kept where its owner can list and fetch it. */
export interface KeptLine {
  /** 1-based line of the request's body. */
  readonly line: number;
  /** The line without its newline; of one that is too long the first `lineBytes` bytes. The buffer is the keeper's. */
  readonly bytes: Buffer;
  readonly problem: LineProblem;
}

export interface KeepEntry {
  readonly stream: StreamKey;
  readonly account: string;
  readonly reason: 'quarantined';
  readonly lines: readonly KeptLine[];
}

/** Somebody looks at lines as they come in, wanted or not (Instant Logs). Nothing here may wait. */
export interface LineTap {
  /** Whether anybody looks at all: the one thing that is asked for every request. */
  readonly watching: boolean;
  /** Whoever looks at this stream. */
  onlooker(stream: StreamKey): Onlooker | undefined;
}

/** Is shown good lines. Their bytes stay the request's: what is kept of them must be copied. */
export interface Onlooker {
  seeAll(lines: Lines): void;
  /** @param end just behind the line's newline */
  see(bytes: Buffer, start: number, end: number): void;
}

/** The other shards of this process: who owns a stream gives out its offsets. */
export interface ForeignShards {
  /** Who owns the stream; undefined: this shard. */
  ownerOf(stream: StreamKey): number | undefined;
  /** Resolves once the owner has the lines on stable storage, or says why not (I1). */
  append(owner: number, handed: Handed): Promise<HandedResult>;
}

export interface IngestDeps {
  /** The configuration in force; undefined while none is (answered as `starting`). Asked once per request. */
  readonly route: () => RouteTable | undefined;
  /** Resolves once the lines are on stable storage, or says why they are not (I1). */
  readonly append: (request: AppendRequest) => Promise<AppendResult>;
  /** What `append` would make blocks of, with their CRC-32. Absent: who has to know a body's sums it. */
  readonly cut?: (lines: Lines) => readonly SummedCut[];
  /** Absent: this shard owns every stream. */
  readonly foreign?: ForeignShards;
  /** What the other shards hold of the memory for bodies. Absent: nobody else takes from it. */
  readonly heldElsewhere?: HeldElsewhere;
  /** Counts refusals of known tokens for known streams, shown in the ledger as "not taken". */
  readonly countRefusal: (entry: RefusalCount) => void;
  /** Keeps lines apart, all of the entry or none of it. `full`: their owner's room is used up; `failed`: the disk did not
   * take them, which may pass. */
  readonly keepLines: (entry: KeepEntry) => Promise<'kept' | 'full' | 'failed'>;
  /** What a yes rests on; told in every answer. */
  readonly durability: 'disk' | 'memory';
  /** How long an `Idempotency-Key` is remembered at present, in milliseconds; told in every answer. */
  readonly keysReachBackMs: () => number;
  /** Absent: nobody ever looks. */
  readonly tap?: LineTap;
  /** For each account's fair share of the rate. Absent: nobody is held to one. */
  readonly fair?: {
    /** How busy this thread was since it was last asked, 0 to 1. */
    readonly busyShare: () => number;
    readonly weightOf: (account: string) => number;
  };
  /** This server's name as its own deliveries say it; they are refused. Absent: nobody's are. */
  readonly instance?: string;
  /** Is told which servers a stream's lines have passed through. Absent: nobody is. */
  readonly passedThrough?: Pick<PassedThrough, 'note'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly limits: IngestLimits;
}

/** Counters since the start, and what is held just now. */
export interface IngestStats {
  /** Requests that have come, refused ones included. */
  readonly requests: number;
  /** Requests under way, and those of them whose body is still arriving. */
  readonly underWay: number;
  readonly uploads: number;
  /** How busy the thread was at the last look, and accounts held to their share of the rate. */
  readonly busyShare: number;
  readonly limitedAccounts: number;
  /** Memory charged for bodies just now, and the most that was ever charged. */
  readonly heldBytes: number;
  readonly heldBytesPeak: number;
  /** Bytes of bodies as sent, and after decompression. */
  readonly bodyBytes: number;
  readonly plainBytes: number;
  readonly acceptedLines: number;
  readonly acceptedBytes: number;
  /** Lines of requests that had been stored before; part of `acceptedLines` of an earlier run or request. */
  readonly repeatedLines: number;
  readonly quarantinedLines: number;
  readonly unwantedLines: number;
  /** The streams with unwanted lines that are counted one by one; the rest is in `unwantedLines` only. */
  readonly unwantedByStream: ReadonlyMap<StreamKey, number>;
  /** Refusals by code: one per request, or one per stream of a `?by=` request. */
  readonly refusals: ReadonlyMap<ErrorCode, number>;
  /** Uploads that were cut off by their sender. */
  readonly cut: number;
}

/** The HTTP door for lines. */
export interface Ingest {
  /**
   * Answers one request. Never throws and never rejects: a fault of ours is answered as `internal`.
   *
   * @param awaitsContinue the request came by the server's `checkContinue` event, and nothing has been answered to its
   *   `Expect: 100-continue` yet
   */
  handle(request: IncomingMessage, response: ServerResponse, awaitsContinue?: boolean): void;
  /** From now on requests are refused as `draining`, also those whose body is still arriving. Whole bodies are finished. */
  drain(): void;
  stats(): IngestStats;
  /**
   * Whether an account's lines that another shard has received may come in just now, by its share of this thread's time; they
   * are charged to it.
   *
   * @returns 0, or when to come back, in milliseconds
   */
  admitHanded(account: string, bytes: number): number;
  /** Memory that was moved to another shard with a body is back. */
  regain(memory: ArrayBuffer): void;
  /** Drains, and resolves when no request is under way any more. */
  close(): Promise<void>;
}
