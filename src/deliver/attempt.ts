/** One attempt: a batch to a sender, bounded in time whatever the sender does. */
import type { Batch, Sender, SendOutcome } from '../destinations/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';

/** What a sender's fault counts as; told apart by identity, because it says nothing of the receiver. */
export const OWN_FAULT: SendOutcome = {
  kind: 'retry',
  reason: 'Waybill met a fault of its own while sending.',
};

export interface AttemptBounds {
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  readonly attemptMs: number;
  readonly abortGraceMs: number;
  /** Aborts the attempt from outside, when delivery closes. */
  readonly stop: AbortSignal;
}

/** Always answers: a sender that breaks its contract (throws, or ignores its abort) counts as a failed attempt. */
export async function attempt(
  sender: Sender,
  batch: Batch,
  bounds: AttemptBounds,
): Promise<SendOutcome> {
  const { clock, stop } = bounds;
  const timeout = new AbortController();
  const cancelTimeout = clock.after(bounds.attemptMs, () => timeout.abort());
  const signal = AbortSignal.any([timeout.signal, stop]);
  const grace = afterAbort(signal, bounds, batch);
  try {
    return await Promise.race([send(sender, batch, signal, bounds.diagnostics), grace.givenUp]);
  } finally {
    cancelTimeout();
    grace.cancel();
  }
}

async function send(
  sender: Sender,
  batch: Batch,
  signal: AbortSignal,
  diagnostics: Diagnostics,
): Promise<SendOutcome> {
  try {
    return await sender.send(batch, signal);
  } catch (error) {
    const kind = error instanceof Error ? error.name : 'unknown';
    diagnostics.error('delivery.attempt.broke', { job: batch.job, plan: batch.id, kind });
    return OWN_FAULT;
  }
}

/** Answers in the sender's place when it has not done so some time after its abort. */
function afterAbort(
  signal: AbortSignal,
  bounds: AttemptBounds,
  batch: Batch,
): { readonly givenUp: Promise<SendOutcome>; readonly cancel: () => void } {
  let cancelTimer = () => {};
  let onAbort = () => {};
  const givenUp = new Promise<SendOutcome>((resolve) => {
    onAbort = () => {
      cancelTimer = bounds.clock.after(bounds.abortGraceMs, () => {
        bounds.diagnostics.error('delivery.attempt.ignores_abort', {
          job: batch.job,
          plan: batch.id,
        });
        resolve({ kind: 'retry', reason: 'The receiver did not answer in time.' });
      });
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  const cancel = () => {
    signal.removeEventListener('abort', onAbort);
    cancelTimer();
  };
  return { givenUp, cancel };
}
