import type { DropReason, ExcludeReason, OutcomeCounts } from '../model/delivery.ts';
import { EXCLUDE_REASONS } from '../model/delivery.ts';

/** Sums what becomes of the lines of one batch while it is prepared. */
export class Tally {
  delivered = 0;
  readonly #excluded: Partial<Record<ExcludeReason, number>> = {};
  readonly #dropped: Partial<Record<DropReason, number>> = {};

  exclude(counts: Readonly<Partial<Record<ExcludeReason, number>>>): void {
    for (const reason of EXCLUDE_REASONS) {
      const more = counts[reason];
      if (more) this.#excluded[reason] = (this.#excluded[reason] ?? 0) + more;
    }
  }

  drop(reason: DropReason, lines: number): void {
    if (lines > 0) this.#dropped[reason] = (this.#dropped[reason] ?? 0) + lines;
  }

  counts(): OutcomeCounts {
    return { delivered: this.delivered, excluded: this.#excluded, dropped: this.#dropped };
  }
}
