/** What the routes of the configuration's history answer, as schemas. */
import { z } from 'zod';

const whole = z.int().min(0);
const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  .describe('RFC 3339, UTC');

export const objectDifference = z
  .strictObject({
    kind: z.string(),
    id: z.string(),
    how: z.enum(['added', 'removed', 'changed']),
    fields: z.array(
      z.strictObject({
        path: z.string().describe('Of the field, such as `limits.weight`.'),
        before: z.unknown().optional(),
        after: z.unknown().optional(),
      }),
    ),
  })
  .meta({ id: 'ObjectDifference' });

export const configAnswer = z.strictObject({
  version: whole,
  checksum: z.string(),
  oldest: whole.describe('The oldest version that can be compared with and gone back to.'),
  readOnly: z.boolean(),
});

export const versionAnswer = z.strictObject({
  version: whole,
  at: time,
  who: z.string().describe("A token's id, or `server`."),
  address: z.string().nullable(),
  what: z.string(),
  voice: z.enum(['customer', 'operator', 'document']).nullable(),
  reason: z.string().nullable(),
  objects: z.array(objectDifference),
  secrets: whole.describe('Secrets that were set, replaced or dropped. They are never shown.'),
  concerns: z.array(z.string()),
});

export const diffAnswer = z.strictObject({
  from: whole,
  to: whole,
  objects: z.array(objectDifference),
  more: whole.describe('Objects beyond those listed.'),
});

export const rollbackAnswer = z.strictObject({
  dryRun: z.boolean(),
  version: whole.describe('In force after it; in a dry run, now.'),
  objects: z.array(objectDifference),
  left: z
    .array(z.strictObject({ kind: z.string(), id: z.string(), why: z.string() }))
    .describe('What stays as it is although it differs.'),
  more: whole,
  guard: z
    .strictObject({ code: z.string(), message: z.string() })
    .nullable()
    .describe('In a dry run: why the guard would refuse it; null: it would not.'),
});
