import type { Random } from '../../lib/random.ts';

/** Waiting time after so many failures: doubling, bounded, with full jitter over its upper half. */
export function backoffMs(
  failures: number,
  bounds: { readonly firstMs: number; readonly mostMs: number },
  random: Random,
): number {
  const fullMs = Math.min(bounds.mostMs, bounds.firstMs * 2 ** Math.min(failures - 1, 30));
  return fullMs * (0.5 + random.fraction() / 2);
}
