/**
 * How thorough the tests are that can be more or less so. `npm run check` takes samples (quick), `npm test` takes some of
 * everything (short), `npm run test:long` takes all (full). Tests that are run by themselves take all.
 */
const DEPTHS = {
  quick: { share: 0.05, stride: 23 },
  short: { share: 0.25, stride: 5 },
  full: { share: 1, stride: 1 },
} as const;

function depth(): { readonly share: number; readonly stride: number } {
  const name = process.env['WAYBILL_TEST_DEPTH'] ?? 'full';
  if (Object.hasOwn(DEPTHS, name)) return DEPTHS[name as keyof typeof DEPTHS];
  throw new Error(`WAYBILL_TEST_DEPTH is quick, short or full, not ${name}`);
}

/** How often something random is tried that the long run tries `full` times; `least` times if that is more. */
export function runs(full: number, least = 5): number {
  return Math.max(Math.min(full, least), Math.ceil(full * depth().share));
}

/** How far apart the places are that are tried in turn; the long run tries every one. */
export function stride(): number {
  return depth().stride;
}
