/** Nouns of delivery that several rooms share: ranges, counts, plans, waybills, attempts. */

/** A half-open run of offsets of one stream: `from` included, `to` not. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** Why a line was not sent although it passed the job's own choice. Closed: a new reason is a change of format. */
export const DROP_REASONS = [
  /** The line's JSON could not be looked into where the job had to. */
  'malformed',
  /** Its block could not be read back; counted, never delivered as data. */
  'corrupt',
  /** Waited longer than the retention. */
  'expired',
  /** The job's own `drop_oldest`. */
  'drop_oldest',
  /** Its owner ordered it erased. */
  'erased',
  /** The receiver refused this very line while its neighbours passed. */
  'rejected_by_destination',
  /** The job was deleted or switched off and the holdback ended. */
  'unclaimed',
  /** The owner restored the job from now on. */
  'skipped_by_owner',
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export const EXCLUDE_REASONS = ['filter', 'sample'] as const;
export type ExcludeReason = (typeof EXCLUDE_REASONS)[number];

/** What became of lines. The sum of all is the number of lines settled. */
export interface OutcomeCounts {
  readonly delivered: number;
  readonly excluded: Readonly<Partial<Record<ExcludeReason, number>>>;
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
}

export function settledLines(counts: OutcomeCounts): number {
  let sum = counts.delivered;
  for (const reason of EXCLUDE_REASONS) sum += counts.excluded[reason] ?? 0;
  for (const reason of DROP_REASONS) sum += counts.dropped[reason] ?? 0;
  return sum;
}

const NO_REASONS = Object.freeze({});

export const NO_LINES: OutcomeCounts = {
  delivered: 0,
  excluded: NO_REASONS,
  dropped: NO_REASONS,
};

/** What has no reasons shares one object for that: most of 100,000 jobs have none, ever. */
export function addCounts(a: OutcomeCounts, b: OutcomeCounts): OutcomeCounts {
  return {
    delivered: a.delivered + b.delivered,
    excluded: addReasons(EXCLUDE_REASONS, a.excluded, b.excluded),
    dropped: addReasons(DROP_REASONS, a.dropped, b.dropped),
  };
}

type Reasons<Reason extends string> = Readonly<Partial<Record<Reason, number>>>;

function addReasons<Reason extends string>(
  reasons: readonly Reason[],
  a: Reasons<Reason>,
  b: Reasons<Reason>,
): Reasons<Reason> {
  let sums: Partial<Record<Reason, number>> | undefined;
  for (const reason of reasons) {
    const more = b[reason];
    if (!more) continue;
    sums ??= { ...a };
    sums[reason] = (a[reason] ?? 0) + more;
  }
  return sums ?? a;
}

/** A durable decision to send a range. Final once attempted; a retry sends the same lines under the same name and id. */
export interface Plan {
  /** Unique by construction: job, stream epoch and range. Also the batch's id at the destination. */
  readonly id: string;
  readonly job: number;
  /** The stream's epoch, 16 hex digits. */
  readonly epoch: string;
  readonly range: Range;
  /** Reception times of the first and last block, milliseconds since 1970 UTC. Within one UTC hour. */
  readonly receivedMs: { readonly first: number; readonly last: number };
  /** Version of what shapes the content (filter, output options, sample). */
  readonly contentVersion: number;
  /** Lines that the batch carries after filter and sample. */
  readonly lines: number;
  /** Object name without the destination's own prefix: `<start>_<end>_<id>.log.gz`. */
  readonly name: string;
}

/** The record that settles a range: what became of each line in it. */
export interface Waybill {
  readonly job: number;
  /** Grows by one with each waybill of the job. */
  readonly sequence: number;
  readonly stream: string;
  readonly epoch: string;
  readonly range: Range;
  /** The UTC hour of reception, in hours since 1970: a batch never spans two. */
  readonly hour: number;
  readonly counts: OutcomeCounts;
  /** The plan that it settles; null for ranges that needed no delivery. */
  readonly plan: string | null;
  /** Hex SHA-256 of the bytes as sent; null when nothing was sent. */
  readonly sha256: string | null;
  readonly plainBytes: number;
  readonly sentBytes: number;
  /** Object name or the receiver's own id of the answer. */
  readonly receipt: string | null;
  /** Which destination took it: a short hash of its address without secrets. */
  readonly destination: string | null;
  readonly configVersion: number;
  readonly atMs: number;
  /** Hex SHA-256 of the job's previous waybill as it was recorded; null for the first. */
  readonly previous: string | null;
}

/** Where an attempt failed: with us before sending, with the receiver, or with us afterwards. */
export type AttemptStage = 'before' | 'destination' | 'after';

/** One upload of a batch, and how it ended. Listed per job for the customer. */
export interface Attempt {
  readonly job: number;
  readonly plan: string;
  readonly range: Range;
  readonly number: number;
  readonly atMs: number;
  readonly durationMs: number;
  readonly stage: AttemptStage;
  readonly outcome: 'accepted' | 'retry' | 'split' | 'reject';
  /** The receiver's status, where the protocol has one. */
  readonly status: number | null;
  /** Plain words for the owner; no inner address, no body, no secret. */
  readonly error: string | null;
  readonly lines: number;
  readonly plainBytes: number;
  readonly sentBytes: number;
}

/** The UTC hour of a time, in hours since 1970. */
export function hourOf(wallMs: number): number {
  return Math.floor(wallMs / 3_600_000);
}
