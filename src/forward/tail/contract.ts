/** What the tailer is told, what it is handed in, and what it says of itself. */
import type { AppendRequest, AppendResult } from '../../buffer/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { FollowedFiles } from '../../lib/fs/followed.ts';
import type { Random } from '../../lib/random.ts';
import type { RouteTable } from '../../route/index.ts';
import type { TextStore } from './registry.ts';
import type { Destination } from './sort.ts';

/** Files to follow and where their lines go. */
export interface Source {
  /** What it is remembered by: it stays the same over restarts as long as the source means the same. */
  readonly name: string;
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  readonly from: 'start' | 'end';
  readonly to: Destination;
}

export interface TailerDeps {
  readonly sources: readonly Source[];
  readonly files: FollowedFiles;
  readonly registry: TextStore;
  readonly append: (request: AppendRequest) => Promise<AppendResult>;
  /** How far a file's lines are stored in a stream. */
  readonly lastOf: (stream: string, producer: bigint) => { readonly sequence: number } | undefined;
  readonly route: () => RouteTable;
  /** Whether lines can be told apart by zone yet. */
  readonly canSort: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly limits: {
    readonly files: number;
    readonly readBytes: number;
    readonly lineBytes: number;
    readonly pollMs: number;
    readonly scanMs: number;
  };
}

/** What the tailer says of itself. */
export interface TailStats {
  readonly files: number;
  /** Bytes in them that have not been accepted yet. */
  readonly behindBytes: number;
  readonly acceptedLines: number;
  readonly unwantedLines: number;
  /** Bytes that were gone (truncated, deleted) before they could be read, as far as that can be told. */
  readonly lostBytes: number;
  readonly problems: readonly string[];
}
