import type { Random } from '../lib/random.ts';

/**
 * How long to wait after the `failures`-th failure in a row: full jitter, so that many who failed together do not come back
 * together. The bound doubles from `firstMs` up to `mostMs`.
 */
export function backoffMs(
  failures: number,
  bounds: { readonly firstMs: number; readonly mostMs: number },
  random: Random,
): number {
  const doublings = Math.min(Math.max(0, failures - 1), 40);
  return Math.ceil(random.fraction() * Math.min(bounds.mostMs, bounds.firstMs * 2 ** doublings));
}
