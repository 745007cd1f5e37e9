/** Lists under `/v1` come in pages: `limit` items after the one that `after` names, and `next` to go on with. */
import { z } from 'zod';
import { limits } from '../../model/limits.ts';

const DEFAULT_ITEMS = 100;

/** A whole number as it stands in a query. */
export function wholeNumber(least: number, most: number): z.ZodType<number> {
  return z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .describe(`A whole number from ${least} to ${most}.`)
    .transform(Number)
    .refine((value) => value >= least && value <= most, {
      error: `must lie from ${least} to ${most}`,
    });
}

export const limitQuery = wholeNumber(1, limits.control.pageItems).default(DEFAULT_ITEMS);

export const pageQuery = z.strictObject({
  limit: limitQuery,
  after: z.string().max(128).optional(),
});

export type PageQuery = z.infer<typeof pageQuery>;

export interface Page<T> {
  readonly items: readonly T[];
  /** What to send as `after` for the next page; null at the end. */
  readonly next: string | null;
}

/** One page of items in the order of their keys. */
export function pageOf<T>(all: Iterable<T>, keyOf: (item: T) => string, query: PageQuery): Page<T> {
  const after = query.after;
  const rest = [...all]
    .map((item) => ({ item, key: keyOf(item) }))
    .filter(({ key }) => after === undefined || compare(key, after) > 0)
    .sort((a, b) => compare(a.key, b.key));
  const page = rest.slice(0, query.limit);
  const last = page.at(-1);
  return {
    items: page.map(({ item }) => item),
    next: last && rest.length > page.length ? last.key : null,
  };
}

/** Numbers by size, everything else by its characters. */
function compare(a: string, b: string): number {
  const digits = /^\d+$/;
  if (digits.test(a) && digits.test(b) && a !== b) return Number(a) - Number(b) || (a < b ? -1 : 1);
  return a < b ? -1 : a > b ? 1 : 0;
}
