import type { DestinationTrial, TrialOutcome } from '../../control/index.ts';
import type { Batch } from '../../destinations/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { formFor, packed } from './one-line.ts';
import type { Senders } from './senders.ts';

export interface TrialTools {
  readonly openSender: Senders['openSender'];
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  /** How long it may take. */
  readonly trialMs: number;
}

/**
 * Sends one small object through the sender that a job would have, with a connection and credentials as a job's.
 *
 * It is marked as no delivery: job 0, stream `test`, epoch of zeros. Nothing of it reaches the books.
 */
export async function tryDestination(
  trial: DestinationTrial,
  { openSender, clock, diagnostics, trialMs }: TrialTools,
): Promise<TrialOutcome> {
  const timeout = new AbortController();
  const late = new Promise<TrialOutcome>((resolve) => {
    timeout.signal.addEventListener('abort', () =>
      resolve({ kind: 'failed', reason: `no answer within ${trialMs / 1000} s` }),
    );
  });
  const cancel = clock.after(trialMs, () => timeout.abort());
  try {
    return await Promise.race([send(trial, openSender, clock.wallMs(), timeout.signal), late]);
  } catch (error) {
    diagnostics.error('a trial of a destination broke', {
      kind: error instanceof Error ? error.name : 'unknown',
    });
    return { kind: 'failed', reason: 'Waybill met a fault of its own while sending.' };
  } finally {
    cancel();
  }
}

async function send(
  trial: DestinationTrial,
  openSender: Senders['openSender'],
  nowMs: number,
  signal: AbortSignal,
): Promise<TrialOutcome> {
  const sender = await openSender(trial);
  try {
    const outcome = await sender.send(batchOf(trial, nowMs), signal);
    if (outcome.kind === 'accepted') return { kind: 'accepted' };
    return { kind: 'failed', reason: outcome.reason };
  } finally {
    await sender.close();
  }
}

function batchOf({ name, text, gzip, destinationConf }: DestinationTrial, nowMs: number): Batch {
  const place = { job: 0, epoch: '0'.repeat(16) };
  const form = gzip ? formFor(destinationConf) : { isCompressed: false };
  return {
    ...place,
    id: `trial-${name}`,
    stream: 'test',
    from: 0,
    to: 1,
    lines: 1,
    name,
    receivedMs: { first: nowMs, last: nowMs },
    ...packed(text, form, { ...place, receivedMs: nowMs }),
    ...(gzip ? {} : { contentType: 'text/plain' }),
  };
}
