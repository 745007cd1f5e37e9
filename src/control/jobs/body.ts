/**
 * A job as clients send it. Fields that only the server sets are taken and ignored, since clients send back what they
 * read; fields that Logpush has and Waybill does not offer are refused when they ask for something; all others are
 * refused by name, so that a misspelt one is never silently without effect.
 */
import { z } from 'zod';
import { limits } from '../../model/limits.ts';
import type { Refusal } from '../refusal.ts';
import { refuse } from '../refusal.ts';

/** 0 (or null) switches a bound off; otherwise it lies between two numbers. */
const bound = (least: number, most: number) =>
  z
    .int(`must be 0 or a whole number from ${least} to ${most}`)
    .refine((value) => value === 0 || (value >= least && value <= most), {
      error: `must be 0 or a whole number from ${least} to ${most}`,
    })
    .nullable();

export const jobBody = z.strictObject({
  name: z
    .string()
    .max(512)
    .regex(/^[a-zA-Z0-9\-.]*$/, 'may hold letters, digits, `-` and `.`')
    .nullish(),
  enabled: z.boolean().nullish().describe('A new job is switched off unless this is true.'),
  dataset: z
    .string()
    .max(256)
    .regex(/^[a-zA-Z0-9_-]*$/, 'may hold letters, digits, `-` and `_`')
    .nullish()
    .describe("One of the scope's datasets; http_requests when left out. Cannot be changed."),
  kind: z.string().max(64).nullish(),
  destination_conf: z
    .string()
    .max(limits.control.destinationConfBytes)
    .nullish()
    .describe(
      'Where it delivers; GET /v1/destinations describes the forms. Required for a new job.',
    ),
  ownership_challenge: z
    .string()
    .max(4096)
    .regex(/^[a-zA-Z0-9/+.\-_]*$/, 'may hold letters, digits and `/+.-_`')
    .nullish()
    .describe('Proof of ownership, for destinations that need one; never shown.'),
  logpull_options: z
    .string()
    .max(4096)
    .nullish()
    .describe('Deprecated form of output_options, which win over it.'),
  output_options: z
    .record(z.string(), z.unknown())
    .nullish()
    .describe('See docs/reference/output-options.md.'),
  filter: z.string().nullish().describe('JSON as a text; see docs/reference/filters.md.'),
  frequency: z.enum(['high', 'low']).nullish(),
  max_upload_bytes: bound(5_000_000, 1_000_000_000).optional(),
  max_upload_records: bound(1_000, 1_000_000).optional(),
  max_upload_interval_seconds: bound(30, 300).optional(),

  // Set by the server alone.
  id: z.unknown().optional(),
  last_complete: z.unknown().optional(),
  last_error: z.unknown().optional(),
  error_message: z.unknown().optional(),

  // Not offered here.
  filter_attack_traffic: z.boolean().nullish(),
  subrequest_merging: z.boolean().nullish(),
  transformer_id: z.int().nullish(),
});

export type JobBody = z.infer<typeof jobBody>;

/** Whether a body asks for something that Waybill does not do: refused with a clear text, never silently ignored. */
export function notOffered(body: JobBody): Refusal | undefined {
  const refused = (path: string, what: string): Refusal =>
    refuse('not_offered', `\`${path}\`: ${what}`, path);
  if (body.kind === 'edge')
    return refused('kind', 'Edge Log Delivery is not offered here. Leave it out or send "".');
  if (body.kind) return refused('kind', 'only "" is offered here.');
  if (body.filter_attack_traffic) {
    return refused(
      'filter_attack_traffic',
      'attack traffic is not told apart here. Leave it out or send false; a `filter` may do.',
    );
  }
  if (body.subrequest_merging || body.output_options?.['merge_subrequests'] === true) {
    const path = body.subrequest_merging
      ? 'subrequest_merging'
      : 'output_options.merge_subrequests';
    return refused(path, 'subrequests are not merged here. Leave it out or send false.');
  }
  if (body.transformer_id)
    return refused('transformer_id', 'SQL transformers are not offered here. Leave it out.');
  return undefined;
}
