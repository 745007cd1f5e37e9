/**
 * How waiting lines end without having been delivered (I3): by retention, or because nobody claims them any more. Always by
 * waybill, hour by hour, and never all at once: a sweep that would drop much stops and raises an alarm instead.
 */
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { hourOf } from '../../model/delivery.ts';
import type { DropReason, Plan, Range, Waybill } from '../../model/delivery.ts';
import { nextTurn } from '../gate.ts';
import type { ServiceClock } from '../service-clock.ts';
import type { JobEntry } from '../state/job.ts';
import type { ShardState } from '../state/state.ts';
import type { StreamEntry } from '../state/stream.ts';
import type { JobRecords } from '../write/job-records.ts';

export interface EndDeps {
  readonly state: ShardState;
  readonly service: ServiceClock;
  readonly diagnostics: Diagnostics;
  readonly jobs: JobRecords;
  readonly wallMs: () => number;
  readonly limits: { readonly holdbackMs: number; readonly retentionMs: number };
}

/** Waybills in one round: the rest waits for the next. */
const ROUND = 200;
/** Streams looked at in one turn. */
const TURN_STREAMS = 5_000;
/** Share of all waiting lines that one sweep of retention may drop. */
const SWEEP_SHARE = 0.01;

/** The part of a job's lines that one waybill can end: within one hour, and a plan's range only whole. */
interface Piece {
  readonly range: Range;
  readonly hour: number;
  readonly plan: Plan | undefined;
}

export class Ends {
  readonly #deps: EndDeps;
  #left = 0;
  #alarmed = false;

  constructor(deps: EndDeps) {
    this.#deps = deps;
  }

  async run(): Promise<void> {
    this.#left = ROUND;
    await this.#unclaimed();
    await this.#closed();
    await this.#expired();
  }

  /** Jobs whose holdback is over, and the buffer's own: what is left of their lines is unclaimed, and they are forgotten. */
  async #closed(): Promise<void> {
    const { jobs, limits, service, state } = this.#deps;
    for (const job of state.jobs.values()) {
      const own = job.id < 0;
      const since = job.closedServiceMs;
      if (!own && (since === null || service.nowMs() - since < limits.holdbackMs)) continue;
      const upTo = own ? job.stream.claimedFrom() : job.stream.head;
      if (!(await this.#end(job, upTo, 'unclaimed'))) continue;
      if (own) await jobs.close(job.id);
      // Does nothing when the job was opened again meanwhile.
      await jobs.forget(job.id);
    }
  }

  /**
   * Lines that no job has: the built-in job `keep` settles them, so that I2 holds for every stream. Those before the first
   * job's beginning at once, because then somebody has decided; the holdback counts from their settling.
   */
  async #unclaimed(): Promise<void> {
    const { jobs, limits, service, state } = this.#deps;
    let seen = 0;
    for (const stream of state.streams.values()) {
      if (this.#left <= 0) return;
      seen += 1;
      if (seen % TURN_STREAMS === 0) await nextTurn();
      const upTo = stream.claimedFrom();
      if (stream.settledTo >= upTo) continue;
      const young = service.nowMs() - stream.lastServiceMs < limits.holdbackMs;
      if (stream.jobs.length === 0 && young) continue;
      const id = -stream.id;
      const start = { offset: Math.max(stream.settledTo, stream.oldest) };
      const opened = await jobs.open(id, stream.key, stream.account, start);
      const job = state.jobs.get(id);
      if (opened.kind === 'failed' || job === undefined) return;
      if (!(await this.#end(job, upTo, 'unclaimed'))) continue;
      await jobs.close(id);
      await jobs.forget(id);
    }
  }

  async #expired(): Promise<void> {
    const { diagnostics, state } = this.#deps;
    const due: { readonly job: JobEntry; readonly upTo: number }[] = [];
    let waiting = 0;
    let dropping = 0;
    for (const job of state.jobs.values()) {
      waiting += job.waitingLines();
      const upTo = this.#expiredUpTo(job.stream);
      if (upTo <= job.cursor) continue;
      due.push({ job, upTo });
      dropping += upTo - job.cursor;
    }
    if (due.length === 0) {
      this.#alarmed = false;
      return;
    }
    if (dropping > waiting * SWEEP_SHARE) {
      if (!this.#alarmed) diagnostics.alarm('buffer.retention_stopped', { dropping, waiting });
      this.#alarmed = true;
      return;
    }
    this.#alarmed = false;
    for (const { job, upTo } of due) {
      const before = job.cursor;
      await this.#end(job, upTo, 'expired');
      const lines = job.cursor - before;
      if (lines > 0)
        diagnostics.alarm('buffer.lines_expired', { job: job.id, stream: job.stream.key, lines });
    }
  }

  /** Lines age by the span that they lie in: the end of the stream's lines in spans sealed longer ago than the retention. */
  #expiredUpTo(stream: StreamEntry): number {
    const { limits, service, state } = this.#deps;
    const before = service.nowMs() - limits.retentionMs;
    let upTo = 0;
    for (let index = stream.released; index < stream.stretchCount; index += 1) {
      const stretch = stream.stretchAt(index);
      const span = state.spans.byId(stretch.span);
      if (span === undefined || span.sealedServiceMs > before) break;
      upTo = stretch.end;
    }
    return upTo;
  }

  /** Ends a job's lines before `upTo`. Returns whether none is left. */
  async #end(job: JobEntry, upTo: number, reason: DropReason): Promise<boolean> {
    const { jobs } = this.#deps;
    for (;;) {
      if (jobs.isSettling(job.id) || jobs.isPlanning(job.id)) return false;
      const piece = firstPiece(job, upTo);
      // Opened again while its lines were ending: the rest is wanted.
      if (reason === 'unclaimed' && job.id >= 0 && job.closedMs === null) return false;
      if (piece === undefined) return job.cursor >= upTo;
      if (this.#left <= 0) return false;
      this.#left -= 1;
      const result = await jobs.settle(this.#waybill(job, piece, reason));
      if (result.kind === 'failed') return false;
    }
  }

  #waybill(job: JobEntry, { hour, plan, range }: Piece, reason: DropReason): Waybill {
    return {
      job: job.id,
      sequence: job.sequence + 1,
      stream: job.stream.key,
      epoch: job.stream.epoch,
      range,
      hour,
      counts: { delivered: 0, excluded: {}, dropped: { [reason]: range.to - range.from } },
      plan: plan?.id ?? null,
      sha256: null,
      plainBytes: 0,
      sentBytes: 0,
      receipt: null,
      destination: null,
      configVersion: 0,
      atMs: this.#deps.wallMs(),
      previous: job.chain,
    };
  }
}

/** The first lines from the cursor on that can be ended at once; undefined when there are none before `upTo`. */
function firstPiece(job: JobEntry, upTo: number): Piece | undefined {
  const [rest] = job.unsettled();
  if (rest === undefined || rest.from >= upTo) return undefined;
  const hour = job.stream.hourAt(rest.from);
  const plan = job.open.find((open) => open.range.from === rest.from);
  // A plan that reaches past the end is still young: it is left to its delivery.
  if (plan !== undefined && plan.range.to > upTo) return undefined;
  const next = job.open.find((open) => open.range.from > rest.from)?.range.from ?? Infinity;
  const to = plan?.range.to ?? Math.min(rest.to, upTo, hour.to, next);
  return { range: { from: rest.from, to }, hour: hourOf(hour.receivedMs), plan };
}
