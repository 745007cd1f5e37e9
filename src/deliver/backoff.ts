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

/**
 * How long an open breaker waits for its next probe: about as long again as it has been failing, at least `backoffMs` and at
 * most `probeMs`. A receiver that restarts is found within seconds, a dead one is left alone. Up to a quarter less, so that
 * those who failed together come back apart.
 */
export function probeDelayMs(
  failingMs: number,
  bounds: { readonly backoffMs: number; readonly probeMs: number },
  random: Random,
): number {
  const mostMs = Math.min(bounds.probeMs, Math.max(bounds.backoffMs, failingMs));
  return Math.ceil(mostMs * (1 - random.fraction() / 4));
}
