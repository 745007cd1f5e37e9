import type { AuditedJob, Verdicts } from '../contract.ts';
import { count } from '../words.ts';

const KIND = 'books_drift';
const JOBS = 200_000;

/**
 * Sums that drift: a job's books do not balance (I2), or what the shard counts as settled and what the books do move apart.
 * That they differ once is no drift: the books are a cache of an archive that reaches back so far and no farther.
 */
export class BooksDrift {
  readonly #verdicts: Verdicts;
  /** By job: how much more the shard counted than the books at the last audit, and how often in a row it was bad. */
  readonly #known = new Map<number, { readonly apart: number; readonly bad: number }>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  look({ job, stream, unbalanced, settledByShard, settledByBooks }: AuditedJob): void {
    const subject = `job ${job}`;
    const apart = settledByShard - settledByBooks;
    const known = this.#known.get(job);
    const drift = known === undefined ? 0 : apart - known.apart;
    const isBad = unbalanced.length > 0 || drift !== 0;
    const bad = isBad ? (known?.bad ?? 0) + 1 : 0;
    if (known !== undefined || this.#known.size < JOBS) {
      // What it was before it began to drift stays the measure, until both agree again.
      this.#known.set(job, { apart: drift === 0 || !known ? apart : known.apart, bad });
    }
    if (!isBad) return this.#verdicts.clear(KIND, subject);
    // Seen twice in a row: a job that was restored between two reads looks odd once.
    if (bad < 2 && !this.#verdicts.isFiring(KIND, subject)) return;
    const apartText =
      drift === 0
        ? ''
        : ` The shard counts ${count(Math.abs(drift))} ${drift > 0 ? 'more' : 'fewer'} settled than the books.`;
    const rows =
      unbalanced.length === 0
        ? ''
        : ` Not balanced: ${unbalanced.slice(0, 3).join(', ')}${unbalanced.length > 3 ? ` and ${unbalanced.length - 3} more` : ''}.`;
    this.#verdicts.fire({
      kind: KIND,
      subject,
      stream,
      job,
      text: `Accepted is not settled and waiting.${rows}${apartText}`,
      facts: { drift, unbalancedRows: unbalanced.length },
    });
  }
}
