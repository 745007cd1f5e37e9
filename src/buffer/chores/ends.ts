/**
 * How waiting lines end without having been delivered (I3): by retention, because their owner ordered them erased, or because
 * nobody claims them any more. Always by waybill, hour by hour, and what nobody asked for never all at once: a sweep that
 * would drop much stops and raises an alarm instead.
 */
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { nextTurn } from '../gate.ts';
import type { ServiceClock } from '../service-clock.ts';
import type { JobEntry } from '../state/job.ts';
import type { ShardState } from '../state/state.ts';
import type { StreamEntry } from '../state/stream.ts';
import type { JobRecords } from '../write/job-records.ts';
import { sealedBefore } from './age.ts';
import { KeepJob } from './keep-job.ts';
import type { LineEnds, Round } from './line-ends.ts';

export interface EndDeps {
  readonly state: ShardState;
  readonly service: ServiceClock;
  readonly diagnostics: Diagnostics;
  readonly jobs: JobRecords;
  readonly ends: LineEnds;
  /** Whether the disk is so full that lines held for replays must give way. */
  readonly isFull: () => boolean;
  readonly limits: {
    readonly holdbackMs: number;
    readonly retentionMs: number;
    readonly replayMs: number;
  };
}

/** Waybills in one round: the rest waits for the next. */
const ROUND = 200;
/** Share of all waiting lines that one sweep of retention may drop. */
const SWEEP_SHARE = 0.01;

export class Ends {
  readonly #deps: EndDeps;
  readonly #keep: KeepJob;
  #alarmed = false;
  /** Lines that a stopped sweep of retention would drop; 0 while none is stopped. */
  #asksForLines = 0;
  /** Lines that an operator lets it drop all the same. Not kept over a restart: then it asks again. */
  #grantedLines = 0;

  constructor(deps: EndDeps) {
    this.#deps = deps;
    this.#keep = new KeepJob(deps);
  }

  /**
   * Lets a stopped sweep of retention go on, if it would drop no more than so many lines.
   *
   * @returns how many lines it would drop; 0 when none is stopped
   */
  expire(mostLines: number): number {
    const lines = this.#asksForLines;
    if (lines > 0 && lines <= mostLines) this.#grantedLines = lines;
    return lines;
  }

  async run(): Promise<void> {
    const round: Round = { left: ROUND };
    await this.#erased(round);
    await this.#keep.run(round);
    await this.#closed(round);
    await this.#replays(round);
    await this.#expired(round);
  }

  /** What an owner ordered erased: whatever the round has room for, and the rest in the next one. */
  async #erased(round: Round): Promise<void> {
    const { ends, state } = this.#deps;
    for (const [id, { to }] of state.erasures) {
      const stream = state.streamsById.get(id);
      if (stream === undefined) continue;
      for (const { id: number } of stream.jobs) {
        const job = state.jobs.get(number);
        if (job !== undefined && job.cursor < to) await ends.end(job, to, 'erased', round);
      }
    }
    await nextTurn();
  }

  /** Jobs whose holdback is over: what is left of their lines is unclaimed, and they are forgotten. */
  async #closed(round: Round): Promise<void> {
    const { ends, jobs, limits, service, state } = this.#deps;
    for (const job of state.jobs.values()) {
      const since = job.closedServiceMs;
      if (job.id < 0 || job.end !== null || since === null) continue;
      if (service.nowMs() - since < limits.holdbackMs) continue;
      // Opened again while its lines were ending: the rest is wanted.
      const goesOn = (): boolean => job.closedMs !== null;
      await ends.end(job, job.head, 'unclaimed', round, goesOn);
      // Does nothing when the job was opened again meanwhile.
      if (job.cursor >= job.head) await jobs.forget(job.id);
    }
  }

  /**
   * Replays that are over. A closed one was called off by its owner, who does not want the rest; one that holds its lines for
   * too long, or while the disk is full, must let them go: they were settled before, and others need the room.
   */
  async #replays(round: Round): Promise<void> {
    const { diagnostics, ends, isFull, jobs, limits, service, state } = this.#deps;
    for (const job of state.jobs.values()) {
      if (job.end === null) continue;
      if (job.closedMs !== null) {
        await ends.end(job, job.head, 'skipped_by_owner', round, () => job.closedMs !== null);
        if (job.cursor >= job.head) await jobs.forget(job.id);
        continue;
      }
      const isOld = service.nowMs() - job.openedServiceMs >= limits.replayMs;
      const lines = job.waitingLines();
      if (lines === 0 || !(isOld || isFull())) continue;
      diagnostics.alarm('buffer.replay_expired', { job: job.id, stream: job.stream.key, lines });
      await ends.end(job, job.head, 'expired', round);
    }
  }

  async #expired(round: Round): Promise<void> {
    const { diagnostics, ends, state } = this.#deps;
    const due: { readonly job: JobEntry; readonly upTo: number }[] = [];
    let waiting = 0;
    let dropping = 0;
    for (const job of state.jobs.values()) {
      waiting += job.waitingLines();
      const upTo = Math.min(this.#expiredUpTo(job.stream), job.head);
      if (upTo <= job.cursor) continue;
      due.push({ job, upTo });
      dropping += upTo - job.cursor;
    }
    const isGranted = dropping > 0 && dropping <= this.#grantedLines;
    const isStopped = dropping > waiting * SWEEP_SHARE && !isGranted;
    this.#asksForLines = isStopped ? dropping : 0;
    if (due.length === 0) {
      this.#alarmed = false;
      return;
    }
    if (isStopped) {
      // What has become more since was not meant.
      this.#grantedLines = 0;
      if (!this.#alarmed) diagnostics.alarm('buffer.retention_stopped', { dropping, waiting });
      this.#alarmed = true;
      return;
    }
    this.#alarmed = false;
    for (const { job, upTo } of due) {
      const before = job.cursor;
      await ends.end(job, upTo, 'expired', round);
      const lines = job.cursor - before;
      this.#grantedLines = Math.max(0, this.#grantedLines - lines);
      if (lines > 0)
        diagnostics.alarm('buffer.lines_expired', { job: job.id, stream: job.stream.key, lines });
    }
  }

  #expiredUpTo(stream: StreamEntry): number {
    const { limits, service, state } = this.#deps;
    return sealedBefore(stream, state, service.nowMs() - limits.retentionMs);
  }
}
