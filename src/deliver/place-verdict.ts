import type { SendOutcome } from '../destinations/index.ts';
import { OWN_FAULT } from './attempt.ts';
import type { Place } from './places.ts';

/** Tells a place what became of an attempt. */
export function tellPlace(place: Place, job: number, attempt: object, outcome: SendOutcome): void {
  if (outcome.kind !== 'retry') return place.answered();
  const { reason, afterMs } = outcome;
  if (meetsAll(outcome)) place.failed({ job, attempt, reason, afterMs });
  else place.unclear(attempt);
}

/**
 * Whether a failure would have met any job with these credentials: no connection, no answer, not let in, nothing at the
 * address, too much, or a receiver in trouble. Other statuses may be about this very batch, and a fault is our own.
 */
function meetsAll(outcome: Extract<SendOutcome, { kind: 'retry' }>): boolean {
  if (outcome === OWN_FAULT) return false;
  const { status } = outcome;
  if (status === undefined) return true;
  return [401, 403, 404, 429].includes(status) || (status >= 500 && status <= 599);
}
