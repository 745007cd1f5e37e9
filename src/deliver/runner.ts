/**
 * One job at work. Everything that happens to it (its stream grew, a timer fired, an attempt ended, its settings changed)
 * ends in `#pump`, the one place that decides what starts next. An idle job has no timer and costs nothing.
 */
import type { JobState } from '../buffer/index.ts';
import type { Cancel } from '../lib/clock.ts';
import type { Plan } from '../model/delivery.ts';
import type { JobConfig } from '../model/snapshot.ts';
import type { DeliveryState, JobStatus, ReceiverDescription } from './contract.ts';
import { Health } from './health.ts';
import { JobShape } from './job-shape.ts';
import { PlanRun } from './plan-run.ts';
import type { PlanHost } from './plan-run.ts';
import { Planner } from './planner.ts';
import { NEVER_REFUSED } from './refusal.ts';
import { isAtRest, NO_ATTEMPTS } from './rest.ts';
import type { RunnerTools } from './runner-tools.ts';
import { startOf } from './start.ts';
import { Settler } from './settler.ts';
import { Seat } from './seat.ts';

export class JobRunner {
  readonly id: number;
  readonly stream: string;
  readonly #tools: RunnerTools;
  readonly #health: Health;
  readonly #planner: Planner;
  readonly #settler: Settler;
  readonly #host: PlanHost;
  /** Open plans in the order of their ranges. */
  #runs: PlanRun[] = [];
  #job: JobConfig;
  readonly #shape: JobShape;
  readonly #seat: Seat;
  #timer: { readonly atMs: number; readonly cancel: Cancel } | undefined;
  #reconciling: Promise<void> | undefined;
  #reconcileFailures = 0;
  /**
   * Where its stream stood when the buffer first failed to open the job. From then on its lines may be wanted because of
   * this job, so that is where it begins, however often the disk refuses.
   */
  #startAt: number | undefined;
  /** It may have a successor, so that nothing may happen here any more, whatever was still to come. */
  #isReleased = false;

  /** @param attempts of the runner that the job had before */
  constructor(job: JobConfig, tools: RunnerTools, attempts = NO_ATTEMPTS) {
    this.id = job.id;
    this.stream = job.stream;
    this.#job = job;
    this.#tools = tools;
    this.#health = new Health({ ...tools.deps, clock: tools.clock }, attempts);
    this.#settler = new Settler(job.id, tools);
    this.#shape = new JobShape(tools.deps);
    const visitor = {
      probe: (claim: (attempt: object) => void) => this.#probe(claim),
      recovered: () => {
        this.#retryAll();
        // A thousand jobs may have waited at the place.
        tools.calls.do(() => this.#pump());
      },
    };
    this.#seat = new Seat(tools.places, job.id, visitor, () => this.#describe().place);
    const shared = {
      tools,
      health: this.#health,
      job: () => this.#job,
      receiver: () => this.#describe(),
      content: (made: JobConfig) => this.#shape.content(made),
      settle: this.#settler.settle.bind(this.#settler),
    };
    this.#host = {
      ...shared,
      place: () => this.#seat.place(),
      mayAttempt: (run) => this.#mayStart() && this.#seat.place().admits(run),
      openPlans: () => this.#runs.length,
      mayExplore: () => this.#mayExplore(),
      replaced: (run, plans) => this.#replaced(run, plans),
      recovered: () => this.#retryAll(),
    };
    this.#planner = new Planner({
      ...shared,
      mayPlan: () => this.#mayPlan(),
      done: () => {
        this.#quietCheck();
        this.#pump();
      },
      planned: (plan, made, prepared, turn) => {
        const run = this.#adopt(plan, made);
        // A blocked job's new plan waits to be its next probe, and so does one for a place that is down.
        if (this.#health.circuit === 'flowing' && this.#seat.place().admits(run))
          this.#start(run, run.runPrepared(prepared, turn));
        else {
          run.note(prepared);
          prepared.giveBack?.();
          turn.release();
        }
      },
    });
  }

  /** Takes new settings at once. Resolves when the buffer has recorded what changed, or has failed to once. */
  configure(job: JobConfig): Promise<void> {
    const redirected = this.#job.destinationConf !== job.destinationConf;
    this.#job = job;
    this.#health.step(job.enabled ? 'open' : 'pause');
    if (redirected) {
      this.#tools.senders.retire(this.id);
      this.#health.redirected();
      this.#seat.leave();
      for (const run of this.#runs) run.refusals = NEVER_REFUSED;
      this.#retryAll();
      if (this.#runs.length > 0) this.#seat.place().hurry();
    }
    if (!job.enabled) this.#tools.senders.retire(this.id);
    this.#planner.reset();
    const reconciled = this.#reconcile();
    this.#pump();
    return reconciled;
  }

  /** The job was deleted: what is under way ends, its lines are held back. */
  remove(): Promise<void> {
    this.#health.step('close');
    this.#tools.senders.retire(this.id);
    this.#planner.reset();
    const reconciled = this.#reconcile();
    this.#pump();
    return reconciled;
  }

  /** The job's stream has new lines. */
  grew(): void {
    if (this.#mayPlan()) {
      this.#planner.look();
      this.#armTimer();
    }
  }

  /** Tries to open it now, where the buffer failed to before. Never rejects. */
  async open(): Promise<void> {
    const work = this.#reconcile();
    this.#tools.track(this.id, work);
    await work.catch(() => {});
  }

  /** Lines of its stream were ordered erased: what is being sent is given up, and sent again without them. */
  recall(): void {
    for (const run of this.#runs) if (run.active) run.recall();
  }

  /** A replay may go on, or must wait: looks what is to do. */
  nudge(): void {
    this.#pump();
  }

  /** Lets go of its timer and its place: nothing more is started. */
  stop(): void {
    this.#planner.rest();
    this.#disarm();
    this.#seat.leave();
  }

  /** Whether nothing is under way and nothing is remembered that a new runner would have to know. */
  get mayRest(): boolean {
    const health = this.#health;
    const isBusy = this.#active() > 0 || this.#planner.busy || this.#reconciling !== undefined;
    if (isBusy || this.#timer !== undefined) return false;
    if (health.circuit !== 'flowing' && health.circuit !== 'paused') return false;
    if (this.#mayStart() && this.#runs.length > 0) return false;
    if (health.failuresInRow > 0 || health.errorMessage !== null) return false;
    return !health.acceptedLately() && isAtRest(this.#job, this.#tools.deps.buffer);
  }

  /** Ends it, to be made anew when something happens to the job. */
  release(): void {
    this.#isReleased = true;
    this.stop();
  }

  status(): JobStatus {
    const health = this.#health;
    const held = this.#runs.length > 0 ? this.#seat.trouble : undefined;
    // What the place said last to another job, when that is newer, is why this one waits.
    const isNewer = held && held.atWallMs >= (health.lastErrorWallMs ?? 0);
    const inFlight = this.#active() + (this.#planner.busy ? 1 : 0);
    const state = this.#visibleState(inFlight);
    const waits = state === 'backing_off' || state === 'blocked';
    const { clock } = this.#tools;
    const nextMs = waits ? this.#nextAttemptMs() : undefined;
    return {
      job: this.id,
      state,
      lastCompleteMs: this.#tools.deps.buffer.job(this.id)?.lastCompleteMs ?? null,
      lastErrorMs: isNewer ? held.atWallMs : health.lastErrorWallMs,
      errorMessage: isNewer ? held.reason : health.errorMessage,
      nextAttemptMs:
        nextMs === undefined
          ? null
          : Math.round(clock.wallMs() + Math.max(0, nextMs - clock.monotonicMs())),
      inFlight,
      attempts: { ...health.attempts },
      consecutiveFailures: health.failuresInRow,
    };
  }

  #visibleState(inFlight: number): DeliveryState {
    const { circuit } = this.#health;
    if (circuit !== 'flowing') return circuit;
    if (inFlight > 0) return 'sending';
    if (this.#runs.length > 0) return 'backing_off';
    return this.#planner.hasUnplanned() ? 'waiting' : 'idle';
  }

  #mayStart(): boolean {
    const { circuit } = this.#health;
    if (this.#isReleased) return false;
    return this.#tools.mayStart(this.id) && circuit !== 'paused' && circuit !== 'closed';
  }

  #mostOpen(): number {
    return this.#describe().inOrder ? 1 : this.#tools.deps.limits.openPlans;
  }

  /** Plans that may be tried while batches flow: where order counts, none before the oldest. */
  #nextInTurn(): readonly PlanRun[] {
    return this.#describe().inOrder ? this.#runs.slice(0, 1) : this.#runs;
  }

  /** While backing off, no more is planned than what is open: later batches will be larger. */
  #mayPlan(): boolean {
    const isDown = this.#health.circuit === 'backing_off' || this.#seat.isDown;
    const most = isDown ? 1 : this.#mostOpen();
    return this.#mayStart() && this.#reconciling === undefined && this.#runs.length < most;
  }

  /** Asked by a plan that was just refused: whether all others were tried and refused too, with no room for a new one. */
  #mayExplore(): boolean {
    const openPlans = this.#mostOpen();
    const { length } = this.#runs;
    const untried = this.#runs.some(
      (run) => run.refusals === NEVER_REFUSED || run.lastAttemptMs === Number.NEGATIVE_INFINITY,
    );
    return length >= openPlans && length < 2 * openPlans && !untried;
  }

  #active(): number {
    let active = 0;
    for (const run of this.#runs) if (run.active) active += 1;
    return active;
  }

  #pump(): void {
    if (!this.#mayStart() || this.#reconciling !== undefined) {
      this.#seat.standBack();
      this.#planner.rest();
      return this.#disarm();
    }
    const nowMs = this.#tools.clock.monotonicMs();
    if (this.#seat.isDown) {
      if (this.#nextAtPlace()) this.#seat.wait();
    } else if (this.#health.circuit === 'flowing') {
      let room = this.#mostOpen() - this.#active();
      for (const run of this.#nextInTurn()) {
        if (room <= 0 || !run.rests || run.dueMs > nowMs) continue;
        room -= 1;
        this.#start(run, run.run());
      }
    } else if (this.#active() === 0 && nowMs >= this.#health.probeAtMs) {
      const probe = this.#nextProbe();
      if (probe) this.#start(probe, probe.run());
    }
    if (this.#mayPlan()) this.#planner.look();
    this.#armTimer();
  }

  /** The oldest plan while backing off; while blocked each in turn, because another may show that batches pass. */
  #nextProbe(): PlanRun | undefined {
    const resting = this.#runs.filter((run) => run.rests);
    const [oldest] = resting;
    if (!oldest || this.#health.circuit === 'backing_off') return oldest;
    return resting.reduce((a, b) => (b.lastAttemptMs < a.lastAttemptMs ? b : a), oldest);
  }

  /** What it sends to a place that is down: what was not tried for the longest. */
  #nextAtPlace(): PlanRun | undefined {
    let next: PlanRun | undefined;
    for (const run of this.#nextInTurn()) {
      if (run.rests && (!next || run.lastAttemptMs < next.lastAttemptMs)) next = run;
    }
    return next;
  }

  #probe(claim: (attempt: object) => void): boolean {
    const run = this.#mayStart() && !this.#reconciling ? this.#nextAtPlace() : undefined;
    if (!run) return false;
    claim(run);
    this.#start(run, run.run());
    return true;
  }

  #start(run: PlanRun, work: Promise<void>): void {
    const place = this.#seat.place();
    const ended = work.finally(() => {
      place.ended(run);
      if (run.stage === 'ended') this.#runs = this.#runs.filter((other) => other !== run);
      this.#quietCheck();
      this.#pump();
    });
    this.#tools.track(this.id, ended);
  }

  #nextAttemptMs(): number | undefined {
    if (this.#seat.isDown) return this.#seat.place().probeAtMs;
    if (this.#health.circuit !== 'flowing') return this.#health.probeAtMs;
    let nextMs: number | undefined;
    for (const run of this.#nextInTurn()) {
      if (run.rests) nextMs = Math.min(nextMs ?? run.dueMs, run.dueMs);
    }
    return nextMs;
  }

  #armTimer(): void {
    const flowing = this.#health.circuit === 'flowing';
    const active = this.#active();
    // Whoever waits at a place is called from there.
    const room = this.#seat.isDown ? false : flowing ? active < this.#mostOpen() : active === 0;
    const attemptMs = room && this.#runs.length > active ? this.#nextAttemptMs() : undefined;
    const mayPlan = this.#mayPlan();
    if (!mayPlan) this.#planner.rest();
    const planMs = mayPlan ? this.#planner.wakeAtMs : undefined;
    const atMs = Math.min(attemptMs ?? Infinity, planMs ?? Infinity);
    if (this.#timer?.atMs === atMs) return;
    this.#disarm();
    if (atMs === Infinity) return;
    const { clock } = this.#tools;
    const cancel = clock.after(Math.max(0, Math.ceil(atMs - clock.monotonicMs())), () => {
      this.#timer = undefined;
      this.#tools.calls.do(() => this.#pump());
    });
    this.#timer = { atMs, cancel };
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #adopt(plan: Plan, made: JobConfig | undefined, refusals = NEVER_REFUSED): PlanRun {
    const run = new PlanRun(plan, this.#host, made, refusals);
    this.#runs = [...this.#runs, run].toSorted((a, b) => a.plan.range.from - b.plan.range.from);
    return run;
  }

  #replaced(run: PlanRun, plans: readonly Plan[]): void {
    this.#runs = this.#runs.filter((other) => other !== run);
    for (const plan of plans) this.#adopt(plan, run.made, run.refusals);
  }

  #retryAll(): void {
    const nowMs = this.#tools.clock.monotonicMs();
    this.#health.probeAtMs = nowMs;
    for (const run of this.#runs) run.dueMs = nowMs;
  }

  #describe(): ReceiverDescription {
    return this.#shape.receiver(this.#job);
  }

  /** Brings the buffer's record of the job (open or closed) to what the settings say. One at a time. */
  #reconcile(): Promise<void> {
    this.#reconciling ??= this.#reconcileNow();
    return this.#reconciling;
  }

  async #reconcileNow(): Promise<void> {
    const { buffer, diagnostics } = this.#tools.deps;
    // Lets `#reconciling` be set before anything below can clear it.
    await Promise.resolve();
    try {
      for (;;) {
        const { circuit } = this.#health;
        const wanted = circuit !== 'paused' && circuit !== 'closed' && this.#isThere();
        const state = buffer.job(this.id);
        const open = state !== undefined && state.closedMs === null;
        if (!wanted || open) {
          this.#startAt = undefined;
          this.#tools.late.delete(this.id);
        }
        if (wanted === open) break;
        const { id, account } = this.#job;
        const start = startOf(this.#job, buffer, this.#startAt);
        const recorded = wanted
          ? await buffer.openJob(id, this.stream, account, start)
          : await buffer.closeJob(id);
        if (recorded.kind === 'durable') continue;
        if (wanted) {
          this.#startAt ??= buffer.stream(this.stream)?.head ?? 0;
          // A replay's lines are there already.
          if (!this.#job.replay) this.#tools.late.add(this.id);
        }
        diagnostics.warn('delivery.job.failed', { job: id, detail: recorded.detail });
        return this.#reconcileLater();
      }
      if (!(await this.#skip())) return this.#reconcileLater();
      this.#reconcileFailures = 0;
    } finally {
      this.#reconciling = undefined;
    }
    this.#resume(buffer.job(this.id));
    this.#quietCheck();
    this.#pump();
  }

  /** Whether the lines of a replay are those that it was made for; always true for a live job. */
  #isThere(): boolean {
    const { replay } = this.#job;
    const stream = this.#tools.deps.buffer.stream(this.stream);
    if (!replay || (stream?.epoch === replay.epoch && stream.head >= replay.to)) return true;
    this.#health.noteError('The lines of this replay are not there any more.');
    return false;
  }

  /** Settles what its owner did not want when he went on from now. Returns whether nothing of it is left. */
  async #skip(): Promise<boolean> {
    const { buffer, diagnostics } = this.#tools.deps;
    const { id, skipTo } = this.#job;
    const state = buffer.job(id);
    if (!skipTo || !state || state.closedMs !== null) return true;
    if (state.epoch !== skipTo.epoch || state.cursor >= skipTo.offset) return true;
    const recorded = await buffer.skip(id, skipTo.offset);
    if (recorded.kind === 'durable') return true;
    diagnostics.warn('delivery.job.failed', { job: id, detail: recorded.detail });
    return false;
  }

  #reconcileLater(): void {
    this.#reconcileFailures += 1;
    const { clock, stop } = this.#tools;
    clock.after(this.#tools.ownDelayMs(this.#reconcileFailures), () => {
      if (!stop.aborted) this.#tools.track(this.id, this.#reconcile());
    });
  }

  /** Takes the plans that the buffer holds open: those from before a restart are sent as they are, before any new one. */
  #resume(state: JobState | undefined): void {
    const open = state?.open ?? [];
    this.#runs = this.#runs.filter(
      (run) => run.active || open.some((plan) => plan.id === run.plan.id),
    );
    for (const plan of open) {
      if (!this.#runs.some((run) => run.plan.id === plan.id)) this.#adopt(plan, undefined);
    }
  }

  #quietCheck(): void {
    const quiet = this.#active() === 0 && !this.#planner.busy && this.#reconciling === undefined;
    if (this.#health.circuit === 'closed' && quiet) this.#tools.forget(this.id);
  }
}
