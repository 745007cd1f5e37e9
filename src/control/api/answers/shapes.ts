/**
 * What routes answer, as schemas, a file for each subject: the description of the API is made from them, and a test holds real
 * answers to them. Strict, so that nothing is answered that is not described.
 */
import { z } from 'zod';

/** An instant. */
export const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  .describe('RFC 3339, UTC');
/** A count. */
export const whole = z.int().min(0);
export const scopeShape = z.strictObject({ kind: z.enum(['account', 'zone']), id: z.string() });
/** Lines by reason; reasons without lines are left out. */
export const countsOf = (reasons: readonly string[]) =>
  z.partialRecord(z.enum(reasons as [string, ...string[]]), whole);
/** A page of a list under `/v1`. */
export function page(name: string, item: z.ZodType, next: z.ZodType = z.string()): z.ZodType {
  return z.strictObject({
    [name]: z.array(item),
    next: next.nullable().describe('What to send as `after` for the next page; null at the end.'),
  });
}

/** Of what was deleted. */
export const deletedAnswer = z.strictObject({ id: z.string() });
