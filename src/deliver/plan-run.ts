/**
 * The life of one open plan: wait for its turn, prepare, send, and act on the answer. Its stages are `plan-stage.ts`.
 *
 * What an answer leads to:
 *
 * - accepted: settled by a waybill
 * - partial: settled by a waybill too; the few lines that the receiver refused are kept apart. Many are like a reject
 * - retry: rests, prepared again and sent again later: same lines, same plain bytes, same name and id (I7)
 * - split: replaced by two halves; a single line that is still too large is treated as refused
 * - reject: see `refusal.ts`
 */
import type { JobState } from '../buffer/index.ts';
import type { SendOutcome } from '../destinations/index.ts';
import { unreachable } from '../lib/assert.ts';
import type { Attempt, AttemptStage, Plan } from '../model/delivery.ts';
import type { JobConfig } from '../model/snapshot.ts';
import { attempt } from './attempt.ts';
import { batchOf } from './batch-of.ts';
import type { Content, KeptLine, ReceiverDescription } from './contract.ts';
import type { Health } from './health.ts';
import { malformedLines, rejectedLine, rejectedLines } from './kept-lines.ts';
import { halves, makePlan } from './plan-name.ts';
import { nextStage } from './plan-stage.ts';
import type { PlanEvent, PlanStage } from './plan-stage.ts';
import { withRefused } from './partial.ts';
import { tellPlace } from './place-verdict.ts';
import type { Place } from './places.ts';
import type { Prepared, PreparedBatch } from './prepare.ts';
import type { BatchSize } from './prepare-where.ts';
import { judgeRefusal, NEVER_REFUSED } from './refusal.ts';
import type { Refusals } from './refusal.ts';
import type { RunnerTools } from './runner-tools.ts';
import type { Settled, Settlement } from './settler.ts';
import type { Turn } from './turns.ts';
import type { Fate } from './waybill.ts';

/** What a plan asks of its job. */
export interface PlanHost {
  readonly tools: RunnerTools;
  readonly health: Health;
  /** The job's newest settings. */
  readonly job: () => JobConfig;
  /** The place that the newest settings lead to. */
  readonly receiver: () => ReceiverDescription;
  /** The breaker of the place that the newest settings lead to. */
  readonly place: () => Place;
  readonly mayAttempt: (run: PlanRun) => boolean;
  /** Compiled content of given settings; throws when they cannot be compiled. */
  readonly content: (job: JobConfig) => Content;
  readonly settle: (settlement: Settlement) => Promise<Settled>;
  readonly openPlans: () => number;
  /** Whether every other open plan was refused too, and no new one may be made. */
  readonly mayExplore: () => boolean;
  /** A plan was replaced by its halves. */
  readonly replaced: (run: PlanRun, plans: readonly Plan[]) => void;
  /** The circuit flows again: plans at rest may be tried at once. */
  readonly recovered: () => void;
}

/** What one attempt leads to. Holds no body, so that its bytes can go while the rest is recorded. */
type Decision =
  | { readonly kind: 'settle'; readonly fate: Fate; readonly kept: readonly KeptLine[] }
  | { readonly kind: 'split' }
  | { readonly kind: 'rest'; readonly delayMs: number }
  | { readonly kind: 'give_up_line'; readonly detail: string };

interface Ended {
  readonly stage: AttemptStage;
  readonly outcome: Attempt['outcome'];
  readonly status: number | null;
  readonly error: string | null;
}

export class PlanRun {
  readonly plan: Plan;
  readonly #host: PlanHost;
  /** Settings that its content was made with; unknown for a plan from before a restart. */
  readonly made: JobConfig | undefined;
  stage: PlanStage = 'resting';
  /** Monotonic time from which it may be tried. */
  dueMs = 0;
  /** Monotonic time of its last attempt. */
  lastAttemptMs = Number.NEGATIVE_INFINITY;
  refusals: Refusals;
  /** Aborted when lines of its range were ordered erased: what is being sent holds them. */
  #recall = new AbortController();
  #attempts = 0;
  #failures = 0;
  /** What it held and cost when it was last prepared; estimates for its next turn. */
  #heldBytes: number;
  #costBytes: number;
  #blocks: number | undefined;

  constructor(
    plan: Plan,
    host: PlanHost,
    made: JobConfig | undefined,
    refusals: Refusals = NEVER_REFUSED,
  ) {
    this.plan = plan;
    this.#host = host;
    this.made = made;
    this.refusals = refusals;
    const { targetBytes } = host.tools.deps.limits;
    const lines = plan.range.to - plan.range.from;
    // Until it was prepared once: lines of 1 KiB that shrink to a quarter.
    this.#costBytes = Math.min(targetBytes, lines * 1024);
    this.#heldBytes = Math.ceil(this.#costBytes / 4);
  }

  get active(): boolean {
    return this.stage !== 'resting' && this.stage !== 'ended';
  }

  /** Whether it may be tried. One that has ended may still be among its job's for some steps. */
  get rests(): boolean {
    return this.stage === 'resting';
  }

  /** Lines of the stream were ordered erased: an attempt under way ends, and the next one is made without them. */
  recall(): void {
    this.#recall.abort();
  }

  /** One attempt of a plan at rest. */
  async run(): Promise<void> {
    this.#to('due');
    const { goesApart, pace, turns } = this.#host.tools;
    const job = this.#host.job();
    const turn = await turns.request({
      account: job.account,
      costBytes: this.#costBytes,
      heldBytes: this.#heldBytes,
      suspect: this.#host.health.suspect,
      apart: goesApart(() => ({
        content: this.#host.content(this.made ?? job),
        receiver: this.#host.receiver(),
        sparing: pace.isStretched(job.account),
        ...this.#size(),
      })),
    });
    await this.#guarded(turn, async () => {
      if (!turn || !this.#host.mayAttempt(this)) return this.#to('failed');
      if (!this.#isOpen(this.#host.tools.deps.buffer.job(this.plan.job)))
        return this.#to('dropped');
      this.#to('admitted');
      await this.#act(await this.#prepareAndSend(turn), turn);
    });
  }

  /** The first attempt of a plan that was just recorded, with the batch that it was planned with. */
  runPrepared(prepared: PreparedBatch, turn: Turn): Promise<void> {
    this.#to('due');
    this.#to('admitted');
    const sending = this.#send(prepared, turn);
    // Not `async`, and nothing here holds `prepared` on: the body can go once it is sent.
    return this.#guarded(turn, async () => this.#act(await sending, turn));
  }

  /** Remembers what it costs to prepare. */
  note({ member, blocks }: PreparedBatch): void {
    this.#heldBytes = member.bytes;
    this.#costBytes = member.plainBytes;
    this.#blocks = blocks;
  }

  #size(): BatchSize {
    return { plainBytes: this.#costBytes, blocks: this.#blocks };
  }

  /** Whatever goes wrong, the turn is given back; a bug of ours makes the plan rest, it does not stop the job. */
  async #guarded(turn: Turn | undefined, work: () => Promise<void> | void): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.stage !== 'ended') this.stage = 'resting';
      this.#rest(this.#host.health.ownTrouble(++this.#failures));
      throw error;
    } finally {
      turn?.release();
    }
  }

  async #prepareAndSend(turn: Turn): Promise<Decision> {
    const prepared = await this.#prepare();
    if (prepared.kind === 'failed') {
      this.#record({ stage: 'before', outcome: 'retry', status: null, error: prepared.detail });
      this.#host.health.noteError(prepared.detail);
      return { kind: 'rest', delayMs: this.#host.health.ownTrouble(++this.#failures) };
    }
    if (prepared.kind === 'nothing') {
      this.#to('decided');
      return {
        kind: 'settle',
        fate: this.#fate(prepared, null),
        kept: malformedLines(this.#host.job(), prepared),
      };
    }
    return await this.#send(prepared, turn);
  }

  async #prepare(): Promise<Prepared> {
    const { deps, pace, prepareBatch } = this.#host.tools;
    const made = this.made ?? this.#contentOfPlan();
    let content: Content;
    try {
      content = this.#host.content(made);
    } catch {
      return { kind: 'failed', detail: 'The filter or the output options cannot be used.' };
    }
    const { range, job, epoch } = this.plan;
    const receiver = this.#host.receiver();
    const origin = { job, epoch };
    const sparing = pace.isStretched(made.account);
    const request = {
      stream: made.stream,
      range,
      pinned: true,
      content,
      sparing,
      origin,
      receiver,
    };
    const prepared = await prepareBatch(request, this.#size());
    const corrupt = prepared.kind === 'failed' ? 0 : (prepared.counts.dropped.corrupt ?? 0);
    if (corrupt > 0) deps.diagnostics.alarm('delivery.lines.corrupt', { job, lines: corrupt });
    return prepared;
  }

  /** Settings of a plan from before a restart. Unknown ones: today's, said aloud (docs/delivery.md). */
  #contentOfPlan(): JobConfig {
    const { deps } = this.#host.tools;
    const today = this.#host.job();
    if (today.contentVersion === this.plan.contentVersion) return today;
    const then = deps.contentOf(this.plan.job, this.plan.contentVersion);
    if (then) return then;
    deps.diagnostics.warn('delivery.plan.content_unknown', {
      job: this.plan.job,
      plan: this.plan.id,
      planned: this.plan.contentVersion,
      used: today.contentVersion,
    });
    return today;
  }

  async #send(prepared: PreparedBatch, turn: Turn): Promise<Decision> {
    const { deps, senders, clock, stop } = this.#host.tools;
    this.note(prepared);
    turn.prepared(prepared.member.bytes);
    if (!this.#host.mayAttempt(this)) return { kind: 'rest', delayMs: 0 };
    // The job was pointed elsewhere meanwhile, where the body may have to look different.
    if (prepared.receiver !== this.#host.receiver()) return { kind: 'rest', delayMs: 0 };
    if (this.#isErased(prepared)) return { kind: 'rest', delayMs: 0 };
    this.#to('prepared');
    const job = this.#host.job();
    const place = this.#host.place();
    const startedMs = clock.monotonicMs();
    const atMs = clock.wallMs();
    const { attemptMs, abortGraceMs } = deps.limits;
    this.#recall = new AbortController();
    const recalled = this.#recall.signal;
    const stops = [stop, recalled];
    const bounds = { clock, diagnostics: deps.diagnostics, attemptMs, abortGraceMs, stops };
    this.#attempts += 1;
    let stage: AttemptStage = 'before';
    let outcome: SendOutcome;
    try {
      outcome = await senders.with(job, (sender) => {
        stage = 'destination';
        return attempt(sender, batchOf(this.plan, job.stream, prepared), bounds);
      });
    } catch {
      outcome = { kind: 'retry', reason: 'The destination’s settings could not be used.' };
    }
    this.lastAttemptMs = clock.monotonicMs();
    const isEnded = stops.some((signal) => signal.aborted);
    if (isEnded && outcome.kind !== 'accepted') return { kind: 'rest', delayMs: 0 };
    const durationMs = this.lastAttemptMs - startedMs;
    tellPlace(place, this.plan.job, this, outcome);
    const judged = this.#judged(outcome, prepared);
    const error = judged.kind === 'accepted' ? null : judged.reason;
    const kind = judged.kind === 'partial' ? 'accepted' : judged.kind;
    const ended = { stage, outcome: kind, status: judged.status ?? null, error };
    this.#record(ended, { atMs, durationMs, prepared });
    return await this.#decide(judged, prepared);
  }

  /** Whether lines of the batch were ordered erased after they were read. */
  #isErased({ counts }: PreparedBatch): boolean {
    const { job, range } = this.plan;
    const { buffer } = this.#host.tools.deps;
    const stream = buffer.stream(buffer.job(job)?.stream ?? '');
    // Whoever reads afterwards finds a gap there.
    return stream !== undefined && range.from < stream.erasedTo && !counts.dropped.erased;
  }

  /** Many refused lines are no handful of bad ones: they are looked at as a refused batch, by halves. */
  #judged(outcome: SendOutcome, prepared: PreparedBatch): SendOutcome {
    if (outcome.kind !== 'partial') return outcome;
    const { refused, reason, status } = outcome;
    const { refusedPerBatch } = this.#host.tools.deps.limits;
    if (prepared.offsets && refused.length <= refusedPerBatch) return outcome;
    return { kind: 'reject', reason, ...(status === undefined ? {} : { status }) };
  }

  async #decide(outcome: SendOutcome, prepared: PreparedBatch): Promise<Decision> {
    const { health } = this.#host;
    switch (outcome.kind) {
      case 'partial': {
        const refused = outcome.refused.map((index) => prepared.offsets?.[index]);
        const job = this.#host.job();
        const lines = await rejectedLines(job, refused, outcome.reason, this.#host.tools.prepare);
        if (!lines) {
          return { kind: 'rest', delayMs: this.#host.health.ownTrouble(++this.#failures) };
        }
        const { job: id } = this.plan;
        this.#host.tools.deps.diagnostics.warn('delivery.lines.rejected', {
          job: id,
          plan: this.plan.id,
          lines: lines.length,
        });
        return this.#accepted(outcome.receipt, withRefused(prepared, lines.length), lines);
      }
      case 'accepted':
        return this.#accepted(outcome.receipt, prepared, []);
      case 'retry': {
        const delayMs = health.failed(outcome.reason, ++this.#failures, outcome.afterMs);
        return { kind: 'rest', delayMs };
      }
      case 'split':
      case 'reject':
        return this.#refused(outcome.kind, outcome.reason);
      default:
        return unreachable(outcome);
    }
  }

  /** The receiver has the batch, but for the lines in `refused`. */
  #accepted(receipt: string, prepared: PreparedBatch, refused: readonly KeptLine[]): Decision {
    this.#to('decided');
    this.#failures = 0;
    if (this.#host.health.accepted()) this.#host.recovered();
    const sent = {
      sha256: prepared.sha256,
      plainBytes: prepared.member.plainBytes,
      sentBytes: prepared.member.bytes,
      receipt,
      destination: this.#host.receiver().fingerprint,
    };
    return {
      kind: 'settle',
      fate: this.#fate(prepared, sent),
      kept: [...malformedLines(this.#host.job(), prepared), ...refused],
    };
  }

  #refused(kind: 'split' | 'reject', reason: string): Decision {
    const { health, tools } = this.#host;
    const lines = this.plan.range.to - this.plan.range.from;
    const { verdict, refusals, blocked } = judgeRefusal(this.refusals, {
      kind,
      lines,
      accepts: health.accepts,
      acceptedLately: health.acceptedLately(),
      maySplit: this.#host.openPlans() < tools.deps.limits.splitPlans,
      explore: this.#host.mayExplore(),
    });
    this.refusals = refusals;
    const delayMs = health.refused(reason, blocked);
    switch (verdict) {
      case 'halve':
        this.#to('split');
        return { kind: 'split' };
      case 'give_up_line':
        this.#to('decided');
        return { kind: 'give_up_line', detail: reason };
      case 'rest':
        return { kind: 'rest', delayMs };
      default:
        return unreachable(verdict);
    }
  }

  async #act(decision: Decision, turn: Turn): Promise<void> {
    // From here on no body is held.
    turn.release();
    switch (decision.kind) {
      case 'settle':
        return await this.#settle(decision.fate, decision.kept);
      case 'give_up_line':
        return await this.#giveUpLine(decision.detail);
      case 'split':
        return await this.#split();
      case 'rest':
        this.#to('failed');
        return this.#rest(decision.delayMs);
      default:
        return unreachable(decision);
    }
  }

  async #settle(fate: Fate, kept: readonly KeptLine[]): Promise<void> {
    const error = 'The receiver has the batch; its receipt could not be recorded yet.';
    let troubled = false;
    const settled = await this.#host.settle({
      fate,
      kept,
      needed: (state) => this.#isOpen(state),
      onTrouble: () => {
        troubled = true;
        this.#host.health.noteError(error);
        this.#record({ stage: 'after', outcome: 'retry', status: null, error });
      },
    });
    if (settled === 'recorded' && troubled) this.#host.health.forgetError();
    if (settled === 'stopped') this.#to('failed');
    else this.#to(settled);
  }

  /** A single line that the receiver refuses while others pass: kept with the answer, then settled as dropped. */
  async #giveUpLine(detail: string): Promise<void> {
    const { deps, prepare: tools } = this.#host.tools;
    const { range, job, id, receivedMs } = this.plan;
    const kept = await rejectedLine(this.#host.job(), range.from, detail, tools);
    if (!kept) {
      this.#to('failed');
      return this.#rest(this.#host.health.ownTrouble(++this.#failures));
    }
    deps.diagnostics.warn('delivery.line.rejected', { job, plan: id });
    const counts = { delivered: 0, excluded: {}, dropped: { [kept.reason]: 1 } };
    await this.#settle(this.#fate({ range, receivedMs, counts }, null), [kept]);
  }

  async #split(): Promise<void> {
    const { deps } = this.#host.tools;
    const plans: Plan[] = [];
    for (const range of halves(this.plan.range)) {
      const { job, epoch, receivedMs, contentVersion } = this.plan;
      const lines = await this.#linesIn(range);
      plans.push(makePlan({ job, epoch, range, receivedMs, contentVersion, lines }));
    }
    if (!this.#isOpen(deps.buffer.job(this.plan.job))) return this.#to('dropped');
    const recorded = await deps.buffer.plan(this.plan.job, plans, this.plan.id);
    if (recorded.kind === 'durable') {
      this.#to('recorded');
      return this.#host.replaced(this, plans);
    }
    deps.diagnostics.warn('delivery.plan.failed', { job: this.plan.job, detail: recorded.detail });
    this.#to('failed');
    this.#rest(this.#host.health.ownTrouble(++this.#failures));
  }

  /** Lines of a half that pass filter and sample: only the encoder knows. */
  async #linesIn(range: Plan['range']): Promise<number> {
    const made = this.made ?? this.#contentOfPlan();
    const content = this.#host.content(made);
    if (content === 'whole') return range.to - range.from;
    const request = { stream: made.stream, range, pinned: true, content };
    const prepared = await this.#host.tools.prepareBatch(request, this.#size());
    return prepared.kind === 'failed' ? range.to - range.from : prepared.counts.delivered;
  }

  #fate(
    accounted: Pick<PreparedBatch, 'range' | 'receivedMs' | 'counts'>,
    sent: Fate['sent'],
  ): Fate {
    return {
      range: accounted.range,
      receivedMs: this.plan.receivedMs.first,
      counts: accounted.counts,
      plan: this.plan.id,
      sent,
      configVersion: this.#host.job().version,
    };
  }

  #isOpen(state: JobState | undefined): boolean {
    return state?.open.some((plan) => plan.id === this.plan.id) ?? false;
  }

  #to(event: PlanEvent): void {
    this.stage = nextStage(this.stage, event);
  }

  #rest(delayMs: number): void {
    this.dueMs = this.#host.tools.clock.monotonicMs() + delayMs;
  }

  #record(
    ended: Ended,
    sent?: { readonly atMs: number; readonly durationMs: number; readonly prepared: PreparedBatch },
  ): void {
    const { deps, clock } = this.#host.tools;
    if (ended.stage !== 'after') this.#host.health.attempts[ended.outcome] += 1;
    deps.onAttempt({
      job: this.plan.job,
      plan: this.plan.id,
      range: this.plan.range,
      number: this.#attempts,
      atMs: sent?.atMs ?? clock.wallMs(),
      durationMs: sent?.durationMs ?? 0,
      ...ended,
      lines: sent?.prepared.counts.delivered ?? this.plan.lines,
      plainBytes: sent?.prepared.member.plainBytes ?? 0,
      sentBytes: sent?.prepared.member.bytes ?? 0,
    });
  }
}
