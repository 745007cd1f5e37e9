import type { PreparedBatch } from './prepare.ts';

/** The books of a batch of which the receiver refused some lines: those are dropped by name instead of delivered. */
export function withRefused(prepared: PreparedBatch, lines: number): PreparedBatch {
  const { counts } = prepared;
  const before = counts.dropped.rejected_by_destination ?? 0;
  return {
    ...prepared,
    counts: {
      ...counts,
      delivered: counts.delivered - lines,
      dropped: { ...counts.dropped, rejected_by_destination: before + lines },
    },
  };
}
