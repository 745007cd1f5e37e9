/** What a producer is handed, and what it says of lines. */
import type { Clock } from '../lib/clock.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import type { Random } from '../lib/random.ts';
import type { ErrorBody } from '../model/errors.ts';
import type { Scope } from '../model/scope.ts';
import type { Poster } from './post.ts';
import type { Wanted } from './wanted.ts';

/** Whose lines they are: one stream, or many zones told apart by a field's value. */
export type Target =
  | { readonly scope: Scope; readonly dataset: string }
  | { readonly by: string; readonly dataset: string };

export interface ProducerOptions {
  /** The server's ingest URL, such as `http://127.0.0.1:4510`. */
  readonly url: string;
  /** An ingest token for the target. */
  readonly token: string;
  readonly target: Target;
  /** Keep lines of the wrong shape apart instead of refusing their body. */
  readonly quarantine?: boolean;
  /** @default "none" */
  readonly compression?: 'none' | 'gzip' | 'zstd';
  /** A body is sent when it has this many plain bytes. @default 1 MiB */
  readonly bodyBytes?: number;
  /** ... or this many lines. @default 100,000 */
  readonly bodyLines?: number;
  /** ... or when its first line has waited this long. @default 200 */
  readonly lingerMs?: number;
  /** Bodies under way at once. @default 4 */
  readonly connections?: number;
  /** Bytes held until they are answered; `write` waits above it. @default 32 MiB */
  readonly heldBytes?: number;
  /**
   * Numbers bodies instead of giving them keys: the server then knows a repeat however late it comes. `epoch` must be higher
   * than that of every earlier run with this id. At most 8 bodies may be under way at once.
   */
  readonly numbers?: { readonly producer: string; readonly epoch: number };
  /**
   * Keeps bodies on disk until they are decided. What an earlier process left there is sent first, under the keys from then.
   * One process per folder. Excludes `numbers`.
   */
  readonly spool?: {
    readonly directory: string;
    /** `write` waits above it. @default 1 GiB */
    readonly bytes?: number;
  };
  /** Lines of a stream that nobody wants are counted and not sent. */
  readonly wanted?: Pick<Wanted, 'wants'>;
  /** Time for one attempt of one body. @default 30,000 */
  readonly timeoutMs?: number;
  /** PEM certificates to trust besides the system's. */
  readonly ca?: string;
  /** Told of every body once it is decided. */
  readonly onResult?: (result: BodyResult) => void;
  /** Told of every attempt that will be repeated. */
  readonly onRetry?: (detail: string, afterMs: number) => void;
  /** Told when the spool's disk does not take a body: it is kept in memory alone. */
  readonly onSpoolProblem?: (detail: string) => void;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly poster?: Poster;
  readonly files?: FileSystem;
}

/** What one stream's part of a body came to. */
export interface StreamResult {
  readonly stream: string;
  readonly accepted: number;
  readonly epoch?: string;
  readonly offsets?: { readonly from: number; readonly to: number };
  /** The server had stored them before, under the same key. */
  readonly repeat?: boolean;
  readonly refused?: ErrorBody['error'];
  readonly lines?: number;
}

/** How a body ended. `body` is what was written, so that a refused one can be looked at, mended and written again. */
export interface BodyResult {
  readonly kind: 'taken' | 'refused';
  readonly key: string;
  readonly body: Buffer;
  readonly lines: number;
  readonly accepted: number;
  readonly unwanted: number;
  readonly quarantined: number;
  readonly streams: readonly StreamResult[];
  readonly attempts: number;
  /** For `refused`: why, and that sending it again will not help. */
  readonly error?: ErrorBody['error'];
}

export interface ProducerTotals {
  readonly written: number;
  readonly accepted: number;
  readonly unwanted: number;
  readonly quarantined: number;
  readonly refused: number;
  readonly bodies: number;
  readonly retries: number;
}

/**
 * Sends lines so that each is stored once: bodies carry an idempotency key, and one that is not answered, or is refused for
 * the time being, is sent again under the same key until it is decided.
 */
export interface Producer {
  /** Takes one line or several, each ended by a newline (the last one's may be missing). Waits while too much is held. */
  write(lines: Buffer | string): Promise<void>;
  /** Takes lines only if there is room for them now. False: nothing was taken; come again after `flush`, or drop them. */
  tryWrite(lines: Buffer | string): boolean;
  /** Resolves when everything written so far is decided. */
  flush(): Promise<void>;
  totals(): ProducerTotals;
  /** Flushes and lets go of the connections. */
  close(): Promise<void>;
}
