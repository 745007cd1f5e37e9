import { createHash } from 'node:crypto';
import type { Delivery } from '../../deliver/index.ts';
import type { Batch } from '../../destinations/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { LossAnswer, LossMarker } from '../../loss/index.ts';
import { limits } from '../../model/limits.ts';
import type { JobConfig, Snapshot } from '../../model/snapshot.ts';
import { formFor, packed } from './one-line.ts';
import type { Senders } from './senders.ts';

export interface LossSenderTools {
  readonly snapshot: Snapshot;
  readonly delivery: Pick<Delivery, 'status'>;
  readonly openSender: Senders['openSender'];
  readonly clock: Clock;
}

/**
 * Sends a marker of lost lines through a sender that the job would have. It is no delivery: nothing of it reaches the books.
 *
 * @throws what opening the sender throws
 */
export async function sendLossMarker(
  marker: LossMarker,
  { snapshot, delivery, openSender, clock }: LossSenderTools,
): Promise<LossAnswer> {
  const isMeant = ({ id }: JobConfig) => id === marker.job;
  const job = snapshot.jobs.find(isMeant) ?? snapshot.replays?.find(isMeant);
  if (!job) return 'no job';
  const status = delivery.status(job.id);
  // While the job's own batches do not get through, the marker would not either.
  if (!job.enabled || status?.state === 'backing_off' || status?.state === 'blocked') {
    return 'later';
  }
  const timeout = new AbortController();
  const late = new Promise<LossAnswer>((resolve) => {
    timeout.signal.addEventListener('abort', () => resolve('later'));
  });
  const cancel = clock.after(limits.lossNotices.attemptMs, () => timeout.abort());
  try {
    return await Promise.race([send(marker, job, openSender, timeout.signal), late]);
  } finally {
    cancel();
  }
}

async function send(
  marker: LossMarker,
  job: JobConfig,
  openSender: Senders['openSender'],
  signal: AbortSignal,
): Promise<LossAnswer> {
  const sender = await openSender(job);
  try {
    const outcome = await sender.send(batchOf(marker, job), signal);
    switch (outcome.kind) {
      case 'accepted':
        return 'told';
      case 'retry':
        return 'later';
      // One line has no halves and no part that is better than the rest.
      case 'reject':
      case 'split':
      case 'partial':
        return 'refused';
    }
  } finally {
    await sender.close();
  }
}

function batchOf(marker: LossMarker, job: JobConfig): Batch {
  // An epoch that no stream has: receivers that know repeats by it know a repeated marker, and take it for no line of the job.
  const epoch = createHash('sha256').update(marker.id).digest('hex').slice(0, 16);
  return {
    id: marker.id,
    job: marker.job,
    stream: marker.stream,
    epoch,
    from: 0,
    to: 1,
    lines: 1,
    name: marker.name,
    receivedMs: marker.receivedMs,
    ...packed(`${marker.line}\n`, formFor(job.destinationConf), {
      job: marker.job,
      epoch,
      receivedMs: marker.toldMs,
    }),
  };
}
