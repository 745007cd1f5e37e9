/** What Logpush's own routes answer. */
import { z } from 'zod';
import { time, whole } from './shapes.ts';

export const jobAnswer = z
  .strictObject({
    id: z.int().min(1),
    dataset: z.string(),
    name: z.string(),
    kind: z.literal(''),
    enabled: z.boolean(),
    destination_conf: z.string().describe('In full, with its secrets.'),
    filter: z.string().describe("Logpush's filter as a JSON text; empty: everything passes."),
    output_options: z.record(z.string(), z.unknown()).nullable(),
    logpull_options: z.string(),
    frequency: z.enum(['high', 'low']),
    max_upload_bytes: whole,
    max_upload_records: whole,
    max_upload_interval_seconds: whole,
    filter_attack_traffic: z.literal(false),
    last_complete: time.nullable().describe('Everything received up to then is settled.'),
    last_error: time.nullable(),
    error_message: z.string().nullable(),
  })
  .meta({ id: 'LogpushJob' });

/** Logpush's list of fields: what each holds, by name. */
export const fieldsAnswer = z.record(z.string(), z.string());
export const jobIdAnswer = z.strictObject({ id: z.int() });
export const ownershipAnswer = z.strictObject({
  filename: z.string().describe('Where the challenge was written, without the bucket.'),
  message: z.string(),
  valid: z.literal(true),
});
export const validAnswer = z.strictObject({ valid: z.boolean() });
export const judgedAnswer = z.strictObject({ valid: z.boolean(), message: z.string() });
/** What became of a job's test line. */
export const jobTestAnswer = z.strictObject({
  accepted: z.boolean(),
  message: z.string(),
  destination: z.string(),
});
export const existsAnswer = z.strictObject({ exists: z.boolean() });
export const flagAnswer = z.strictObject({ flag: z.boolean() });
export const cmbAnswer = z
  .strictObject({ regions: z.string(), allow_out_of_region_access: z.boolean() })
  .nullable();
