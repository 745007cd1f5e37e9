/** What one damaged byte may cost a shard, and what it must be told by (I10). */
import type { Seen, StreamSeen } from './open-rooms.ts';
import type { BlockPlace } from './segments.ts';

type Open = Extract<Seen, { kind: 'open' }>;

/**
 * Compares what a shard serves with what it served before a byte changed.
 *
 * @param hit the block that the byte lies in, if it lies in one
 * @returns what must not be
 */
export function judgeDamage(before: Open, after: Seen, hit: BlockPlace | undefined): string[] {
  if (after.kind === 'refused') return [`it refuses to start: ${after.detail}`];
  const problems: string[] = [];
  let lost = 0;
  for (const [key, was] of before.streams) {
    const is = after.streams.get(key);
    if (!is) problems.push(`${key} is gone`);
    else lost += judgeStream(key, was, is, hit, problems);
  }
  if (after.streams.size > before.streams.size) problems.push('a stream was invented');
  const counted = after.corruptLines;
  if (counted < lost) problems.push(`${lost} lines are lost and ${counted} counted`);

  let changed = lost > 0;
  for (const [id, was] of before.jobs) {
    const is = after.jobs.get(id);
    if (!is) {
      problems.push(`job ${id} is gone`);
      continue;
    }
    if (!settledOf(is).every((range) => settledOf(was).some((all) => within(range, all))))
      problems.push(`job ${id} counts lines as settled that were not`);
    const plans = (job: typeof is) => job.open.map(({ id: plan }) => plan).join();
    changed ||= is.cursor !== was.cursor || plans(is) !== plans(was);
    changed ||= JSON.stringify(is.totals) !== JSON.stringify(was.totals);
  }
  if (changed && after.alarms.length === 0) problems.push('it is not told');

  for (const [id, was] of before.ledgers) {
    const is = after.ledgers.get(id);
    const same = JSON.stringify(is) === JSON.stringify(was);
    const unbalanced = is?.hours.some(({ balanced }) => !balanced) || is?.total.balanced === false;
    if (!same && !unbalanced && after.alarms.length === 0)
      problems.push(
        `the ledger of job ${id} is another and nobody is told: ${JSON.stringify(is?.total)}`,
      );
  }
  return problems;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** All that a job counts as settled; empty ranges left out. */
function settledOf(job: { cursor: number; settled: readonly Range[] }): readonly Range[] {
  return [{ from: 0, to: job.cursor }, ...job.settled].filter(({ from, to }) => from < to);
}

const within = (range: Range, all: Range): boolean => all.from <= range.from && range.to <= all.to;

/** @returns how many lines are lost */
function judgeStream(
  key: string,
  was: StreamSeen,
  is: StreamSeen,
  hit: BlockPlace | undefined,
  problems: string[],
): number {
  if (is.epoch !== was.epoch) problems.push(`${key} has another epoch`);
  if (is.head !== was.head) problems.push(`${key} ends at ${is.head} and not at ${was.head}`);
  let lost = 0;
  for (const [offset, line] of was.lines.entries()) {
    const now = is.lines[offset];
    if (now === line || line === undefined) continue;
    if (now !== undefined) {
      problems.push(`line ${offset} of ${key} is wrong`);
      continue;
    }
    lost++;
    const within =
      hit?.epoch === was.epoch && hit.first <= offset && offset < hit.first + hit.lines;
    if (!within) problems.push(`line ${offset} of ${key} is lost and was not hit`);
  }
  return lost;
}
