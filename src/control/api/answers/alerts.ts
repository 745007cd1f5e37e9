/** Alerts, and the webhooks that tell of them. */
import { z } from 'zod';
import { time, whole } from './shapes.ts';

export const alertAnswer = z
  .strictObject({
    id: z.int(),
    kind: z.string(),
    severity: z.enum(['critical', 'warning']),
    state: z.enum(['firing', 'resolved']),
    title: z.string(),
    subject: z
      .string()
      .describe('What it is about: `job 12`, `stream zones/shop/http_requests`, `server`.'),
    account: z.string().nullable().describe("Null: the operator's business alone."),
    stream: z.string().nullable(),
    job: z.int().nullable(),
    since: time,
    resolved: time.nullable(),
    times: z.int().min(1).describe('How often it has begun.'),
    text: z.string(),
    advice: z.string(),
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
  })
  .meta({ id: 'Alert' });

export const webhookAnswer = z
  .strictObject({
    id: z.int(),
    account: z.string().nullable().describe("Null: the operator's, told of everything."),
    form: z.enum(['json', 'slack']),
    url: z.string().describe('With everything behind the host masked.'),
    signed: z.boolean(),
    sent: whole,
    givenUp: whole,
    queued: whole,
    last: z
      .strictObject({
        at: time,
        outcome: z.enum(['accepted', 'failed']),
        status: z.int().nullable(),
        error: z.string().nullable(),
      })
      .nullable(),
  })
  .meta({ id: 'Webhook' });
