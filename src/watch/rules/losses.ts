import type { Alert, Finding, Loss, Verdicts, WatchLimits } from '../contract.ts';
import { count } from '../words.ts';

const KIND = 'lines_lost';

const BECAUSE: Readonly<Record<string, string>> = {
  malformed: 'their JSON could not be looked into where the job had to',
  corrupt: 'the disk no longer holds what was written',
  expired: 'they waited longer than lines are kept',
  drop_oldest: 'the job is set to give up its oldest lines',
  erased: 'their owner ordered them erased',
  rejected_by_destination: 'the destination refused them while it took their neighbours',
  unclaimed:
    'the job was off or deleted, and the time for bringing it back has passed, or the disk was full',
  skipped_by_owner: 'the job was restored from then on',
};

/** Lines dropped for whatever reason, told per job and reason; goes on until nothing more was lost for a while. */
export class Losses {
  readonly #verdicts: Verdicts;
  readonly #limits: WatchLimits;
  /** Monotonic time of the last loss, by subject. */
  readonly #lastMs = new Map<string, number>();

  constructor(verdicts: Verdicts, limits: WatchLimits) {
    this.#verdicts = verdicts;
    this.#limits = limits;
  }

  /** @param nowMs monotonic */
  lost(loss: Loss, nowMs: number): void {
    const { job, stream, reason, lines, hour } = loss;
    const subject = `job ${job}: ${reason}`;
    const before = this.#verdicts.current(KIND, subject);
    this.#lastMs.set(subject, nowMs);
    this.#verdicts.fire(findingOf({ job, stream, reason, lines, hour }, subject, before));
  }

  /** @param nowMs monotonic */
  tick(nowMs: number): void {
    for (const { subject } of this.#verdicts.firing(KIND)) {
      const lastMs = this.#lastMs.get(subject);
      // From before a restart: quiet from now on.
      if (lastMs === undefined) this.#lastMs.set(subject, nowMs);
      else if (nowMs - lastMs >= this.#limits.quietMs) {
        this.#lastMs.delete(subject);
        this.#verdicts.clear(KIND, subject);
      }
    }
  }
}

function findingOf(
  { job, stream, reason, lines, hour }: Omit<Loss, 'atMs'>,
  subject: string,
  before: Alert | undefined,
): Finding {
  const all = lines + Number(before?.facts['lines'] ?? 0);
  const from = Math.min(hour, Number(before?.facts['fromHour'] ?? hour));
  const to = Math.max(hour, Number(before?.facts['toHour'] ?? hour));
  const when =
    from === to
      ? `received in the hour of ${hourText(from)}`
      : `received from ${hourText(from)} to ${hourText(to + 1)}`;
  return {
    kind: KIND,
    subject,
    stream,
    job,
    text: `${count(all)} ${when} ${all === 1 ? 'was' : 'were'} dropped as ${reason}: ${BECAUSE[reason] ?? 'see the ledger'}.`,
    facts: { lines: all, reason, fromHour: from, toHour: to },
  };
}

function hourText(hour: number): string {
  return `${new Date(hour * 3_600_000).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
