import type { Clock } from '../lib/clock.ts';
import type { DeflateMany } from '../lib/deflate-many/contract.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import type { Random } from '../lib/random.ts';
import type { limits } from '../model/limits.ts';
import type { ShardLog } from '../log/index.ts';
import type { LedgerSink } from './contract.ts';

type Numbers<T> = { readonly [name in keyof T]: number };

/** The bounds of `model/limits.ts` that the buffer needs; tests hand in smaller ones. */
export interface BufferLimits {
  readonly log: Numbers<Pick<(typeof limits)['log'], 'segmentBytes' | 'commitBytes'>>;
  readonly buffer: Numbers<(typeof limits)['buffer']>;
}

/** Where in a recovery, a checkpoint or a compaction the buffer stands; tests kill the process there. */
export const BUFFER_STEPS = [
  'checkpoint-loaded',
  'log-replayed',
  'checkpoint-written',
  'ledger-synced',
  'checkpoint-synced',
  'checkpoint-renamed',
  'checkpoint-named',
  'checkpoint-unlinked',
  'copies-written',
  'span-let-go',
] as const;
export type BufferStep = (typeof BUFFER_STEPS)[number];

/** Other shards whose logs lie on the same disk. */
export interface DiskSharers {
  /** How many shards there are, with this one. */
  readonly shards: number;
  /** Bytes on disk that wait for an account at the others. */
  backlogOf(account: string): number;
  /** Is told at each look at the disk what waits here, for accounts that are bounded to a share of it. */
  tell(backlogs: ReadonlyMap<string, number>): void;
}

/** All that a shard's buffer is handed. */
export interface BufferDeps {
  /** Opened, and this buffer's alone. Closed by `close()`. */
  readonly log: ShardLog;
  readonly files: FileSystem;
  /** Where the checkpoints lie; made when it is not there. Its disk is the one that the watermarks speak of. */
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly ledger: LedgerSink;
  readonly limits: BufferLimits;
  /** Deflates the small blocks of a commit in another thread; absent: each goes through libuv's pool. */
  readonly deflateMany?: DeflateMany;
  /** An account's weight in the fair share of a full disk; 1 for all when left out. */
  readonly weightOf?: (account: string) => number;
  /** Accounts whose backlog may take no more than a share (0 to 1) of the disk, however empty it is. */
  readonly diskShares?: () => ReadonlyMap<string, number>;
  /** Absent: the disk is this shard's alone. */
  readonly diskSharers?: DiskSharers;
  /** Called as each durability step is done. For tests that end the process there. */
  readonly onStep?: (step: BufferStep) => void;
}
