/** Books of jobs and scopes, usage, and lines that were kept apart. */
import { z } from 'zod';
import { DROP_REASONS, EXCLUDE_REASONS } from '../../../model/delivery.ts';
import { countsOf, scopeShape, time, whole } from './shapes.ts';

const row = z
  .strictObject({
    hour: time.nullable().describe('The UTC hour; null for the total.'),
    accepted: whole,
    acceptedBytes: whole,
    waiting: whole,
    delivered: whole,
    excluded: countsOf(EXCLUDE_REASONS),
    dropped: countsOf(DROP_REASONS),
    notTaken: z.record(z.string(), whole),
    balanced: z.boolean().describe('accepted = delivered + excluded + dropped + waiting'),
  })
  .meta({ id: 'LedgerRow' });
const books = { job: z.int(), stream: z.string(), total: row, hours: z.array(row) };
export const jobLedgerAnswer = z.strictObject({ ...books, deleted: z.boolean() });
export const scopeLedgerAnswer = z.strictObject({
  scope: scopeShape,
  streams: z.array(
    z.strictObject({
      stream: z.string(),
      accepted: whole,
      acceptedBytes: whole,
      notTaken: z.record(z.string(), whole),
    }),
  ),
  jobs: z.array(z.strictObject(books)),
  replays: z
    .array(z.strictObject(books))
    .describe('Apart: their lines were accepted once, and are delivered once more.'),
});
export const usageAnswer = z.strictObject({
  account: z.string().nullable(),
  scope: scopeShape,
  days: z.array(
    z.strictObject({
      day: z.string(),
      acceptedLines: whole,
      acceptedBytes: whole,
      deliveredLines: whole,
      deliveredBytes: whole.describe('Before compression, over all jobs.'),
      sentBytes: whole,
    }),
  ),
});
export const keptLineAnswer = z.strictObject({
  id: z.int(),
  stream: z.string(),
  reason: z.enum(['quarantined', 'malformed', 'rejected_by_destination']),
  job: z.int().nullable(),
  offset: whole.nullable(),
  detail: z.string(),
  at: time,
  bytes: whole,
});
