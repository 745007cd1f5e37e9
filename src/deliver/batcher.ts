/**
 * Which lines the next batch carries: whole blocks from the end of the last plan, within the bounds of engine, job and
 * receiver, and never across a UTC hour. Pure: looks at the index only.
 */
import type { BlockInfo } from '../buffer/index.ts';
import { hourOf } from '../model/delivery.ts';
import type { Range } from '../model/delivery.ts';
import type { JobConfig } from '../model/snapshot.ts';
import type { DeliverLimits, ReceiverDescription } from './contract.ts';

const HOUR_MS = 3_600_000;

/**
 * A batch also closes when its stream has been quiet for a part of the interval, if it is a good part of a full one: the end of
 * a burst need not wait for what does not come. Under steady load this never happens, and a trickle never fills a batch so far;
 * in between a job sends at most this many times as often as with full batches.
 */
const QUIET_INTERVAL_SHARE = 1 / 5;
const QUIET_FULL_SHARE = 1 / 4;

export interface BatchCaps {
  readonly lines: number;
  /** Plain bytes, as they came. */
  readonly bytes: number;
  /** How long the first line waits for more. */
  readonly intervalMs: number;
}

/**
 * The bounds of a job's batches. A job's own numbers are upper bounds, as in Logpush: a batch may always be smaller and
 * sooner. Without its own number of bytes the engine's target holds; with one, up to the engine's cap.
 */
export function batchCaps(
  job: Pick<JobConfig, 'maxUploadBytes' | 'maxUploadRecords' | 'maxUploadIntervalMs'>,
  receiver: Pick<ReceiverDescription, 'batchBytes' | 'batchLines'>,
  limits: Pick<DeliverLimits, 'batchBytes' | 'batchLines' | 'targetBytes'>,
  intervalMs: number,
): BatchCaps {
  const orElse = (own: number, engine: number) => (own > 0 ? own : engine);
  const ownBytes = orElse(job.maxUploadBytes, limits.targetBytes);
  return {
    lines: Math.min(
      limits.batchLines,
      orElse(job.maxUploadRecords, limits.batchLines),
      receiver.batchLines ?? Number.POSITIVE_INFINITY,
    ),
    bytes: Math.min(limits.batchBytes, ownBytes, receiver.batchBytes ?? Number.POSITIVE_INFINITY),
    intervalMs: Math.min(intervalMs, orElse(job.maxUploadIntervalMs, intervalMs)),
  };
}

export type BatchChoice =
  | { readonly kind: 'nothing' }
  /**
   * Not full yet; closes after `delayMs` unless enough lines come before. After `lookMs`, or once the lines waiting have
   * `lookAtBytes`, it may close sooner: asking again tells.
   */
  | {
      readonly kind: 'wait';
      readonly delayMs: number;
      readonly lookMs: number;
      readonly plainBytes: number;
      readonly lookAtBytes: number;
    }
  | {
      readonly kind: 'ready';
      readonly range: Range;
      /** Estimates where a block is taken in part; 0 where the index knows nothing (lines that cannot be read). */
      readonly plainBytes: number;
      readonly storedBytes: number;
      readonly blocks: number;
    };

export interface BatchQuestion {
  /** From the first unplanned line on; `infos` may begin before. */
  readonly next: Range;
  readonly head: number;
  /** Consecutive blocks from the one that holds `next.from` on. */
  readonly infos: readonly BlockInfo[];
  /** Whether the index may hold more blocks than `infos` shows. */
  readonly more: boolean;
  readonly caps: BatchCaps;
  readonly nowWallMs: number;
  /** Whether the first line has waited for the interval by a clock that nobody sets. */
  readonly overdue: boolean;
}

interface Taken {
  to: number;
  plainBytes: number;
  storedBytes: number;
  blocks: number;
  /** When its last block was received. */
  lastMs: number;
  full: boolean;
}

/** A block's plain bytes at most. */
const BLOCK_BYTES = 1_310_720;

/**
 * Plain bytes of blocks that are enough to choose by, whatever the first of them has of the batch: a long backlog need not be gone
 * through for each one.
 */
export function enoughBytes(caps: BatchCaps): number {
  return caps.bytes + BLOCK_BYTES;
}

export function chooseBatch(question: BatchQuestion): BatchChoice {
  const { next, head, infos, caps, nowWallMs } = question;
  const end = Math.min(next.to, head);
  if (next.from >= end) return { kind: 'nothing' };
  const first = infos.find((info) => info.range.to > next.from);
  if (!first || first.range.from > next.from) {
    // The index shows no block here. Reading will tell why; nothing is gained by waiting.
    const to = first ? Math.min(first.range.from, end) : end;
    return {
      kind: 'ready',
      range: { from: next.from, to },
      plainBytes: 0,
      storedBytes: 0,
      blocks: 0,
    };
  }
  const taken = take(question, first, end);
  const hourEndMs = (hourOf(first.receivedMs) + 1) * HOUR_MS;
  const dueMs = Math.min(first.receivedMs + caps.intervalMs, hourEndMs) - nowWallMs;
  const quietAtBytes = caps.bytes * QUIET_FULL_SHARE;
  const mayBeQuiet = taken.plainBytes >= quietAtBytes;
  const quietMs = mayBeQuiet
    ? taken.lastMs + caps.intervalMs * QUIET_INTERVAL_SHARE - nowWallMs
    : Number.POSITIVE_INFINITY;
  if (!taken.full && dueMs > 0 && quietMs > 0 && !question.overdue) {
    // A wall clock that was set back must not make lines wait longer than the interval.
    const delayMs = Math.min(dueMs, caps.intervalMs);
    const lookAtBytes = mayBeQuiet ? Number.POSITIVE_INFINITY : quietAtBytes;
    const { plainBytes } = taken;
    return { kind: 'wait', delayMs, lookMs: Math.min(delayMs, quietMs), plainBytes, lookAtBytes };
  }
  const range = { from: next.from, to: taken.to };
  const { plainBytes, storedBytes, blocks } = taken;
  return { kind: 'ready', range, plainBytes, storedBytes, blocks };
}

/** Takes blocks until one does not fit. A block that alone is too large is cut by lines. */
function take(question: BatchQuestion, first: BlockInfo, end: number): Taken {
  const { next, head, infos, caps } = question;
  const { receivedMs: lastMs } = first;
  const bytes = { plainBytes: 0, storedBytes: 0 };
  const taken: Taken = { to: next.from, ...bytes, blocks: 0, lastMs, full: false };
  const hour = hourOf(first.receivedMs);
  for (const info of infos) {
    if (info.range.to <= next.from) continue;
    if (taken.to >= end) break;
    const from = Math.max(info.range.from, next.from);
    const to = Math.min(info.range.to, end);
    const share = (to - from) / (info.range.to - info.range.from);
    const bytes = Math.ceil(info.plainBytes * share);
    const lines = to - from;
    const broken = info.range.from > taken.to && info.range.from > next.from;
    if (broken || hourOf(info.receivedMs) !== hour) return { ...taken, full: true };
    const tooMany = to - next.from > caps.lines || taken.plainBytes + bytes > caps.bytes;
    if (tooMany && taken.to > next.from) return { ...taken, full: true };
    const fits = tooMany ? linesThatFit(lines, bytes, caps) : lines;
    taken.to = from + fits;
    taken.plainBytes += Math.ceil((bytes * fits) / lines);
    taken.storedBytes += Math.ceil(info.storedBytes * share);
    taken.blocks += 1;
    taken.lastMs = info.receivedMs;
    if (tooMany || to - next.from >= caps.lines) return { ...taken, full: true };
  }
  const beforeHole = taken.to >= next.to;
  const cutShort = question.more && taken.to < head;
  return { ...taken, full: beforeHole || cutShort };
}

function linesThatFit(lines: number, bytes: number, caps: BatchCaps): number {
  const byBytes = Math.floor((lines * caps.bytes) / Math.max(1, bytes));
  return Math.max(1, Math.min(lines, caps.lines, byBytes));
}
