/**
 * Opening a shard: the newest checkpoint that is whole, then the log behind it, by the same `apply` that runs live. What
 * cannot be told from what is there is not guessed: a log whose prefix is gone and no checkpoint that covers it refuses to
 * start (I10: a damaged file is never silently reset).
 */
import { FsError } from '../lib/fs/file-system.ts';
import type { Damage, LogRecord, Position } from '../log/index.ts';
import { Checkpoints } from './checkpoint/checkpoints.ts';
import type { HeadChunk } from './checkpoint/chunks.codec.ts';
import type { ShardBuffer } from './contract.ts';
import type { BufferDeps } from './deps.ts';
import { decodeRecord, encodeGenesis } from './format/records.codec.ts';
import { ReadFailed } from './read/pages.ts';
import { ServiceClock } from './service-clock.ts';
import { LogBuffer } from './shard-buffer.ts';
import { ShardState } from './state/state.ts';

/** What recovery met. */
export interface Recovered {
  /** Number of the checkpoint that it went on from; null when everything came from the log. */
  readonly checkpoint: number | null;
  /** Checkpoints that were damaged and passed over. */
  readonly damagedCheckpoints: number;
  readonly records: number;
  /** Bytes of the replayed part of the log that could not be read, and lines known to be lost with them. */
  readonly damagedBytes: number;
  readonly corruptLines: number;
  readonly streams: number;
  readonly jobs: number;
}

export type OpenBufferOutcome =
  | { readonly kind: 'open'; readonly buffer: ShardBuffer; readonly recovered: Recovered }
  /** What is there cannot be read, or not without losing something. Nothing was touched. */
  | { readonly kind: 'unreadable'; readonly detail: string }
  /** The disk did not answer. */
  | { readonly kind: 'failed'; readonly detail: string };

/** Bytes read from the log at once in replay. */
const READ_BYTES = 4 << 20;

class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/** Opens the buffer of a shard over its log, recovering what was there. */
export async function openBuffer(deps: BufferDeps): Promise<OpenBufferOutcome> {
  try {
    return await recover(deps);
  } catch (error) {
    if (error instanceof Unreadable) return { kind: 'unreadable', detail: error.message };
    if (error instanceof FsError || error instanceof ReadFailed) {
      return { kind: 'failed', detail: error.message };
    }
    throw error;
  }
}

async function recover(deps: BufferDeps): Promise<OpenBufferOutcome> {
  const { clock, diagnostics, directory, files, ledger, limits, onStep } = deps;
  await files.makeDirectory(directory);
  const fresh = (): ShardState => new ShardState(limits.buffer, ledger, diagnostics);
  const checkpoints = new Checkpoints({ files, directory, ledger, diagnostics, onStep });
  const chosen = await choose(deps, checkpoints, fresh);
  const { state, head } = chosen;
  if (head !== undefined) onStep?.('checkpoint-loaded');
  checkpoints.startFrom(head);
  const before = { damagedBytes: state.damagedBytes, corruptLines: state.corruptLines };
  if (head === undefined) await begin(deps);
  const records = await replay(deps, state, head);
  onStep?.('log-replayed');
  const orphans = state.dropOrphans();
  if (orphans > 0) diagnostics.alarm('buffer.lines_without_stream', { lines: orphans });
  state.trimmedBefore(deps.log.start());
  state.recount();
  const service = new ServiceClock(clock, state.serviceMs);
  const buffer = new LogBuffer(deps, state, service, checkpoints);
  await buffer.recallHours();
  await buffer.lookAtDisk();
  const recovered: Recovered = {
    checkpoint: head?.sequence ?? null,
    damagedCheckpoints: chosen.damaged,
    records,
    damagedBytes: state.damagedBytes - before.damagedBytes,
    corruptLines: state.corruptLines - before.corruptLines,
    streams: state.streams.size,
    jobs: state.jobs.size,
  };
  return { kind: 'open', buffer, recovered };
}

interface Chosen {
  readonly state: ShardState;
  readonly head: HeadChunk | undefined;
  readonly damaged: number;
}

/** The newest checkpoint that is whole and that the log still reaches back to; else an empty state. */
async function choose(
  { diagnostics, log }: BufferDeps,
  checkpoints: Checkpoints,
  fresh: () => ShardState,
): Promise<Chosen> {
  const start = log.start();
  const end = log.durableEnd();
  const found = await checkpoints.list();
  if (log.durability === 'memory' && start === end && found.length > 0) {
    // They belong to a log that was gone with its process.
    await checkpoints.removeAll();
    return { state: fresh(), head: undefined, damaged: 0 };
  }
  let damaged = 0;
  for (const sequence of found) {
    const loaded = await checkpoints.load(sequence, fresh);
    if (loaded.kind === 'newer') {
      throw new Unreadable(
        `checkpoint ${sequence} has format ${loaded.version}, which a newer version wrote`,
      );
    }
    if (loaded.kind === 'damaged') {
      damaged += 1;
      diagnostics.alarm('buffer.checkpoint_damaged', { sequence, reason: loaded.reason });
      continue;
    }
    if (loaded.head.position > end) {
      throw new Unreadable('the log ends before its checkpoint: a part of it is missing');
    }
    if (loaded.head.tailStart < start) {
      throw new Unreadable(
        'the log begins behind what the last whole checkpoint needs: a part of it is missing',
      );
    }
    return { state: loaded.state, head: loaded.head, damaged };
  }
  if (damaged > 0 && start === end) {
    throw new Unreadable('every checkpoint is damaged and the log is empty');
  }
  return { state: fresh(), head: undefined, damaged };
}

/** Without a checkpoint the log must hold everything: its first record says that it was never trimmed. */
async function begin({ clock, log }: BufferDeps): Promise<void> {
  const start = log.start();
  if (start === log.durableEnd()) {
    const outcome = await log.append([[encodeGenesis(0, { createdMs: clock.wallMs() })]]);
    if (outcome.kind === 'durable') return;
    throw new ReadFailed(
      outcome.kind === 'fenced' ? 'a newer owner has the shard' : outcome.detail,
    );
  }
  const first = await log.readOne(start);
  if (first.kind === 'failed') throw new ReadFailed(first.detail);
  if (first.kind === 'fenced') throw new ReadFailed('a newer owner has the shard');
  const record = first.kind === 'record' ? decodeRecord(first.record.payload, 'skip') : undefined;
  if (record?.kind === 'newer')
    throw new Unreadable(`the log has format ${record.version}, which a newer version wrote`);
  if (record?.kind !== 'genesis') {
    throw new Unreadable('no whole checkpoint, and the log does not begin with its first record');
  }
}

async function replay(
  deps: BufferDeps,
  state: ShardState,
  head: HeadChunk | undefined,
): Promise<number> {
  const { diagnostics, log } = deps;
  const applyFrom = head?.position ?? 0;
  let position: Position = head === undefined ? log.start() : (head.tailStart as Position);
  if (head === undefined) state.spans.tailStart = position;
  const end = log.durableEnd();
  let records = 0;
  while (position < end) {
    const outcome = await log.read(position, READ_BYTES);
    if (outcome.kind === 'trimmed') throw new Unreadable('the log was trimmed while it was read');
    if (outcome.kind === 'fenced') throw new ReadFailed('a newer owner has the shard');
    if (outcome.kind === 'failed') throw new ReadFailed(outcome.detail);
    for (const piece of inOrder(outcome.records, outcome.damage)) {
      if ('position' in piece) {
        replayOne(deps, state, piece, applyFrom);
        records += 1;
        continue;
      }
      if (piece.to > applyFrom) {
        state.damagedBytes += piece.to - piece.from;
        diagnostics.alarm('buffer.log_damaged', {
          bytes: piece.to - piece.from,
          reason: piece.reason,
        });
      }
      replayDamaged(state, piece, applyFrom);
    }
    if (outcome.next <= position) break;
    position = outcome.next;
  }
  state.appliedEnd = Math.max(state.appliedEnd, end);
  return records;
}

/** As they stand in the log. */
function inOrder(
  records: readonly LogRecord[],
  damage: readonly Damage[],
): readonly (LogRecord | Damage)[] {
  if (damage.length === 0) return records;
  const at = (piece: LogRecord | Damage): number =>
    'position' in piece ? piece.position : piece.from;
  return [...records, ...damage].toSorted((a, b) => at(a) - at(b));
}

/**
 * A block whose lines decayed, but not its header, which has a checksum of its own: it is known whose lines are lost and
 * which offsets they had, and these are not given out again. Reading them finds the damage.
 */
function replayDamaged(state: ShardState, { from, to, payload }: Damage, applyFrom: number): void {
  const record = payload && decodeRecord(payload, 'skip');
  if (record?.kind !== 'block') return;
  if (from < applyFrom) state.indexOnly(record, from);
  else state.apply(record, from, to);
}

function replayOne(
  { diagnostics }: BufferDeps,
  state: ShardState,
  { position, end, payload }: LogRecord,
  applyFrom: number,
): void {
  const record = decodeRecord(payload, 'skip');
  switch (record.kind) {
    case 'newer':
      throw new Unreadable(
        `the log has a record of format ${record.version}, which a newer version wrote`,
      );
    case 'damaged':
      if (position < applyFrom) return;
      state.damagedBytes += payload.length;
      diagnostics.alarm('buffer.record_damaged', { bytes: payload.length, reason: record.reason });
      return;
    default:
      if (position < applyFrom) state.indexOnly(record, position);
      else state.apply(record, position, end);
  }
}
