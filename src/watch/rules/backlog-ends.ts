import type { JobLook, Verdicts, WatchLimits } from '../contract.ts';
import { count, moment, span } from '../words.ts';

interface Watched {
  readonly sinceMs: number;
  readonly lagMs: number;
}

const KIND = 'backlog_ends';
const HOUR_MS = 3_600_000;
/** A lag's trend is taken over this long; times of reception are known to the hour. */
const TREND_MS = 30 * 60_000;
const TRENDS = 20_000;

/**
 * A backlog that will reach its end by the retention, and when. Ages are those of the lines' reception; the retention counts
 * time in service, so the end may come later than estimated, never sooner.
 */
export class BacklogEnds {
  readonly #verdicts: Verdicts;
  readonly #limits: WatchLimits;
  readonly #retentionMs: number;
  readonly #watched = new Map<number, Watched>();

  constructor(verdicts: Verdicts, limits: WatchLimits, retentionMs: number) {
    this.#verdicts = verdicts;
    this.#limits = limits;
    this.#retentionMs = retentionMs;
  }

  /** @param nowMs monotonic */
  look(stream: string, look: JobLook, nowMs: number, wallMs: number): void {
    const subject = `job ${look.job}`;
    const off = look.state === 'paused' || look.state === 'closed';
    const lagMs = look.oldestWaitingMs === null ? 0 : this.#lag(look.oldestWaitingMs, wallMs);
    const boundMs = this.#limits.backlogShare * this.#retentionMs;
    // Over when it is a tenth below the bound: it does not flap around it.
    if (off || lagMs < 0.9 * boundMs) {
      this.#watched.delete(look.job);
      return this.#verdicts.clear(KIND, subject);
    }
    const known = this.#watched.get(look.job) ?? { sinceMs: nowMs, lagMs };
    if (this.#watched.size < TRENDS) this.#watched.set(look.job, known);
    if (lagMs < boundMs && !this.#verdicts.isFiring(KIND, subject)) return;
    const leftMs = Math.max(0, this.#retentionMs - lagMs);
    const overMs = nowMs - known.sinceMs;
    const growth = overMs >= TREND_MS ? (lagMs - known.lagMs) / overMs : 1;
    if (overMs >= 2 * TREND_MS) this.#watched.set(look.job, { sinceMs: nowMs, lagMs });
    const endsMs = growth > 0.01 ? wallMs + leftMs / Math.min(1, growth) : null;
    this.#verdicts.fire({
      kind: KIND,
      subject,
      stream,
      job: look.job,
      text:
        `Its oldest waiting line is ${span(lagMs)} old, and lines are kept for ${span(this.#retentionMs)}. ` +
        (endsMs === null
          ? `It is catching up; ${count(look.waiting)} ${look.waiting === 1 ? 'waits' : 'wait'}.`
          : `At this pace the first of ${count(look.waiting)} will be dropped at about ${moment(endsMs)}.`),
      facts: {
        lagMs,
        waitingLines: look.waiting,
        endsMs: endsMs === null ? null : Math.round(endsMs),
      },
    });
  }

  /** At least so long: a time of reception may stand for its whole hour. */
  #lag(oldestMs: number, wallMs: number): number {
    if (this.#retentionMs < 4 * HOUR_MS) return Math.max(0, wallMs - oldestMs);
    const endOfHour = (Math.floor(oldestMs / HOUR_MS) + 1) * HOUR_MS;
    return Math.max(0, wallMs - endOfHour);
  }
}
