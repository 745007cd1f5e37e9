import type { DatabaseSync } from 'node:sqlite';
import { NO_LINES, addCounts, settledLines } from '../model/delivery.ts';
import type { DropReason, ExcludeReason, OutcomeCounts } from '../model/delivery.ts';
import type { JobCut, JobLedger, LedgerRow } from './contract.ts';

interface AcceptedRow {
  readonly hour: number;
  readonly first: number;
  readonly lines: number;
  readonly bytes: number;
}

/**
 * A job's ledger at the instant of its cut.
 *
 * Three sources that do not know of each other meet here: accepted lines from blocks, settled ones from waybills, waiting
 * ones from cursor and head. `balanced` says whether they agree; nothing is made to agree.
 */
export function jobLedger(database: DatabaseSync, cut: JobCut, mostHours: number): JobLedger {
  const accepted = acceptedByHour(database, cut);
  const settled = settledByHour(database, cut.job, { life: cut.start });
  const former = settledByHour(database, cut.job, { butLife: cut.start });
  const waiting = new Map(cut.waitingByHour);
  const notTaken = notTakenByHour(database, cut.stream);
  const hours = [
    ...new Set(
      [accepted, settled, former, waiting, notTaken].flatMap((hours) => [...hours.keys()]),
    ),
  ].toSorted((a, b) => b - a);
  const rows = hours.map((hour) =>
    row(new Date(hour * 3_600_000).toISOString().replace('.000Z', 'Z'), {
      accepted: (accepted.get(hour)?.lines ?? 0) + settledLines(former.get(hour) ?? NO_LINES),
      acceptedBytes: accepted.get(hour)?.bytes ?? 0,
      waiting: waiting.get(hour) ?? 0,
      counts: addCounts(settled.get(hour) ?? NO_LINES, former.get(hour) ?? NO_LINES),
      notTaken: notTaken.get(hour) ?? {},
    }),
  );
  const refused: Record<string, number> = {};
  for (const reasons of notTaken.values()) {
    for (const [reason, lines] of Object.entries(reasons))
      refused[reason] = (refused[reason] ?? 0) + lines;
  }
  const formerTotals = [...former.values()].reduce(addCounts, NO_LINES);
  const total = row(null, {
    accepted: cut.head - cut.start + settledLines(formerTotals),
    acceptedBytes: rows.reduce((sum, hour) => sum + hour.acceptedBytes, 0),
    waiting: [...waiting.values()].reduce((sum, lines) => sum + lines, 0),
    counts: addCounts(cut.totals, formerTotals),
    notTaken: refused,
  });
  return { job: cut.job, stream: cut.stream, total, hours: rows.slice(0, mostHours) };
}

interface Sums {
  readonly accepted: number;
  readonly acceptedBytes: number;
  readonly waiting: number;
  readonly counts: OutcomeCounts;
  readonly notTaken: Readonly<Record<string, number>>;
}

const row = (hour: string | null, sums: Sums): LedgerRow => ({
  hour,
  accepted: sums.accepted,
  acceptedBytes: sums.acceptedBytes,
  waiting: sums.waiting,
  delivered: sums.counts.delivered,
  excluded: sums.counts.excluded,
  dropped: sums.counts.dropped,
  notTaken: sums.notTaken,
  balanced: sums.accepted === settledLines(sums.counts) + sums.waiting,
});

/** Lines accepted from the job's start to its head. Lines of one hour are consecutive, so each cuts at most one hour. */
function acceptedByHour(
  database: DatabaseSync,
  cut: JobCut,
): Map<number, { lines: number; bytes: number }> {
  const rows = database
    .prepare(
      `SELECT a.hour, a.first, a.lines, a.bytes FROM accepted a JOIN jobs j ON j.stream = a.stream AND j.epoch = a.epoch
       WHERE j.job = ? AND a.first + a.lines > ? AND a.first < ?`,
    )
    .all(cut.job, cut.start, cut.head) as unknown as AcceptedRow[];
  return new Map(
    rows.map(({ hour, first, lines, bytes }) => {
      const counted = Math.min(first + lines, cut.head) - Math.max(first, cut.start);
      return [hour, { lines: counted, bytes: Math.round((bytes * counted) / lines) }];
    }),
  );
}

/**
 * A job's settled lines by the hour of their reception: of one life, or of all others. A former life ended with all of its
 * lines settled, so they count as accepted as well.
 */
export function settledByHour(
  database: DatabaseSync,
  job: number,
  lives: { readonly life: number } | { readonly butLife: number },
): Map<number, OutcomeCounts> {
  const [which, start] = 'life' in lives ? ['=', lives.life] : ['<>', lives.butLife];
  const rows = database
    .prepare(
      `SELECT hour, outcome, sum(lines) AS lines FROM settled WHERE job = ? AND life ${which} ? GROUP BY hour, outcome`,
    )
    .all(job, start) as unknown as {
    hour: number;
    outcome: string;
    lines: number;
  }[];
  const byHour = new Map<
    number,
    {
      delivered: number;
      excluded: Partial<Record<ExcludeReason, number>>;
      dropped: Partial<Record<DropReason, number>>;
    }
  >();
  for (const { hour, outcome, lines } of rows) {
    const counts = byHour.get(hour) ?? { delivered: 0, excluded: {}, dropped: {} };
    byHour.set(hour, counts);
    const [kind, reason] = outcome.split(':');
    if (kind === 'delivered') counts.delivered += lines;
    else if (kind === 'excluded') counts.excluded[reason as ExcludeReason] = lines;
    else counts.dropped[reason as DropReason] = lines;
  }
  return byHour;
}

function notTakenByHour(
  database: DatabaseSync,
  stream: string,
): Map<number, Record<string, number>> {
  const rows = database
    .prepare('SELECT hour, reason, lines FROM not_taken WHERE stream = ?')
    .all(stream) as unknown as {
    hour: number;
    reason: string;
    lines: number;
  }[];
  const byHour = new Map<number, Record<string, number>>();
  for (const { hour, reason, lines } of rows)
    byHour.set(hour, { ...byHour.get(hour), [reason]: lines });
  return byHour;
}
