/** Jobs under `/v1`: what they are doing, their attempts, and deleted ones that are still held. */
import { z } from 'zod';
import { DROP_REASONS, EXCLUDE_REASONS } from '../../../model/delivery.ts';
import { countsOf, scopeShape, time, whole } from './shapes.ts';

const attempt = z
  .strictObject({
    job: z.int(),
    plan: z.string(),
    range: z.strictObject({ from: whole, to: whole }),
    number: z.int(),
    atMs: z.number(),
    durationMs: z.number(),
    stage: z.enum(['before', 'destination', 'after']),
    outcome: z.enum(['accepted', 'retry', 'split', 'reject']),
    status: z.int().nullable(),
    error: z.string().nullable(),
    lines: whole,
    plainBytes: whole,
    sentBytes: whole,
  })
  .meta({ id: 'Attempt' });
export const attemptsAnswer = z.strictObject({ attempts: z.array(attempt) });

const activity = z.strictObject({
  activity: z.enum(['idle', 'delivering', 'retrying', 'blocked', 'off']),
  epoch: z.string().nullable(),
  cursor: whole,
  head: whole,
  waitingLines: whole,
  waitingBytes: whole,
  oldestWaiting: time.nullable(),
  lastComplete: time.nullable(),
  lastError: time.nullable(),
  errorMessage: z.string().nullable(),
  delivered: whole,
  excluded: countsOf(EXCLUDE_REASONS),
  dropped: countsOf(DROP_REASONS),
  deliveredBytes: whole,
  inFlight: whole,
  nextAttempt: time.nullable(),
});
const status = {
  id: z.int(),
  name: z.string(),
  account: z.string().nullable(),
  scope: scopeShape,
  dataset: z.string(),
  stream: z.string(),
  enabled: z.boolean(),
  destination: z.string().describe('With its secrets masked.'),
  version: whole,
  contentVersion: whole,
  status: activity
    .nullable()
    .describe('Null when the data plane knows nothing of it, or does not answer.'),
};
export const jobStatusAnswer = z.strictObject(status).meta({ id: 'JobStatus' });
const { version: _version, contentVersion: _content, status: _status, ...settings } = status;
export const deletedJobAnswer = z
  .strictObject({
    ...settings,
    deleted: time,
    by: z.string().describe('Whose token deleted it.'),
    held: z
      .strictObject({
        cursor: whole.describe('Where it goes on when it is restored.'),
        head: whole,
        waitingLines: whole,
        until: time.nullable().describe('Counts time in service: later when the server was off.'),
      })
      .nullable()
      .describe('What is held of it; null when nothing is, or the data plane does not answer.'),
  })
  .meta({ id: 'DeletedJob' });
export const jobDetailAnswer = z.strictObject({
  ...status,
  attempts: z
    .strictObject({ recent: whole, accepted: whole, failed: whole, last: attempt.nullable() })
    .nullable(),
});
