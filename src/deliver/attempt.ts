/** One attempt: a batch to a sender, bounded in time whatever the sender does. */
import type { Batch, Sender, SendOutcome } from '../destinations/index.ts';
import { assert } from '../lib/assert.ts';
import type { Cancel, Clock } from '../lib/clock.ts';
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
  /**
   * Each aborts the attempt from outside: delivery closes, or its lines were ordered erased. Listened to one by one, because
   * `AbortSignal.any` over a signal that lives as long as the process costs as much as a tenth of the exchange itself.
   */
  readonly stops: readonly AbortSignal[];
}

/** Always answers: a sender that breaks its contract (throws, or ignores its abort) counts as a failed attempt. */
export async function attempt(
  sender: Sender,
  batch: Batch,
  bounds: AttemptBounds,
): Promise<SendOutcome> {
  const { clock, stops } = bounds;
  const ending = new AbortController();
  let giveUp: (outcome: SendOutcome) => void = () => {};
  let cancelGrace = () => {};
  const end = () => {
    if (ending.signal.aborted) return;
    ending.abort();
    cancelGrace = graceAfterAbort(bounds, batch, (outcome) => giveUp(outcome));
  };
  const cancelTimeout = clock.after(bounds.attemptMs, end);
  for (const stop of stops) stop.addEventListener('abort', end, { once: true });
  if (stops.some((stop) => stop.aborted)) end();
  try {
    return await new Promise((answer) => {
      giveUp = answer;
      void send(sender, batch, ending.signal, bounds.diagnostics).then(answer);
    });
  } finally {
    cancelTimeout();
    cancelGrace();
    for (const stop of stops) stop.removeEventListener('abort', end);
  }
}

async function send(
  sender: Sender,
  batch: Batch,
  signal: AbortSignal,
  diagnostics: Diagnostics,
): Promise<SendOutcome> {
  try {
    // A part whose memory was given back too early has no bytes any more: what is left must not pass for the batch.
    const bytes = batch.body.reduce((sum, part) => sum + part.length, 0);
    assert(bytes === batch.bodyBytes, 'a body has all of its bytes');
    return await sender.send(batch, signal);
  } catch (error) {
    const kind = error instanceof Error ? error.name : 'unknown';
    diagnostics.error('delivery.attempt.broke', { job: batch.job, plan: batch.id, kind });
    return OWN_FAULT;
  }
}

/** Answers in the sender's place when it has not done so some time after its abort. */
function graceAfterAbort(
  { clock, diagnostics, abortGraceMs }: AttemptBounds,
  batch: Batch,
  answer: (outcome: SendOutcome) => void,
): Cancel {
  return clock.after(abortGraceMs, () => {
    diagnostics.error('delivery.attempt.ignores_abort', { job: batch.job, plan: batch.id });
    answer({ kind: 'retry', reason: 'The receiver did not answer in time.' });
  });
}
