/** Jobs as clients see them: Logpush's object, and our own status. */
import type { JobStatusView } from '../data-plane.ts';
import type { Sealer } from '../secrets/sealing.ts';
import type { JobRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import { streamKey } from '../../model/scope.ts';

/**
 * Logpush's job object, whole: also `destination_conf` in full, as Logpush does; that is why reading needs `logs_write`.
 * `last_complete` and `last_error` are RFC 3339 or null, never empty: clients parse them as times.
 */
export function logpushJob(
  state: StateView,
  sealer: Sealer,
  job: JobRecord,
  status: JobStatusView | undefined,
): Readonly<Record<string, unknown>> {
  const sealed = state.secret(job.secret.id);
  const conf = sealed && sealer.open(sealed);
  return {
    id: job.id,
    dataset: job.dataset,
    name: job.name,
    kind: '',
    enabled: job.enabled,
    destination_conf: conf ?? job.destination,
    filter: job.filter,
    output_options: job.outputOptions,
    logpull_options: job.logpullOptions,
    frequency: job.frequency,
    max_upload_bytes: job.maxUploadBytes,
    max_upload_records: job.maxUploadRecords,
    max_upload_interval_seconds: job.maxUploadIntervalSeconds,
    filter_attack_traffic: false,
    last_complete: rfc3339(status?.lastCompleteMs),
    last_error: rfc3339(status?.lastErrorMs),
    error_message:
      conf === undefined
        ? 'The stored destination_conf cannot be opened. Set it again.'
        : (status?.errorMessage ?? null),
  };
}

/** Our own view: no secret in it, so reading needs no more than `logs_read`. */
export function jobStatus(
  state: StateView,
  job: JobRecord,
  status: JobStatusView | undefined,
): Readonly<Record<string, unknown>> {
  return {
    id: job.id,
    name: job.name,
    account: state.accountOf(job.scope) ?? null,
    scope: job.scope,
    dataset: job.dataset,
    stream: streamKey(job.scope, job.dataset),
    enabled: job.enabled,
    destination: job.destination,
    version: job.version,
    contentVersion: job.contentVersion,
    status: status ? statusBody(status) : null,
  };
}

function statusBody(status: JobStatusView): Readonly<Record<string, unknown>> {
  return {
    activity: status.activity,
    epoch: status.epoch,
    cursor: status.cursor,
    head: status.head,
    waitingLines: status.waitingLines,
    waitingBytes: status.waitingBytes,
    oldestWaiting: rfc3339(status.oldestWaitingMs),
    lastComplete: rfc3339(status.lastCompleteMs),
    lastError: rfc3339(status.lastErrorMs),
    errorMessage: status.errorMessage,
    delivered: status.totals.delivered,
    excluded: status.totals.excluded,
    dropped: status.totals.dropped,
    deliveredBytes: status.deliveredBytes,
    inFlight: status.inFlight,
    nextAttempt: rfc3339(status.nextAttemptMs),
  };
}

function rfc3339(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : new Date(ms).toISOString();
}
