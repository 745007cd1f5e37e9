/**
 * Makes a job's next plan: looks at the index, waits for the batch to close, prepares it, and records the plan before its
 * first attempt. One at a time per job, so that the range follows from the durable state alone.
 */
import type { JobState } from '../buffer/index.ts';
import type { JobConfig } from '../model/snapshot.ts';
import { batchCaps, chooseBatch, enoughBytes } from './batcher.ts';
import type { BatchChoice } from './batcher.ts';
import type { Content, ReceiverDescription } from './contract.ts';
import type { Health } from './health.ts';
import { nextUnplanned } from './next-range.ts';
import { makePlan } from './plan-name.ts';
import { malformedLines } from './kept-lines.ts';
import type { Prepared, PreparedBatch } from './prepare.ts';
import type { RunnerTools } from './runner-tools.ts';
import type { Settled, Settlement } from './settler.ts';
import type { Turn } from './turns.ts';
import type { Plan } from '../model/delivery.ts';
import { firstShare } from './pace.ts';

/** What planning asks of its job. */
export interface PlannerHost {
  readonly tools: RunnerTools;
  readonly health: Health;
  readonly job: () => JobConfig;
  readonly mayPlan: () => boolean;
  readonly content: (job: JobConfig) => Content;
  readonly settle: (settlement: Settlement) => Promise<Settled>;
  readonly receiver: () => ReceiverDescription;
  /** It has ended what it was at; there may be more to do. */
  readonly done: () => void;
  /** Takes a plan that is durable now, with the batch and the turn that it was made with. */
  readonly planned: (plan: Plan, made: JobConfig, prepared: PreparedBatch, turn: Turn) => void;
}

type Ready = Extract<BatchChoice, { kind: 'ready' }>;

/** When the batch that is filling is looked at again, and by how much the stream must grow for an earlier look. */
interface Filling {
  readonly lookAtMs: number;
  readonly fullAtHead: number;
  readonly lookAtBytes: number;
}

export class Planner {
  readonly #host: PlannerHost;
  #busy = false;
  #filling: Filling | undefined;
  /** The first line of the batch that is filling, and the monotonic time at which it closes, whatever the wall clock does. */
  #closing: { readonly from: number; readonly atMs: number } | undefined;
  #failures = 0;
  #notBeforeMs = 0;
  /** The account among whose jobs with lines it counts. */
  #paced: string | undefined;
  /** Of a stretched interval, what the batch that fills waits: not all of it for the first one, so that jobs do not stay together. */
  #share: number;
  /** What the last choice was made for. */
  #chosenFor: { readonly job: JobConfig; readonly head: number } | undefined;

  constructor(host: PlannerHost) {
    this.#host = host;
    this.#share = firstShare(host.tools.deps.random.fraction());
  }

  /** Whether a batch is being prepared or its range settled (not merely waiting to close). */
  get busy(): boolean {
    return this.#busy;
  }

  /** Monotonic time at which it wants to be asked again; undefined while it knows of nothing to do or is at work. */
  get wakeAtMs(): number | undefined {
    if (this.#busy) return undefined;
    const lookAtMs = this.#filling?.lookAtMs;
    const retryAtMs = this.#failures > 0 ? this.#notBeforeMs : undefined;
    return lookAtMs ?? retryAtMs;
  }

  /** It may make no batch for now: others need not wait because of its lines. */
  rest(): void {
    if (this.#paced !== undefined) this.#host.tools.pace.end(this.#paced);
    this.#paced = undefined;
  }

  /** The job's settings changed: bounds and interval are taken anew. */
  reset(): void {
    this.rest();
    this.#filling = undefined;
    this.#closing = undefined;
  }

  /** Whether lines are neither settled nor planned. */
  hasUnplanned(): boolean {
    const { deps } = this.#host.tools;
    const job = this.#host.job();
    const state = deps.buffer.job(job.id);
    const stream = deps.buffer.stream(job.stream);
    if (!state || state.closedMs !== null || !stream) return false;
    const next = nextUnplanned(state);
    return next.from < Math.min(next.to, stream.head);
  }

  /** Looks whether a batch is due, and starts making it. Cheap when none is. */
  look(): void {
    if (this.#busy) return;
    const { clock } = this.#host.tools;
    if (clock.monotonicMs() < this.#notBeforeMs) return;
    if (this.#stillFilling()) return;
    this.#filling = undefined;
    if (!this.hasUnplanned()) {
      this.#failures = 0;
      return this.rest();
    }
    this.#pace();
    this.#busy = true;
    this.#host.tools.track(this.#host.job().id, this.#plan());
  }

  #pace(): void {
    if (this.#paced !== undefined) return;
    this.#paced = this.#host.job().account;
    this.#host.tools.pace.begin(this.#paced);
  }

  #stillFilling(): boolean {
    const filling = this.#filling;
    if (!filling) return false;
    const { deps, clock } = this.#host.tools;
    const stream = deps.buffer.stream(this.#host.job().stream);
    return (
      clock.monotonicMs() < filling.lookAtMs &&
      (stream?.head ?? 0) < filling.fullAtHead &&
      (stream?.acceptedBytes ?? 0) < filling.lookAtBytes
    );
  }

  async #plan(): Promise<void> {
    try {
      const choice = await this.#choose();
      if (choice.kind === 'ready') await this.#make(choice);
    } catch (error) {
      this.#trouble('Waybill met a fault of its own while preparing a batch.');
      throw error;
    } finally {
      this.#busy = false;
      this.#host.done();
    }
  }

  async #choose(): Promise<BatchChoice> {
    const { deps, clock } = this.#host.tools;
    const job = this.#host.job();
    const state = deps.buffer.job(job.id);
    if (!state || state.closedMs !== null) return { kind: 'nothing' };
    const intervalMs = this.#host.tools.pace.intervalMs(job.account, this.#share);
    const caps = batchCaps(job, this.#host.receiver(), deps.limits, intervalMs);
    const next = nextUnplanned(state);
    const most = deps.limits.batchBlocks;
    // What is read first is a lower bound of what the index then shows: a batch may close sooner, never later.
    const seen = deps.buffer.stream(job.stream);
    const { backlog } = this.#host.tools;
    const infos = await backlog.blocks(job.stream, next.from, most, enoughBytes(caps));
    const head = deps.buffer.stream(job.stream)?.head ?? 0;
    this.#chosenFor = { job, head };
    const more = infos.length >= most;
    const nowMs = clock.monotonicMs();
    const closing = this.#closing?.from === next.from ? this.#closing : undefined;
    const overdue = closing !== undefined && nowMs >= closing.atMs;
    const question = { next, head, infos, more, caps, nowWallMs: clock.wallMs(), overdue };
    const choice = chooseBatch(question);
    if (choice.kind === 'wait') {
      const closesAtMs = Math.min(nowMs + choice.delayMs, closing?.atMs ?? Infinity);
      this.#closing = { from: next.from, atMs: closesAtMs };
      const enoughBytes = Math.min(caps.bytes, choice.lookAtBytes);
      this.#filling = {
        lookAtMs: Math.min(closesAtMs, nowMs + choice.lookMs),
        fullAtHead: next.from + caps.lines,
        lookAtBytes: (seen?.acceptedBytes ?? 0) + enoughBytes - choice.plainBytes,
      };
    }
    return choice;
  }

  async #make(choice: Ready): Promise<void> {
    const { goesApart, pace, turns } = this.#host.tools;
    const { plainBytes, storedBytes, blocks } = choice;
    const job = this.#host.job();
    const turn = await turns.request({
      account: job.account,
      costBytes: plainBytes,
      heldBytes: storedBytes,
      suspect: this.#host.health.suspect,
      apart: goesApart(() => ({
        content: this.#host.content(job),
        receiver: this.#host.receiver(),
        sparing: pace.isStretched(job.account),
        plainBytes,
        blocks,
      })),
    });
    if (!turn) return;
    let handedOver = false;
    try {
      handedOver = await this.#makeInTurn(turn, choice);
    } finally {
      if (!handedOver) turn.release();
    }
  }

  /** @returns whether the turn belongs to the plan now */
  async #makeInTurn(turn: Turn, before: Ready): Promise<boolean> {
    if (!this.#host.mayPlan()) return false;
    // While it waited for its turn the batch may have grown, and fewer, larger batches help.
    const choice = this.#isStill(before) ? before : await this.#choose();
    const job = this.#host.job();
    const state = this.#host.tools.deps.buffer.job(job.id);
    if (choice.kind !== 'ready' || !state) return false;
    const prepared = await this.#prepare(job, choice, state.epoch);
    if (prepared.kind === 'failed') {
      this.#trouble(prepared.detail);
      return false;
    }
    if (!this.#host.mayPlan()) return false;
    if (prepared.kind === 'nothing') {
      turn.release();
      await this.#settle(job, prepared);
      return false;
    }
    turn.prepared(prepared.member.bytes);
    await this.#host.tools.records.pass();
    if (!this.#host.mayPlan()) return false;
    return await this.#record(job, state, prepared, turn);
  }

  /** Whether looking again would choose the same: a batch that is due stays so. */
  #isStill({ range }: Ready): boolean {
    const { deps } = this.#host.tools;
    const job = this.#host.job();
    const state = deps.buffer.job(job.id);
    return (
      this.#chosenFor?.job === job &&
      this.#chosenFor.head === deps.buffer.stream(job.stream)?.head &&
      state?.closedMs === null &&
      nextUnplanned(state).from === range.from
    );
  }

  async #prepare(job: JobConfig, choice: Ready, epoch: string): Promise<Prepared> {
    let content: Content;
    try {
      content = this.#host.content(job);
    } catch {
      return { kind: 'failed', detail: 'The filter or the output options cannot be used.' };
    }
    const receiver = this.#host.receiver();
    const sparing = this.#host.tools.pace.isStretched(job.account);
    const request = { stream: job.stream, range: choice.range, pinned: false, content, sparing };
    return await this.#host.tools.prepareBatch(
      { ...request, origin: { job: job.id, epoch }, receiver },
      choice,
    );
  }

  async #record(
    job: JobConfig,
    state: JobState,
    prepared: PreparedBatch,
    turn: Turn,
  ): Promise<boolean> {
    const { deps } = this.#host.tools;
    const plan = makePlan({
      job: job.id,
      epoch: state.epoch,
      range: prepared.range,
      receivedMs: prepared.receivedMs,
      contentVersion: job.contentVersion,
      lines: prepared.counts.delivered,
    });
    const recorded = await deps.buffer.plan(job.id, [plan]);
    if (recorded.kind === 'failed') {
      deps.diagnostics.warn('delivery.plan.failed', { job: job.id, detail: recorded.detail });
      this.#trouble('The plan of a batch could not be recorded.');
      return false;
    }
    this.#failures = 0;
    this.#share = 1;
    this.#host.planned(plan, job, prepared, turn);
    return true;
  }

  /** Settles a range that needs no delivery: every line is excluded, malformed or lost. */
  async #settle(job: JobConfig, nothing: Extract<Prepared, { kind: 'nothing' }>): Promise<void> {
    const { deps } = this.#host.tools;
    const { range, counts } = nothing;
    const corrupt = counts.dropped.corrupt ?? 0;
    if (corrupt > 0) {
      deps.diagnostics.alarm('delivery.lines.corrupt', { job: job.id, lines: corrupt });
    }
    const settled = await this.#host.settle({
      fate: {
        range,
        receivedMs: nothing.receivedMs.first,
        counts,
        plan: null,
        sent: null,
        configVersion: job.version,
      },
      kept: malformedLines(job, nothing),
      needed: (state) => nextUnplanned(state).from === range.from,
      onTrouble: () =>
        this.#host.health.noteError('What became of lines could not be recorded yet.'),
    });
    if (settled === 'recorded') this.#failures = 0;
  }

  #trouble(detail: string): void {
    const { deps, clock, ownDelayMs } = this.#host.tools;
    this.#failures += 1;
    this.#notBeforeMs = clock.monotonicMs() + ownDelayMs(this.#failures);
    this.#host.health.noteError(detail);
    deps.diagnostics.warn('delivery.prepare.failed', { job: this.#host.job().id, detail });
  }
}
