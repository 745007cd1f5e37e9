/**
 * A job at rest: the buffer's record of it agrees with its settings and none of its lines waits. There may be a hundred
 * thousand of them, so such a job is its settings and nothing else; a runner is made when something happens to it.
 */
import type { ShardBuffer } from '../buffer/index.ts';
import type { JobConfig } from '../model/snapshot.ts';
import type { JobStatus } from './contract.ts';

type Attempts = JobStatus['attempts'];

export const NO_ATTEMPTS: Attempts = { accepted: 0, retry: 0, split: 0, reject: 0 };

export function isAtRest(job: JobConfig, buffer: Pick<ShardBuffer, 'job' | 'stream'>): boolean {
  // A replay is there because something of it is to be done, and few are.
  if (job.replay) return false;
  const state = buffer.job(job.id);
  const isOpen = state !== undefined && state.closedMs === null;
  if (!isOpen || !job.enabled) return isOpen === job.enabled;
  const { skipTo } = job;
  if (skipTo && skipTo.epoch === state.epoch && state.cursor < skipTo.offset) return false;
  return state.open.length === 0 && state.cursor >= (buffer.stream(job.stream)?.head ?? 0);
}

/** @param attempts of the runner that it had before */
export function restingStatus(
  job: JobConfig,
  buffer: Pick<ShardBuffer, 'job'>,
  attempts = NO_ATTEMPTS,
): JobStatus {
  return {
    job: job.id,
    state: job.enabled ? 'idle' : 'paused',
    lastCompleteMs: buffer.job(job.id)?.lastCompleteMs ?? null,
    lastErrorMs: null,
    errorMessage: null,
    nextAttemptMs: null,
    inFlight: 0,
    attempts: { ...attempts },
    consecutiveFailures: 0,
  };
}
