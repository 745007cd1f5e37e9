/**
 * One shard as the server puts it together (log over files, archive writer, buffer), over the simulated disk, with seams in
 * which a test can plant a bug.
 */
import type {
  BufferLimits,
  LedgerEvent,
  LedgerSink,
  Recovered,
  ShardBuffer,
} from '../../src/buffer/index.ts';
import { knownEnd, openBuffer } from '../../src/buffer/index.ts';
import { openArchiveWriter } from '../../src/ledger/index.ts';
import type { OpenArchiveWriter } from '../../src/ledger/index.ts';
import type { Clock } from '../../src/lib/clock.ts';
import type { DeflateMany } from '../../src/lib/deflate-many/contract.ts';
import type { Details, Diagnostics } from '../../src/lib/diagnostics.ts';
import { FsError } from '../../src/lib/fs/file-system.ts';
import type { FileSystem } from '../../src/lib/fs/file-system.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { openFilesLog } from '../../src/log/index.ts';
import type { Position, ShardLog } from '../../src/log/index.ts';
import { limits } from '../../src/model/limits.ts';

/** The data folder, laid out as the server does. */
export const DATA = '/data';
export const SHARD = `${DATA}/shards/0`;

/** Where a bug can be planted: each is handed the real part and gives back what stands in for it. */
export interface Seams {
  readonly files?: (files: FileSystem) => FileSystem;
  readonly log?: (log: ShardLog) => ShardLog;
  readonly ledger?: (sink: LedgerSink) => LedgerSink;
  readonly buffer?: (buffer: ShardBuffer) => ShardBuffer;
}

export interface SimLimits extends BufferLimits {
  readonly segmentFileBytes: number;
  readonly recordBytes: number;
  readonly archiveFileBytes: number;
}

export interface Shard {
  readonly buffer: ShardBuffer;
  readonly log: ShardLog;
  readonly archive: OpenArchiveWriter;
  readonly recovered: Recovered;
  readonly tornTailBytes: number;
}

export type Opening =
  | { readonly kind: 'open'; readonly shard: Shard }
  | {
      readonly kind: 'refused';
      readonly why: 'locked' | 'unreadable' | 'failed';
      readonly detail: string;
    };

export interface ShardParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly limits: SimLimits;
  readonly diagnostics: Diagnostics;
  /** Of the epochs that are made. */
  readonly seed: number;
  readonly seams?: Seams;
  /** Where the archive lies, when that is not the disk of the log. */
  readonly archiveFiles?: FileSystem;
  /** Deflates in another thread; absent: there is none. */
  readonly deflateMany?: DeflateMany;
  /** Sees every ledger event as it is recorded. */
  readonly onEvent?: (event: LedgerEvent) => void;
}

/** Opens the shard as `shard.worker.ts` does. */
export async function openShard(parts: ShardParts): Promise<Opening> {
  try {
    return await open(parts);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    return { kind: 'refused', why: 'failed', detail: error.message };
  }
}

async function open(parts: ShardParts): Promise<Opening> {
  const { clock, diagnostics, seams = {} } = parts;
  const files = seams.files?.(parts.files) ?? parts.files;
  const known = await knownEnd(files, `${SHARD}/buffer`);
  const opened = await openFilesLog({
    files,
    directory: `${SHARD}/log`,
    clock,
    diagnostics,
    segmentBytes: parts.limits.segmentFileBytes,
    recordBytes: parts.limits.recordBytes,
    commitBytes: parts.limits.log.commitBytes,
    openSegments: 2,
    ...(known === undefined ? {} : { knownEnd: known as Position }),
  });
  if (opened.kind !== 'open') return { kind: 'refused', why: opened.kind, detail: opened.detail };
  const log = seams.log?.(opened.log) ?? opened.log;
  let archive: OpenArchiveWriter;
  try {
    archive = await openArchiveWriter({
      files: parts.archiveFiles ?? files,
      directory: `${SHARD}/archive`,
      clock,
      diagnostics,
      fileBytes: parts.limits.archiveFileBytes,
      keepMs: limits.ledger.archiveMs,
    });
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    await log.close();
    return { kind: 'refused', why: 'failed', detail: error.message };
  }
  const sink: LedgerSink = {
    record(event) {
      parts.onEvent?.(event);
      archive.record(event);
    },
    sync: () => archive.sync(),
  };
  const outcome = await openBuffer({
    log,
    files,
    directory: `${SHARD}/buffer`,
    clock,
    random: seededRandom(parts.seed),
    diagnostics,
    ledger: seams.ledger?.(sink) ?? sink,
    limits: parts.limits,
    ...(parts.deflateMany && { deflateMany: parts.deflateMany }),
  });
  if (outcome.kind !== 'open') {
    await log.close();
    return { kind: 'refused', why: outcome.kind, detail: outcome.detail };
  }
  archive.live();
  const buffer = seams.buffer?.(outcome.buffer) ?? outcome.buffer;
  const { recovered } = outcome;
  return {
    kind: 'open',
    shard: { buffer, log, archive, recovered, tornTailBytes: opened.tornTailBytes },
  };
}

/** A diagnostics log that remembers alarms. */
export class Alarms implements Diagnostics {
  readonly seen: { readonly event: string; readonly details: Details }[] = [];

  debug(): void {}
  info(): void {}
  warn(): void {}
  error(): void {}

  alarm(event: string, details: Details = {}): void {
    this.seen.push({ event, details });
  }

  with(): Diagnostics {
    return this;
  }

  named(event: string): number {
    return this.seen.filter((one) => one.event === event).length;
  }
}
