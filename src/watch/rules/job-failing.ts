import type { JobLook, Verdicts, WatchLimits } from '../contract.ts';
import { count, span } from '../words.ts';

interface Watched {
  failingSinceMs: number | undefined;
  /** Since when it settles without a failure; undefined while it has shown nothing. */
  wellSinceMs: number | undefined;
  settled: number;
}

const KIND = 'job_failing';

/** A job that has been failing for minutes, not for a day. Ends once it has been well for a while. */
export class JobFailing {
  readonly #verdicts: Verdicts;
  readonly #limits: WatchLimits;
  readonly #watched = new Map<number, Watched>();

  constructor(verdicts: Verdicts, limits: WatchLimits) {
    this.#verdicts = verdicts;
    this.#limits = limits;
  }

  /** @param nowMs monotonic */
  look(stream: string, look: JobLook, nowMs: number): void {
    const subject = `job ${look.job}`;
    const off = look.state === 'paused' || look.state === 'closed';
    if (off) return this.#over(look.job, subject);
    const known = this.#watched.get(look.job) ?? {
      failingSinceMs: undefined,
      wellSinceMs: undefined,
      settled: look.settled,
    };
    this.#watched.set(look.job, known);
    const firing = this.#verdicts.isFiring(KIND, subject);
    const fails = look.failures > 0 || look.state === 'backing_off' || look.state === 'blocked';
    if (fails) {
      known.failingSinceMs ??= nowMs;
      known.wellSinceMs = undefined;
      known.settled = look.settled;
      const forMs = nowMs - known.failingSinceMs;
      if (!firing && forMs < this.#limits.failingMs) return;
      this.#fire(stream, look, subject, forMs);
      return;
    }
    // Having just started is no sign of health: something must have been settled, or nothing be left to settle.
    const shows = look.settled !== known.settled || look.waiting === 0;
    if (shows) known.wellSinceMs ??= nowMs;
    known.settled = look.settled;
    if (known.wellSinceMs === undefined) return;
    if (!firing) known.failingSinceMs = undefined;
    if (nowMs - known.wellSinceMs >= this.#limits.wellMs || !firing) {
      if (look.waiting === 0 || !firing) this.#watched.delete(look.job);
      else known.failingSinceMs = undefined;
      this.#verdicts.clear(KIND, subject);
    }
  }

  #over(job: number, subject: string): void {
    this.#watched.delete(job);
    this.#verdicts.clear(KIND, subject);
  }

  #fire(stream: string, look: JobLook, subject: string, forMs: number): void {
    const blocked = look.state === 'blocked' ? 'Its receiver refuses every batch. ' : '';
    this.#verdicts.fire({
      kind: KIND,
      subject,
      stream,
      job: look.job,
      text:
        `${blocked}${look.failures} attempts in a row have failed${forMs >= 1_000 ? ` over ${span(forMs)}` : ''}; ` +
        `${count(look.waiting)} ${look.waiting === 1 ? 'waits' : 'wait'}. Last error: ${look.error ?? 'none was given'}`,
      facts: { failures: look.failures, waitingLines: look.waiting, forMs },
    });
  }
}
