/** All jobs of a shard: who runs, who is woken when a stream grows, and what all of them share. */
import type { JobState } from '../buffer/index.ts';
import { AssertionError } from '../lib/assert.ts';
import { createDeflater } from '../lib/deflater.ts';
import { deflateFragment } from '../lib/gzip.ts';
import { ShortTurns } from '../lib/short-turns.ts';
import { TurnQueue } from '../lib/turn-queue.ts';
import { TurnSlices } from '../lib/turn-slices.ts';
import type { JobConfig } from '../model/snapshot.ts';
import { backoffMs } from './backoff.ts';
import { BacklogLook } from './backlog-look.ts';
import { AGAIN_LEVEL, DEFLATE_LEVEL } from './body.ts';
import type { Delivery, DeliveryDeps, DeliveryStats, JobStatus } from './contract.ts';
import { JobIndex } from './job-index.ts';
import { Lane } from './lane.ts';
import { Pace } from './pace.ts';
import { Places } from './places.ts';
import type { PrepareTools } from './prepare.ts';
import { goesApart, prepareWhere } from './prepare-where.ts';
import type { PrepareApart } from './prepare-where.ts';
import { RecordWindow } from './record-window.ts';
import { Replays } from './replay/replays.ts';
import { isAtRest, restingStatus } from './rest.ts';
import { JobRunner } from './runner.ts';
import type { RunnerTools } from './runner-tools.ts';
import { Senders } from './senders.ts';
import { Turns } from './turns.ts';

/** Jobs that are woken in one turn: each looks at its stream's blocks, some 50 us. */
const CALLS_A_TURN = 32;
/** Runners that are looked at in one second: whether their jobs rest. */
const LOOKS_A_SECOND = 500;

export function createDelivery(deps: ApartDeps): Delivery {
  return new ShardDelivery(deps);
}

interface ApartDeps extends DeliveryDeps {
  /** Prepares large batches in another thread; absent: all are prepared on this one. */
  readonly prepareApart?: PrepareApart;
}

class ShardDelivery implements Delivery {
  readonly #deps: ApartDeps;
  /** Of jobs that have something to do, or had lately; the others are at rest (`rest.ts`). */
  readonly #runners = new Map<number, JobRunner>();
  readonly #byStream = new JobIndex();
  /** Settings as last applied: unchanged ones are told apart by identity or version. */
  readonly #applied = new Map<number, JobConfig>();
  /** Attempts made for jobs at rest, where there are any. */
  readonly #attempts = new Map<number, JobStatus['attempts']>();
  #looking: Iterator<JobRunner> | undefined;
  readonly #nextTurn: () => Promise<void>;
  readonly #calls: TurnQueue;
  readonly #turns: Turns;
  readonly #senders: Senders;
  readonly #tools: RunnerTools;
  readonly #replays: Replays;
  readonly #busy = new Set<Promise<void>>();
  readonly #late = new Set<number>();
  readonly #stop = new AbortController();
  readonly #endGrowth: () => void;
  #draining = false;

  constructor(deps: ApartDeps) {
    this.#deps = deps;
    this.#nextTurn = deps.nextTurn ?? (() => new Promise<void>((resolve) => setImmediate(resolve)));
    this.#calls = new TurnQueue(CALLS_A_TURN, this.#nextTurn);
    this.#turns = new Turns(deps.limits);
    this.#senders = new Senders(deps.openSender, deps.limits.senders, deps.diagnostics);
    this.#tools = this.#makeTools();
    this.#replays = new Replays({
      deps,
      tools: this.#tools,
      applied: this.#applied,
      runners: this.#runners,
      queued: () => this.#turns.stats().queued,
    });
    this.#endGrowth = deps.buffer.onGrowth((streams) => {
      for (const stream of streams) this.#calls.do(() => this.#grew(stream));
    });
  }

  #grew(stream: string): void {
    for (const id of this.#byStream.of(stream)) {
      const runner = this.#runners.get(id);
      if (runner) runner.grew();
      else this.#wake(id);
    }
  }

  #wake(id: number): void {
    const job = this.#applied.get(id);
    if (!job?.enabled || this.#draining) return;
    this.#track(id, this.#runner(job).configure(job));
  }

  #makeTools(): RunnerTools {
    const deps = this.#deps;
    const { clock, random, limits } = deps;
    const lane = new Lane(limits.compressions);
    const deflater = createDeflater(DEFLATE_LEVEL, limits.compressions);
    const again = createDeflater(AGAIN_LEVEL, limits.compressions);
    const turns = new ShortTurns(clock, this.#nextTurn);
    const prepare: PrepareTools = {
      buffer: deps.buffer,
      inflate: (block) => lane.run(() => deps.inflateBlock(block)),
      deflate: (plain) => lane.run(() => deflateFragment(plain, deflater)),
      deflateAgain: (plain) => lane.run(() => deflateFragment(plain, again)),
      inTurn: (piece) => turns.run(piece),
      limits,
    };
    const where = { apart: deps.prepareApart, limits };
    return {
      deps,
      clock,
      prepare,
      goesApart: (shape) => {
        try {
          return goesApart(shape(), where);
        } catch {
          // Settings that cannot be compiled: whoever prepares says so.
          return false;
        }
      },
      prepareBatch: (request, size) => prepareWhere(request, size, prepare, where),
      backlog: new BacklogLook({ buffer: deps.buffer, inTurn: prepare.inTurn }),
      turns: this.#turns,
      calls: this.#calls,
      pace: new Pace({
        intervalMs: deps.intervalMs,
        intervalMsMost: Math.max(deps.intervalMs, limits.stretchedMs),
        batchesPerSecond: limits.batchesPerSecond,
      }),
      records: new RecordWindow(clock, limits),
      senders: this.#senders,
      places: new Places(deps),
      stop: this.#stop.signal,
      mayStart: () => !this.#draining,
      track: (job, work) => this.#track(job, work),
      ownDelayMs: (failures) =>
        backoffMs(failures, { firstMs: limits.backoffMs, mostMs: limits.backoffMsMax }, random),
      late: this.#late,
      forget: (job) => this.#forget(job),
    };
  }

  async apply(jobs: readonly JobConfig[], version: number): Promise<void> {
    if (this.#draining) return;
    const wanted = new Set<number>();
    const changes: Promise<void>[] = [];
    const slices = new TurnSlices(this.#deps.clock, this.#nextTurn);
    for (const job of jobs) {
      if (slices.isDue()) await slices.next();
      wanted.add(job.id);
      const before = this.#applied.get(job.id);
      if (before === job || before?.version === job.version) continue;
      this.#applied.set(job.id, job);
      this.#byStream.add(job.stream, job.id);
      if (!this.#runners.has(job.id) && isAtRest(job, this.#deps.buffer)) continue;
      changes.push(this.#change(job.id, () => this.#runner(job).configure(job)));
    }
    if (this.#draining) return;
    for (const [id, { stream }] of this.#applied) {
      if (slices.isDue()) await slices.next();
      if (wanted.has(id)) continue;
      this.#applied.delete(id);
      if (!this.#runners.has(id)) this.#leave(id, stream);
    }
    for (const [id, runner] of this.#runners) {
      if (!wanted.has(id)) changes.push(this.#change(id, () => runner.remove()));
    }
    for (const state of this.#deps.buffer.jobs()) {
      if (slices.isDue()) await slices.next();
      if (this.#isUnknown(state, wanted)) changes.push(this.#closeJob(state.job));
    }
    this.#replays.look();
    await Promise.all(changes);
    const { length } = changes;
    this.#deps.diagnostics.info('delivery.applied', {
      version,
      jobs: jobs.length,
      changes: length,
    });
  }

  /** One job's fault keeps neither the others from their settings nor the configuration from coming into force (I6). */
  async #change(job: number, change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (error) {
      // Tried again with the next configuration.
      this.#applied.delete(job);
      this.#fault(job, error);
    }
  }

  opened(stream: string): Promise<boolean> | undefined {
    if (this.#late.size === 0) return undefined;
    const late = this.#byStream.of(stream).filter((id) => this.#late.has(id));
    return late.length === 0 ? undefined : this.#open(late);
  }

  async #open(jobs: readonly number[]): Promise<boolean> {
    await Promise.all(jobs.map(async (id) => this.#runners.get(id)?.open()));
    return !jobs.some((id) => this.#late.has(id));
  }

  status(job: number): JobStatus | undefined {
    const status = this.#runners.get(job)?.status() ?? this.#resting(job);
    return status && this.#replays.isThrottled(job) ? { ...status, throttled: true } : status;
  }

  #resting(id: number): JobStatus | undefined {
    const job = this.#applied.get(id);
    return job && restingStatus(job, this.#deps.buffer, this.#attempts.get(id));
  }

  statusesOf(stream: string): readonly JobStatus[] {
    const live = this.#byStream
      .of(stream)
      .filter((id) => this.#applied.get(id)?.replay === undefined);
    return live.flatMap((id) => this.#runners.get(id)?.status() ?? this.#resting(id) ?? []);
  }

  settings(job: number): JobConfig | undefined {
    return this.#applied.get(job);
  }

  stats(): DeliveryStats {
    return {
      jobs: this.#applied.size,
      runners: this.#runners.size,
      ...this.#turns.stats(),
      openSenders: this.#senders.size,
      openBreakers: this.#tools.places.openBreakers,
    };
  }

  recall(streams: readonly string[]): void {
    for (const stream of streams) {
      for (const id of this.#byStream.of(stream)) this.#runners.get(id)?.recall();
    }
  }

  tend(): void {
    for (let looked = 0; looked < LOOKS_A_SECOND; looked += 1) {
      const next = (this.#looking ??= this.#runners.values()).next();
      if (next.done) {
        this.#looking = undefined;
        return;
      }
      if (next.value.mayRest && this.#applied.has(next.value.id)) this.#rest(next.value);
    }
  }

  #rest(runner: JobRunner): void {
    const { attempts } = runner.status();
    if (Object.values(attempts).some((count) => count > 0)) this.#attempts.set(runner.id, attempts);
    runner.release();
    this.#runners.delete(runner.id);
  }

  async drain(signal?: AbortSignal): Promise<void> {
    this.#draining = true;
    this.#turns.callOff();
    for (const runner of this.#runners.values()) runner.stop();
    const aborted = new Promise<void>((resolve) => {
      if (signal?.aborted) resolve();
      else signal?.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([this.#quiet(), aborted]);
  }

  async close(): Promise<void> {
    this.#draining = true;
    this.#calls.close();
    this.#replays.close();
    this.#endGrowth();
    this.#stop.abort();
    this.#turns.callOff();
    for (const runner of this.#runners.values()) runner.stop();
    await this.#quiet();
    await this.#senders.close();
  }

  async #quiet(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all(this.#busy);
  }

  #runner(job: JobConfig): JobRunner {
    const known = this.#runners.get(job.id);
    if (known) return known;
    const tools = job.replay ? this.#replays.tools : this.#tools;
    const runner = new JobRunner(job, tools, this.#attempts.get(job.id));
    this.#attempts.delete(job.id);
    this.#runners.set(job.id, runner);
    return runner;
  }

  /** A job that the buffer has open although no snapshot names it: deleted just before a crash. */
  #isUnknown({ job, closedMs }: JobState, wanted: ReadonlySet<number>): boolean {
    return closedMs === null && !wanted.has(job) && !this.#runners.has(job);
  }

  async #closeJob(job: number): Promise<void> {
    const recorded = await this.#deps.buffer.closeJob(job);
    if (recorded.kind === 'durable') return;
    this.#deps.diagnostics.warn('delivery.job.failed', { job, detail: recorded.detail });
  }

  #forget(job: number): void {
    const runner = this.#runners.get(job);
    if (!runner || this.#applied.has(job)) return;
    runner.stop();
    this.#runners.delete(job);
    this.#leave(job, runner.stream);
  }

  /** The job is gone. */
  #leave(job: number, stream: string): void {
    this.#late.delete(job);
    this.#byStream.remove(stream, job);
    this.#attempts.delete(job);
  }

  #track(job: number, work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#fault(job, error))
      .finally(() => this.#busy.delete(tracked));
    this.#busy.add(tracked);
  }

  #fault(job: number, error: unknown): void {
    const kind = error instanceof Error ? error.name : 'unknown';
    // Only our own claims are quoted: any other message might hold a customer's bytes.
    const claim = error instanceof AssertionError ? error.message : undefined;
    this.#deps.diagnostics.error('delivery.fault', { job, kind, claim });
  }
}
