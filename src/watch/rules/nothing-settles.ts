import type { StreamLook, Verdicts, WatchLimits } from '../contract.ts';
import { count, span } from '../words.ts';

interface Watched {
  /** Lines settled by all of the stream's jobs, when that last changed or nothing waited. */
  settled: number;
  headThen: number;
  sinceMs: number;
}

const KIND = 'nothing_settles';

/**
 * Lines are accepted while none of a stream's jobs settles any. The one sign that nobody looked for on 14 November 2024:
 * everything was well as far as each part could see, and nothing came out at the end.
 */
export class NothingSettles {
  readonly #verdicts: Verdicts;
  readonly #limits: WatchLimits;
  readonly #watched = new Map<string, Watched>();

  constructor(verdicts: Verdicts, limits: WatchLimits) {
    this.#verdicts = verdicts;
    this.#limits = limits;
  }

  /** @param nowMs monotonic */
  look({ stream, head, jobs }: StreamLook, nowMs: number): void {
    const subject = `stream ${stream}`;
    const atWork = jobs.filter(({ state }) => state !== 'paused' && state !== 'closed');
    const waiting = atWork.reduce((most, job) => Math.max(most, job.waiting), 0);
    const settled = atWork.reduce((sum, job) => sum + job.settled, 0);
    const known = this.#watched.get(stream);
    if (waiting === 0) {
      this.#watched.delete(stream);
      this.#verdicts.clear(KIND, subject);
      return;
    }
    if (!known || known.settled !== settled) {
      // A stream looked at for the first time has settled nothing and failed in nothing yet: no verdict either way.
      if (known) this.#verdicts.clear(KIND, subject);
      this.#watched.set(stream, { settled, headThen: head, sinceMs: nowMs });
      return;
    }
    const forMs = nowMs - known.sinceMs;
    const errors = atWork.flatMap(({ error }) => error ?? []);
    const explained = errors.length === atWork.length;
    const bound = explained
      ? this.#limits.nothingSettlesExplainedMs
      : this.#limits.nothingSettlesMs;
    const came = head - known.headThen;
    if (!this.#verdicts.isFiring(KIND, subject) && (forMs < bound || came === 0)) return;
    this.#verdicts.fire({
      kind: KIND,
      subject,
      stream,
      job: null,
      text:
        `${count(came)} came in within ${span(forMs)}, and none of the stream's ${atWork.length === 1 ? 'one job' : `${atWork.length} jobs`} settled any. ` +
        `${count(waiting)} ${waiting === 1 ? 'waits' : 'wait'}.${errors[0] === undefined ? ' No job reports an error.' : ` Last error: ${errors[0]}`}`,
      facts: { acceptedLines: came, waitingLines: waiting, jobs: atWork.length, forMs },
    });
  }
}
