import type { JobState, ShardBuffer } from '../../buffer/index.ts';
import type { Delivery } from '../../deliver/index.ts';
import type { OpenArchiveWriter } from '../../ledger/index.ts';
import type { ShardCut, ShardJob } from '../link/link.ts';

/**
 * Jobs at one instant, and the point in the archive that holds exactly the events behind them: everything is read in one
 * turn, and the archive's mark is taken in the same turn.
 */
export async function shardCut(
  buffer: ShardBuffer,
  delivery: Delivery,
  archive: OpenArchiveWriter,
  wanted: readonly number[] | null,
): Promise<ShardCut> {
  const states = wanted ? wanted.flatMap((id) => buffer.job(id) ?? []) : [...buffer.jobs()];
  const jobs = states.map((state) => cutOf(state, buffer, delivery));
  return { jobs, mark: await archive.flush() };
}

function cutOf(state: JobState, buffer: ShardBuffer, delivery: Delivery): ShardJob {
  const waiting = buffer.waiting(state.job);
  return {
    job: state.job,
    stream: state.stream,
    epoch: state.epoch,
    start: state.start,
    cursor: state.cursor,
    head: Math.min(state.end ?? Infinity, buffer.stream(state.stream)?.head ?? state.start),
    totals: state.totals,
    deliveredBytes: state.deliveredBytes,
    lastCompleteMs: state.lastCompleteMs,
    waitingByHour: [...(waiting?.byHour ?? [])],
    waitingBytes: waiting?.bytes ?? 0,
    oldestWaitingMs: waiting?.oldestReceivedMs ?? null,
    isReplay: state.end !== null,
    heldForMs: buffer.heldForMs(state.job),
    status: delivery.status(state.job),
  };
}
