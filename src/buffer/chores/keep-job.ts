/**
 * The built-in job `keep`: lines that no job has (a stream that only Logpull's flag wants, one whose job was deleted, what
 * lies before the first job's beginning) are settled as `unclaimed` when their holdback ends, so that I2 holds for every
 * stream. It is made for as long as there is something to settle, under the stream's number below zero, and shown to nobody.
 */
import type { ShardState } from '../state/state.ts';
import type { StreamEntry } from '../state/stream.ts';
import { nextTurn } from '../gate.ts';
import type { ServiceClock } from '../service-clock.ts';
import type { JobRecords } from '../write/job-records.ts';
import { sealedBefore } from './age.ts';
import type { LineEnds, Round } from './line-ends.ts';

export interface KeepDeps {
  readonly state: ShardState;
  readonly service: ServiceClock;
  readonly jobs: JobRecords;
  readonly ends: LineEnds;
  readonly limits: { readonly holdbackMs: number };
}

/** Streams looked at in one turn. */
const TURN_STREAMS = 5_000;

export class KeepJob {
  readonly #deps: KeepDeps;

  constructor(deps: KeepDeps) {
    this.#deps = deps;
  }

  async run(round: Round): Promise<void> {
    const { jobs, state } = this.#deps;
    let seen = 0;
    for (const stream of state.streams.values()) {
      if (round.left <= 0) return;
      seen += 1;
      if (seen % TURN_STREAMS === 0) await nextTurn();
      const erasedTo = Math.min(state.erasedTo(stream), stream.claimedFrom());
      const upTo = Math.max(this.#dueUpTo(stream), erasedTo);
      if (stream.settledTo < upTo) await this.#settle(stream, erasedTo, upTo, round);
    }
    // One that a restart or a new job's beginning left behind.
    for (const job of state.jobs.values()) {
      if (job.id >= 0 || job.cursor < Math.min(job.stream.claimedFrom(), job.head)) continue;
      await jobs.close(job.id);
      await jobs.forget(job.id);
    }
  }

  /** Up to where the stream's lines are nobody's and their time is over. */
  #dueUpTo(stream: StreamEntry): number {
    const { limits, service, state } = this.#deps;
    const claimedFrom = stream.claimedFrom();
    // Somebody has decided which lines he wants; the holdback of those before counts from their settling.
    if (claimedFrom < stream.head || stream.jobs.some(isSomebodys)) return claimedFrom;
    const before = service.nowMs() - limits.holdbackMs;
    // A stream that goes on without a job ages as its spans do.
    return stream.lastServiceMs <= before ? stream.head : sealedBefore(stream, state, before);
  }

  async #settle(stream: StreamEntry, erasedTo: number, upTo: number, round: Round): Promise<void> {
    const { ends, jobs, state } = this.#deps;
    const id = -stream.id;
    const start = { offset: Math.max(stream.settledTo, stream.oldest) };
    const opened = await jobs.open(id, stream.key, stream.account, start);
    const job = state.jobs.get(id);
    if (opened.kind === 'failed' || job === undefined) {
      round.left = 0;
      return;
    }
    await ends.end(job, erasedTo, 'erased', round);
    await ends.end(job, upTo, 'unclaimed', round);
    if (job.cursor < upTo) return;
    await jobs.close(id);
    await jobs.forget(id);
  }
}

const isSomebodys = ({ id, end }: { id: number; end: number | null }): boolean =>
  id >= 0 && end === null;
