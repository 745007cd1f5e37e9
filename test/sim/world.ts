/** A shard on the simulated disk and the model beside it: runs actions on both, and compares after each restart. */
import assert from 'node:assert/strict';

import type {
  AppendResult,
  LedgerEvent,
  RecordResult,
  RequestIdentity,
} from '../../src/buffer/index.ts';
import { key, linesOf, planOf, smallLimits, waybill } from '../../src/buffer/testing.ts';
import { manualClock } from '../../src/lib/clock-manual.ts';
import type { FileSystem } from '../../src/lib/fs/file-system.ts';
import { SimDisk } from '../../src/lib/fs/sim.ts';
import type { Effect } from '../../src/lib/fs/sim.ts';
import { WINDOW as PRODUCER_WINDOW } from '../../src/buffer/state/producers.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { hourOf, NO_LINES } from '../../src/model/delivery.ts';
import type { OutcomeCounts, Plan, Range } from '../../src/model/delivery.ts';
import type { Action, Death, FaultKind, Request } from './actions.ts';
import { STREAMS } from './actions.ts';
import { compare, readStream } from './compare.ts';
import { Model, ModelJob } from './model.ts';
import type { JobDoubt, KnownRequest, Offer } from './model.ts';
import { Alarms, openShard, SHARD } from './shard.ts';
import type { Seams, Shard, SimLimits } from './shard.ts';

const HOUR_MS = 3_600_000;
const OVERTAKEN = /on its way|meanwhile|has moved on/;
/** Lines of a block; what one flipped bit may cost. */
const BLOCK_LINES = 10;

function simLimits(): SimLimits {
  return {
    ...smallLimits(
      {
        blockLines: BLOCK_LINES,
        holdbackMs: 1_000,
        spanBlocks: 14,
        checkpointBytes: 900,
        keys: 10_000,
        retentionMs: 1e12,
      },
      { segmentBytes: 900, commitBytes: 20_000 },
    ),
    segmentFileBytes: 3_000,
    recordBytes: 1 << 16,
    archiveFileBytes: 4_000,
  };
}

/** What a history has met: a run that met nothing proves nothing. */
export class Seen {
  steps = 0;
  deaths = 0;
  deathsInRecovery = 0;
  tornTails = 0;
  refused = 0;
  recordsFailed = 0;
  repeats = 0;
  resurrected = 0;
  checkpoints = 0;
  trimmed = 0;
  flips = 0;
  linesLost = 0;
  refusedStarts = 0;

  add(other: SeenCounts): void {
    for (const name of Object.keys(this) as (keyof SeenCounts)[]) this[name] += other[name];
  }
}

export type SeenCounts = Omit<Seen, 'add'>;

interface Flip {
  readonly path: string;
  readonly at: number;
  readonly mask: number;
}

export class World {
  readonly clock = manualClock();
  readonly disk: SimDisk;
  readonly model = new Model();
  readonly alarms = new Alarms();
  readonly seen = new Seen();
  readonly #limits: SimLimits;
  readonly #seams: Seams;
  shard!: Shard;
  /** Whether anything has decayed: from then on the model follows where it else would insist. */
  decayed = false;
  /** Bits that decayed since the last start. */
  #flips: Flip[] = [];
  /** Requests that were offered, not answered, and are not there: a repeat stores them. */
  #lost: Offer[] = [];
  #life = 0;
  #number = 0;
  #seed: number;
  #tending: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  #deaths: readonly Death[] = [];
  #troubled = false;
  refusedLines = 0;
  #sequences = new Map<string, number>();
  readonly #mine = new Set<string>();

  constructor(seed: number, seams: Seams = {}, limits = simLimits()) {
    this.#seed = seed * 1_000;
    this.#seams = seams;
    this.#limits = limits;
    this.disk = new SimDisk({ random: seededRandom(seed) });
  }

  /** Whether calls may fail for reasons that are planned. */
  get troubled(): boolean {
    return this.#troubled;
  }

  /** A line cannot be read: allowed where something decayed, and no more of them than one block a bit. */
  lose(name: string, at: number): void {
    // What nobody needs goes with the space that it takes.
    if (!this.model.needed(name, at)) return;
    assert.ok(this.decayed, `${name} line ${at} cannot be read although nothing decayed`);
    this.model.stream(name).lost.add(at);
    let lost = 0;
    for (const stream of this.model.streams.values()) lost += stream.lost.size;
    assert.ok(lost <= this.seen.flips * BLOCK_LINES, `${this.seen.flips} bits cost ${lost} lines`);
    this.seen.linesLost = lost;
  }

  get files(): FileSystem {
    return this.disk.files();
  }

  async start(): Promise<void> {
    await this.#recover([]);
  }

  async run(action: Action): Promise<void> {
    this.seen.steps += 1;
    const work = this.#act(action);
    const stopped = this.#stopped;
    if (stopped === undefined) return work;
    // Whoever ends the life on purpose does what is to be done then.
    const died = stopped.then(async () => {
      if (this.#stopped !== stopped) await never();
      return 'died' as const;
    });
    if ((await Promise.race([work, died])) !== 'died') return;
    await this.#bury(this.#deaths);
    // It must not have come to an error of its own in its last moments.
    await Promise.race([work, turn()]);
  }

  async #act(action: Action): Promise<void> {
    switch (action.kind) {
      case 'append':
        return this.#appendAll(action.requests, action.watch);
      case 'repeat':
        return this.#repeat(action.pick);
      case 'open':
        return this.#open(action.job, STREAMS[action.stream]!, action.oldest);
      case 'close':
        return this.#close(action.job);
      case 'plan':
        await this.#plan(action.job, action.skip, action.count);
        return undefined;
      case 'settle':
        return this.#settle(action.job, action.pick, action.count);
      case 'work':
        return this.#work(action.job, action.count);
      case 'read':
        return this.#read(STREAMS[action.stream]!, action.share, action.bytes);
      case 'refuse':
        this.refusedLines += action.lines;
        this.shard.buffer.countRefusal({
          stream: STREAMS[0]!,
          hour: hourOf(this.clock.wallMs()),
          reason: 'disk_full',
          requests: 1,
          lines: action.lines,
        });
        return undefined;
      case 'tend':
        return this.#tend(action.wait);
      case 'pass':
        this.clock.advance(action.ms);
        return undefined;
      case 'jump':
        this.clock.setWall(this.clock.wallMs() + action.ms);
        return undefined;
      case 'fault':
        this.#troubled = true;
        this.disk.plan({ ...action, effect: effectOf(action.effect) });
        return undefined;
      case 'heal':
        return this.#heal();
      case 'fill':
        this.#troubled = true;
        this.disk.resize(this.disk.usedBytes() + action.spareBytes);
        return undefined;
      case 'free':
        return this.#heal();
      case 'flip':
        return this.#flip(action);
      case 'stop':
        if (this.#stopped !== undefined) return undefined;
        this.#deaths = action.deaths;
        this.#stopped = this.disk.stopAt(action.calls);
        return undefined;
      case 'crash':
        this.#stopped = undefined;
        return this.#bury(action.deaths);
      case 'restart':
        return this.#restart();
    }
  }

  async #appendAll(requests: readonly Request[], watch: boolean): Promise<void> {
    let done = false;
    const all = Promise.all(requests.map((request) => this.#append(request))).finally(() => {
      done = true;
    });
    const life = this.#life;
    while (watch && !done && life === this.#life) {
      for (const name of STREAMS) await this.#look(name);
      await turn();
    }
    await all;
  }

  /** Whoever sees a line may rely on it: a reader never sees what a crash could take back. */
  async #look(name: string): Promise<void> {
    const state = this.shard.buffer.stream(name);
    const model = this.model.stream(name);
    if (state === undefined || state.head <= model.seen) return;
    const life = this.#life;
    const answer = await this.shard.buffer.read(name, state.head - 1, 1);
    if (answer.kind === 'blocks' && life === this.#life) {
      model.seen = Math.max(model.seen, answer.blocks.at(-1)!.range.to);
    }
  }

  #append(request: Request): Promise<void> {
    const stream = STREAMS[request.stream]!;
    const lines = Array.from(
      { length: request.lines },
      () => `{"s":${request.stream},"n":${this.#number++},"p":"${'x'.repeat(request.pad)}"}`,
    );
    return this.#offer(stream, lines, this.#identity(request, stream));
  }

  #identity(request: Request, stream: string): RequestIdentity | undefined {
    if (request.identity === 'none') return undefined;
    if (request.identity === 'key') return key(`k${this.#number}`);
    const sequence = (this.#sequences.get(stream) ?? 0) + 1;
    this.#sequences.set(stream, sequence);
    return { kind: 'producer', producer: 7n, epoch: 1, sequence };
  }

  async #offer(
    stream: string,
    lines: readonly string[],
    identity: RequestIdentity | undefined,
  ): Promise<void> {
    const wallMs = this.clock.wallMs();
    const offer: Offer = { kind: 'append', stream, lines, wallMs, identity, refused: false };
    this.model.doubts.push(offer);
    const life = this.#life;
    const result = await this.shard.buffer.append({
      stream,
      account: 'a1',
      lines: linesOf(lines),
      ...(identity && { identity }),
    });
    assert.equal(life, this.#life, 'a dead process answers nobody');
    this.#answered(offer, result);
  }

  #answered(offer: Offer, result: AppendResult): void {
    if (result.kind !== 'stored') {
      assert.equal(result.kind, 'refused');
      assert.ok(this.#troubled, `refused without a reason: ${JSON.stringify(result)}`);
      offer.refused = true;
      this.seen.refused += 1;
      return;
    }
    const { stream, lines, identity } = offer;
    const range = this.model.stream(stream).take(lines, offer.wallMs);
    assert.deepEqual([result.range, result.repeat], [range, false]);
    this.model.success(offer);
    if (identity !== undefined) {
      const { serviceMs } = this.shard.buffer.stats();
      this.model.known.push({ identity, stream, lines, range, serviceMs });
    }
  }

  /** A request comes again: one that was answered is known, one that was lost is stored. */
  async #repeat(pick: number): Promise<void> {
    if (pick % 3 === 0 && this.#lost.length > 0) {
      const [offer] = this.#lost.splice(pick % this.#lost.length, 1);
      return this.#offer(offer!.stream, offer!.lines, offer!.identity);
    }
    const now = this.shard.buffer.stats().serviceMs;
    const { known } = this.model;
    const request = known[pick % Math.max(1, known.length)];
    if (request === undefined || this.decayed) return;
    const { identity, stream, lines, range } = request;
    // A producer's sequences are remembered as far back as it may have requests under way.
    if (identity.kind === 'producer' && !this.#isRecent(request, identity.sequence)) return;
    if (identity.kind === 'key' && now - request.serviceMs > HOUR_MS / 2) return;
    const again = { stream, account: 'a1', identity };
    const result = await this.shard.buffer.append({ ...again, lines: linesOf(lines) });
    assert.ok(result.kind === 'stored', `a repeat is answered: ${JSON.stringify(result)}`);
    assert.deepEqual([result.range, result.repeat], [range, true], 'a repeat is recognised');
    const other = await this.shard.buffer.append({ ...again, lines: linesOf([...lines, '{}']) });
    assert.equal(other.kind, 'key_conflict');
    this.seen.repeats += 1;
  }

  /** Whether fewer than the window's requests of the producer to that stream have a higher sequence: one may come late. */
  #isRecent({ stream }: KnownRequest, sequence: number): boolean {
    let later = 0;
    for (const { identity, stream: of } of this.model.known) {
      if (of === stream && identity.kind === 'producer' && identity.sequence > sequence) later += 1;
    }
    return later < PRODUCER_WINDOW;
  }

  #doubt(job: number, apply: JobDoubt['apply']): JobDoubt {
    const doubt: JobDoubt = { kind: 'job', job, apply, refused: false };
    this.model.doubts.push(doubt);
    return doubt;
  }

  /** Waits for a record. Returns whether it is durable. */
  async #record(doubt: JobDoubt, work: Promise<RecordResult>): Promise<boolean> {
    const life = this.#life;
    const result = await work;
    assert.equal(life, this.#life, 'a dead process answers nobody');
    if (result.kind === 'durable') {
      this.model.success(doubt);
      return true;
    }
    // The buffer may be ending lines of a closed job just then.
    const crossed = OVERTAKEN.test(result.detail);
    assert.ok(this.#troubled || crossed, `a record fails only for a reason: ${result.detail}`);
    this.seen.recordsFailed += 1;
    doubt.refused = true;
    return false;
  }

  async #open(id: number, wanted: string, fromOldest: boolean): Promise<void> {
    const { buffer } = this.shard;
    const known = this.#known(id);
    // A job stays with its stream for good, and begins anew where it is opened.
    const former = this.model.former.get(id);
    const stream = known?.stream ?? former?.stream ?? wanted;
    const oldest = fromOldest && former === undefined && known === undefined;
    const before = buffer.stream(stream);
    const least = oldest ? (before?.oldest ?? 0) : (before?.head ?? 0);
    const doubt = this.#doubt(id, (job, found) => {
      if (job === undefined) {
        if (found.stream !== stream || found.start < least) return undefined;
        return this.model.begin(id, stream, found.start);
      }
      // It was forgotten while this was on its way.
      if (found.start !== job.start) {
        return job.closed ? new ModelJob(stream, found.start, undefined, job.end()) : undefined;
      }
      job.closed = false;
      return job;
    });
    const work = buffer.openJob(id, stream, 'a1', oldest ? 'oldest' : 'head');
    if (!(await this.#record(doubt, work))) return;
    const found = this.shard.buffer.job(id);
    assert.ok(found !== undefined && found.closedMs === null, 'an opened job is open');
    if (known?.start === found.start) known.closed = false;
    else {
      this.model.forget(id);
      assert.ok(found.start >= least && found.start <= this.shard.buffer.stream(stream)!.head);
      this.model.jobs.set(id, this.model.begin(id, stream, found.start));
    }
  }

  /** The job as the model has it, unless the buffer has forgotten it meanwhile. */
  #known(id: number): ModelJob | undefined {
    if (this.shard.buffer.job(id) === undefined) this.model.forget(id);
    return this.model.jobs.get(id);
  }

  async #close(id: number): Promise<void> {
    const known = this.#known(id);
    if (known === undefined) return;
    const doubt = this.#doubt(id, (job) => {
      if (job !== undefined) job.closed = true;
      return job;
    });
    if (await this.#record(doubt, this.shard.buffer.closeJob(id))) known.closed = true;
  }

  async #plan(id: number, skip: number, count: number): Promise<Plan | undefined> {
    const model = this.#known(id);
    if (model === undefined || model.open.length >= this.#limits.buffer.openPlans) return undefined;
    const free = this.model.free(model);
    const chosen = free[Math.min(skip, free.length - 1)];
    if (chosen === undefined || (model.settled.size > 0 && this.#crowded(model))) return undefined;
    const range = { from: chosen.from, to: Math.min(chosen.to, chosen.from + count) };
    const plan = planOf(this.shard.buffer.job(id)!, range, this.#receivedMs(model, range));
    const doubt = this.#doubt(id, (job) => {
      job?.plan(plan);
      return job;
    });
    if (!(await this.#record(doubt, this.shard.buffer.plan(id, [plan])))) return undefined;
    // The buffer may have ended a closed job's lines before we hear of the plan.
    if (model.settled.has(range.from)) return undefined;
    model.plan(plan);
    return plan;
  }

  /** So many holes that a further one would go over the bound of settled ranges. */
  #crowded(model: ModelJob): boolean {
    const { settled } = model;
    let ranges = 0;
    for (const at of settled) if (!settled.has(at - 1)) ranges += 1;
    return ranges + model.open.length >= this.#limits.buffer.settledRanges - 2;
  }

  #receivedMs(model: ModelJob, range: Range): number {
    return this.model.stream(model.stream).hours[range.from]! * HOUR_MS;
  }

  async #settle(id: number, pick: number, count: number): Promise<void> {
    const model = this.#known(id);
    if (model === undefined) return;
    const plan = model.open[pick];
    const free = this.model.free(model)[0];
    const range =
      plan?.range ?? (free && { from: free.from, to: Math.min(free.to, free.from + count) });
    if (range === undefined) return;
    await this.#settleRange(id, model, range, plan);
  }

  async #settleRange(
    id: number,
    model: ModelJob,
    range: Range,
    plan: Plan | undefined,
  ): Promise<void> {
    const state = this.shard.buffer.job(id)!;
    const counts = outcomeOf(range, plan !== undefined);
    const bill = waybill(state, range, this.#receivedMs(model, range), {
      plan: plan?.id ?? null,
      counts,
    });
    const doubt = this.#doubt(id, (job) => {
      job?.settle(bill);
      return job;
    });
    this.#mine.add(JSON.stringify(bill));
    if (await this.#record(doubt, this.shard.buffer.settle(bill))) model.settle(bill);
  }

  /** What delivery does: plans the next lines, and settles them. */
  async #work(id: number, count: number): Promise<void> {
    const model = this.#known(id);
    if (model === undefined) return;
    let left = count;
    while (left > 0) {
      const plan = model.open[0] ?? (await this.#plan(id, 0, left));
      // A closed one may be forgotten meanwhile.
      if (plan === undefined || this.#known(id) !== model) return;
      const before = model.sequence;
      await this.#settleRange(id, model, plan.range, plan);
      if (model.sequence === before) return;
      left -= plan.range.to - plan.range.from;
    }
  }

  async #read(name: string, share: number, bytes: number): Promise<void> {
    const state = this.shard.buffer.stream(name);
    if (state === undefined) return;
    const from = state.oldest + Math.floor((state.head - state.oldest) * share);
    await readStream(this, name, from, bytes);
  }

  async #tend(wait: boolean): Promise<void> {
    const { buffer, archive } = this.shard;
    this.#tending = this.#tending
      .then(() => buffer.tend())
      // As the server does: the archive's memory is emptied, and what fails is tried again.
      .then(async () => void (await archive.flush()))
      .catch((error: unknown) => {
        if (!this.#troubled) throw error;
      });
    if (wait) await this.#tending;
  }

  /** Trouble ends: intake must go on without a restart. */
  async #heal(): Promise<void> {
    this.disk.heal();
    this.disk.resize(Number.POSITIVE_INFINITY);
    if (!this.#troubled) return;
    await this.#tending;
    // What was under way when the trouble ended may still come to grief.
    for (let round = 0; round < 3; round += 1) await this.#lookAgain();
    this.#troubled = false;
    await this.#append({ stream: 0, lines: 1, pad: 0, identity: 'none' });
  }

  /**
   * A bit decays, behind the frontier: a commit that is known to be durable only by its own answer cannot be told from one
   * that a crash cut short, so a line is stored behind it first.
   */
  async #flip({ file, at, bit }: Extract<Action, { kind: 'flip' }>): Promise<void> {
    if (this.#troubled || this.#stopped !== undefined) return;
    const paths: string[] = [];
    for (const folder of ['log', 'log', 'log', 'buffer', 'archive']) {
      for (const name of await this.files.list(`${SHARD}/${folder}`)) {
        if (/\.(seg|wbc|wba)$/.test(name)) paths.push(`${SHARD}/${folder}/${name}`);
      }
    }
    const path = paths[Math.floor(file * paths.length)]!;
    const size = this.disk.content(path)?.length ?? 0;
    for (let index = 0; index < 3; index += 1) {
      await this.#append({ stream: index, lines: 1, pad: 0, identity: 'none' });
    }
    if (size === 0) return;
    const flip = { path, at: Math.floor(at * size), mask: 1 << bit };
    this.disk.flip(path, flip.at, flip.mask);
    this.#flips.push(flip);
    this.decayed = true;
    this.seen.flips += 1;
  }

  async #restart(): Promise<void> {
    await this.#tending;
    const { buffer, archive } = this.shard;
    try {
      await buffer.close();
      await archive.close();
    } catch (error) {
      if (!this.#troubled) throw error;
    }
    this.#end();
    this.disk.kill();
    await this.#recover([]);
  }

  /** The end of a life. What was answered before it was answered; what was not is in doubt. */
  #end(): void {
    this.#life += 1;
    this.#stopped = undefined;
    this.#tending = Promise.resolve();
  }

  async #bury(deaths: readonly Death[]): Promise<void> {
    this.seen.deaths += 1;
    // What was done before the last call may still be answered.
    this.disk.kill();
    for (let index = 0; index < 4; index += 1) await turn();
    this.#end();
    const [first, ...later] = deaths;
    if (first?.power ?? true) this.disk.crash();
    await this.#recover(later);
  }

  /** Starts again, dying on the way as often as was asked. */
  async #recover(deaths: readonly Death[]): Promise<void> {
    for (const death of deaths) {
      const died = this.disk.stopAt(death.calls).then(() => 'died' as const);
      const outcome = await Promise.race([this.#openShard(), died]);
      if (outcome === 'died') this.seen.deathsInRecovery += 1;
      this.disk.kill();
      if (death.power) this.disk.crash();
    }
    let opening = await this.#openShard();
    if (opening.kind === 'refused' && opening.why === 'failed' && this.#troubled) {
      this.disk.heal();
      this.disk.resize(Number.POSITIVE_INFINITY);
      this.disk.kill();
      opening = await this.#openShard();
    }
    if (opening.kind === 'refused' && this.#flips.length > 0) {
      // A clear refusal: an operator brings back what decayed.
      assert.equal(opening.why, 'unreadable', opening.detail);
      this.seen.refusedStarts += 1;
      this.#repair();
      this.disk.kill();
      opening = await this.#openShard();
    }
    assert.ok(opening.kind === 'open', JSON.stringify(opening));
    this.shard = opening.shard;
    this.#flips = [];
    if (opening.shard.tornTailBytes > 0) this.seen.tornTails += 1;
    if (opening.shard.recovered.checkpoint !== null) this.seen.checkpoints += 1;
    this.disk.heal();
    this.disk.resize(Number.POSITIVE_INFINITY);
    const before = this.model.known.length;
    this.#lost = [...this.#lost, ...(await compare(this))].slice(-20);
    this.seen.resurrected += this.model.known.length - before;
    if (!this.#troubled) return;
    // It looked at the disk when it started, and knows only after the next look that there is room again.
    await this.#lookAgain();
    this.#troubled = false;
  }

  async #lookAgain(): Promise<void> {
    this.clock.advance(1_500);
    await this.shard.buffer.tend();
  }

  #repair(): void {
    for (const { path, at, mask } of this.#flips) this.disk.flip(path, at, mask);
  }

  #openShard() {
    this.#seed += 1;
    return openShard({
      files: this.disk.files(),
      clock: this.clock,
      limits: this.#limits,
      diagnostics: this.alarms,
      seed: this.#seed,
      seams: this.#seams,
      onEvent: (event) => this.#told(event),
    });
  }

  /** The buffer settles by itself only what its rules let it. */
  #told(event: LedgerEvent): void {
    if (event.kind !== 'waybill') return;
    const { waybill: bill } = event;
    if (bill.job < 0) {
      const { ended } = this.model.stream(bill.stream);
      for (let at = bill.range.from; at < bill.range.to; at += 1) ended.add(at);
      return;
    }
    const name = JSON.stringify(bill);
    if (this.#mine.has(name)) return;
    this.#mine.add(name);
    const model = this.model.jobs.get(bill.job);
    assert.ok(model?.closed && bill.counts.dropped.unclaimed, 'only a closed job is settled for');
    model.settle(bill);
  }
}

function effectOf(effect: FaultKind): Effect {
  if (effect === 'stall') return { kind: 'stall', until: turns(STALL_TURNS) };
  if (effect === 'short') return { kind: 'short', bytes: 37 };
  if (effect === 'ENOSPC-partial') return { kind: 'fail', code: 'ENOSPC', afterBytes: 50 };
  return { kind: 'fail', code: effect };
}

/** Far longer than anything takes that is not held up. */
const STALL_TURNS = 400;

async function turns(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await turn();
}

/** Lines of a range by outcome: a few of each kind. */
function outcomeOf({ from, to }: Range, sent: boolean): OutcomeCounts {
  const lines = to - from;
  if (!sent) return { ...NO_LINES, excluded: { filter: lines } };
  const dropped = from % 7 === 0 ? 1 : 0;
  const excluded = lines > 3 && from % 3 === 0 ? 2 : 0;
  return {
    delivered: lines - dropped - excluded,
    excluded: excluded > 0 ? { sample: excluded } : {},
    dropped: dropped > 0 ? { malformed: dropped } : {},
  };
}

function never(): Promise<never> {
  return new Promise(() => {});
}

/** Lets everything run that waits for nothing outside. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
