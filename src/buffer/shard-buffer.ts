/** The buffer as its contract shows it: puts the parts together and keeps none of their work for itself. */
import { assert } from '../lib/assert.ts';
import type { Plan, Waybill } from '../model/delivery.ts';
import type { Checkpoints } from './checkpoint/checkpoints.ts';
import { Chores } from './chores/chores.ts';
import { SpaceGuard } from './chores/space.ts';
import type {
  AppendRequest,
  AppendResult,
  Lines,
  BlockInfo,
  BufferStats,
  JobStart,
  JobState,
  JobWaiting,
  OffsetAt,
  ReadBlocks,
  RecordResult,
  RefusalCount,
  ShardBuffer,
  StreamErasure,
  StreamState,
  SummedCut,
} from './contract.ts';
import type { BufferDeps } from './deps.ts';
import { recordErasure } from './erasure/erase.ts';
import { Gate } from './gate.ts';
import { recallHours } from './read/hours.ts';
import { Locator } from './read/locate.ts';
import { offsetAt } from './read/offset-at.ts';
import { Pages, ReadFailed } from './read/pages.ts';
import { Reader } from './read/reader.ts';
import { TailCache } from './read/tail-cache.ts';
import { waitingOf } from './read/waiting.ts';
import type { ServiceClock } from './service-clock.ts';
import type { ShardState } from './state/state.ts';
import type { StreamEntry } from './state/stream.ts';
import { Committer } from './write/committer.ts';
import { summedCuts } from './write/cut.ts';
import { Intake } from './write/intake.ts';
import { JobRecords } from './write/job-records.ts';
import { Refusals } from './write/refusals.ts';

/** Jobs below this number are the buffer's own (`keep`): they settle what nobody claims and are not shown. */
const FIRST_JOB = 0;

export class LogBuffer implements ShardBuffer {
  readonly durability: 'disk' | 'memory';
  readonly #deps: BufferDeps;
  readonly #state: ShardState;
  readonly #service: ServiceClock;
  readonly #committer: Committer;
  readonly #intake: Intake;
  readonly #jobs: JobRecords;
  readonly #refusals: Refusals;
  readonly #reader: Reader;
  readonly #cache: TailCache;
  readonly #locator: Locator;
  readonly #space: SpaceGuard;
  readonly #chores: Chores;
  readonly #listeners = new Set<(streams: readonly string[]) => void>();
  #closing: Promise<void> | undefined;

  constructor(
    deps: BufferDeps,
    state: ShardState,
    service: ServiceClock,
    checkpoints: Checkpoints,
  ) {
    const { clock, diagnostics, limits, log, random } = deps;
    this.#deps = deps;
    this.#state = state;
    this.#service = service;
    this.durability = log.durability;
    const reads = new Gate(limits.buffer.reads);
    const cache = (this.#cache = new TailCache(limits.buffer.tailCacheBytes));
    const weightOf = deps.weightOf ?? (() => 1);
    this.#space = new SpaceGuard({
      ...deps,
      state,
      limits: limits.buffer,
      weightOf,
      diskShares: deps.diskShares ?? (() => new Map()),
      heldBytes: () => log.stats().heldBytes,
    });
    const compressions = {
      gate: new Gate(limits.buffer.compressions),
      many: deps.deflateMany,
    };
    this.#committer = new Committer({
      log,
      state,
      clock,
      service,
      random,
      diagnostics,
      compressions,
      limits: { ...limits.buffer, ...limits.log },
      applied: ({ record }, position) => {
        if (record.kind === 'block') cache.put(position, record);
      },
      grew: (streams) => {
        for (const wake of this.#listeners) wake(streams);
      },
      full: () => this.#space.full(),
    });
    this.#intake = new Intake({
      state,
      service,
      admission: this.#space,
      limits: limits.buffer,
      compressions,
      enqueue: (pending) => this.#committer.enqueue(pending),
      wake: () => this.#committer.wake(),
    });
    this.#jobs = new JobRecords(state, this.#committer, limits.buffer);
    this.#refusals = new Refusals(state, this.#committer, clock);
    const pages = new Pages(log, reads, diagnostics, limits.buffer.indexCacheBytes);
    this.#locator = new Locator(state.spans, pages);
    const scatteredReads = new Gate(limits.buffer.scatteredReads);
    const readerDeps = { log, state, cache, reads, scatteredReads, diagnostics };
    this.#reader = new Reader({ ...readerDeps, locator: this.#locator });
    this.#chores = new Chores({
      log,
      state,
      service,
      clock,
      diagnostics,
      checkpoints,
      random,
      committer: this.#committer,
      jobs: this.#jobs,
      space: this.#space,
      pages,
      reader: this.#reader,
      locator: this.#locator,
      onStep: deps.onStep,
      limits: limits.buffer,
    });
  }

  append(request: AppendRequest): Promise<AppendResult> {
    return this.#intake.append(request);
  }

  cut(lines: Lines): readonly SummedCut[] {
    const { blockLines, blockBytes } = this.#deps.limits.buffer;
    return summedCuts(lines, blockLines, blockBytes);
  }

  stream(key: string): StreamState | undefined {
    const stream = this.#state.streams.get(key);
    return stream && this.#streamState(stream);
  }

  *streams(): Generator<StreamState> {
    for (const stream of this.#state.streams.values()) yield this.#streamState(stream);
  }

  peek(
    stream: string,
    from: number,
    most: number,
    plainBytes?: number,
  ): Promise<readonly BlockInfo[]> {
    return this.#reader.peek(stream, from, most, plainBytes);
  }

  read(stream: string, from: number, maxPlainBytes: number, before?: number): Promise<ReadBlocks> {
    return this.#reader.read(stream, from, maxPlainBytes, before);
  }

  async offsetAt(key: string, receivedMs: number): Promise<OffsetAt> {
    const stream = this.#state.streams.get(key);
    // What is not dated yet may be dated now; what is being written bears the date of its group.
    const undated = Math.min(this.#deps.clock.wallMs(), this.#committer.stampMs);
    if (receivedMs > undated) return { kind: 'early' };
    if (stream === undefined) return { kind: 'offset', offset: 0 };
    stream.askedMs = Math.max(stream.askedMs, receivedMs);
    try {
      return await offsetAt(stream, receivedMs, this.#locator, this.#chores.replayableSinceMs);
    } catch (error) {
      if (error instanceof ReadFailed) return { kind: 'failed', detail: error.message };
      throw error;
    }
  }

  onGrowth(wake: (streams: readonly string[]) => void): () => void {
    this.#listeners.add(wake);
    return () => this.#listeners.delete(wake);
  }

  job(id: number): JobState | undefined {
    return this.#state.jobs.get(id)?.state();
  }

  *jobs(): Generator<JobState> {
    for (const job of this.#state.jobs.values()) if (job.id >= FIRST_JOB) yield job.state();
  }

  async openJob(
    id: number,
    stream: string,
    account: string,
    start: JobStart,
  ): Promise<RecordResult> {
    assert(Number.isSafeInteger(id) && id >= FIRST_JOB, 'jobs are numbered from 0 on');
    const known = this.#state.streams.get(stream);
    if (known === undefined) return this.#jobs.open(id, stream, account, start);
    const from = this.#jobs.beginsAt(id, known, start);
    // Another job's progress must not make them forgotten before this one holds them.
    const letGo = this.#state.holdHours(known, from);
    try {
      // Before anything is recorded, so that what fails leaves no job behind.
      await recallHours(known, from, this.#locator);
      return await this.#jobs.open(id, stream, account, start);
    } catch (error) {
      if (error instanceof ReadFailed) return { kind: 'failed', detail: error.message };
      throw error;
    } finally {
      letGo();
    }
  }

  closeJob(id: number): Promise<RecordResult> {
    // A replay that is called off holds its lines no longer than it must.
    if (this.#state.jobs.get(id)?.end !== null) this.#chores.endSoon();
    return this.#jobs.close(id);
  }

  heldForMs(id: number): number | null {
    const since = this.#state.jobs.get(id)?.closedServiceMs ?? null;
    const { holdbackMs } = this.#deps.limits.buffer;
    return since === null ? null : Math.max(0, since + holdbackMs - this.#service.nowMs());
  }

  async skip(id: number, before: number): Promise<RecordResult> {
    const job = this.#state.jobs.get(id);
    if (job === undefined || (await this.#chores.skip(job, before))) return { kind: 'durable' };
    return { kind: 'failed', detail: 'some of the lines are not settled yet' };
  }

  async erase(order: string, streams: readonly StreamErasure[]): Promise<RecordResult> {
    const result = await recordErasure(this.#state, this.#committer, order, streams);
    this.#chores.endSoon();
    return result;
  }

  erasing(streams: readonly string[]): readonly string[] {
    return streams.filter((key) => {
      const stream = this.#state.streams.get(key);
      return stream !== undefined && this.#chores.isErasing(stream);
    });
  }

  plan(job: number, plans: readonly Plan[], replaces?: string): Promise<RecordResult> {
    return this.#jobs.plan(job, plans, replaces);
  }

  settle(waybill: Waybill): Promise<RecordResult> {
    return this.#jobs.settle(waybill);
  }

  lastOf(stream: string, producer: bigint) {
    const known = this.#state.streams.get(stream);
    return known && this.#state.producers.last(known.id, producer);
  }

  waiting(job: number): JobWaiting | undefined {
    const known = this.#state.jobs.get(job);
    return known && waitingOf(known, this.#state.spans);
  }

  countRefusal(entry: RefusalCount): void {
    this.#refusals.count(entry);
  }

  tend(): Promise<void> {
    this.#cache.dropBefore(this.#service.nowMs() - this.#deps.limits.buffer.tailCacheMs);
    return this.#chores.tend();
  }

  stats(): BufferStats {
    const state = this.#state;
    const log = this.#deps.log.stats();
    return {
      streams: state.streams.size,
      jobs: state.jobs.size,
      heldBytes: log.heldBytes,
      diskUsedShare: this.#space.usedShare,
      commits: this.#committer.commits,
      syncs: log.syncs,
      writtenBytes: log.writtenBytes,
      damagedBytes: state.damagedBytes,
      corruptLines: state.corruptLines,
      replayableSinceMs: this.#chores.replayableSinceMs,
      serviceMs: this.#service.nowMs(),
      expiryAsksForLines: this.#chores.expire(0),
    };
  }

  expire(mostLines: number): number {
    return this.#chores.expire(mostLines);
  }

  drain(): void {
    this.#space.drain();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.drain();
    await this.#refusals.flush();
    await this.#committer.idle();
    await this.#chores.finish();
    await this.#deps.log.close();
  }

  /** Knows how full the disk is before the first line comes in. */
  lookAtDisk(): Promise<void> {
    return this.#space.look();
  }

  /** Makes hours known again that jobs need which began in the past: once, at the end of recovery. */
  async recallHours(): Promise<void> {
    for (const job of this.#state.jobs.values()) {
      if (job.cursor < job.stream.hoursFrom)
        await recallHours(job.stream, job.cursor, this.#locator);
    }
  }

  #streamState(stream: StreamEntry): StreamState {
    return {
      stream: stream.key,
      account: stream.account,
      epoch: stream.epoch,
      head: stream.head,
      oldest: Math.max(stream.oldest, this.#state.erasedTo(stream)),
      erasedTo: this.#state.erasedTo(stream),
      acceptedLines: stream.head,
      acceptedBytes: stream.bytes,
      lastReceivedMs: stream.lastReceivedMs,
    };
  }
}
