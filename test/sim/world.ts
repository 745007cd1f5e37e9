/** A shard on the simulated disk and the model beside it: runs actions on both, and compares after each restart. */
import assert from 'node:assert/strict';

import type { LedgerEvent } from '../../src/buffer/index.ts';
import { smallLimits } from '../../src/buffer/testing.ts';
import { manualClock } from '../../src/lib/clock-manual.ts';
import type { FileSystem } from '../../src/lib/fs/file-system.ts';
import { SimDisk } from '../../src/lib/fs/sim.ts';
import type { Effect } from '../../src/lib/fs/sim.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { hourOf } from '../../src/model/delivery.ts';
import type { Action, Death, FaultKind } from './actions.ts';
import { STREAMS } from './actions.ts';
import { compare, readStream } from './compare.ts';
import { Jobs } from './jobs.ts';
import { Model } from './model.ts';
import { Producers } from './producers.ts';
import { Seen } from './seen.ts';
import { Alarms, openShard, SHARD } from './shard.ts';
import type { Seams, Shard, SimLimits } from './shard.ts';
import { turn } from './turn.ts';

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
  readonly limits: SimLimits;
  readonly #seams: Seams;
  readonly #producers = new Producers(this);
  readonly #jobs = new Jobs(this);
  shard!: Shard;
  /** Whether anything has decayed: from then on the model follows where it else would insist. */
  decayed = false;
  /** Bits that decayed since the last start. */
  #flips: Flip[] = [];
  /** Counts lives: what a dead process is answered is an error. */
  life = 0;
  #seed: number;
  #tending: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  #deaths: readonly Death[] = [];
  #troubled = false;
  /** What the model said of an event that the shard told. */
  #broken: Error | undefined;
  refusedLines = 0;

  constructor(seed: number, seams: Seams = {}, limits = simLimits()) {
    this.#seed = seed * 1_000;
    this.#seams = seams;
    this.limits = limits;
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
    await this.#run(action);
    if (this.#broken) throw this.#broken;
  }

  async #run(action: Action): Promise<void> {
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
        return this.#producers.appendAll(action.requests, action.watch);
      case 'repeat':
        return this.#producers.repeat(action.pick);
      case 'open':
        return this.#jobs.open(action.job, STREAMS[action.stream]!, action.oldest);
      case 'close':
        return this.#jobs.close(action.job);
      case 'plan':
        await this.#jobs.plan(action.job, action.skip, action.count);
        return undefined;
      case 'settle':
        return this.#jobs.settle(action.job, action.pick, action.count);
      case 'work':
        return this.#jobs.work(action.job, action.count);
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
    await this.#producers.append({ stream: 0, lines: 1, pad: 0, identity: 'none' });
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
      await this.#producers.append({ stream: index, lines: 1, pad: 0, identity: 'none' });
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
    this.life += 1;
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

  /** Opens it; where a fault that was planned is in the way, once more without any. */
  async #open(): ReturnType<typeof openShard> {
    const opening = await this.#openShard();
    if (opening.kind === 'open' || opening.why !== 'failed' || !this.#troubled) return opening;
    this.disk.heal();
    this.disk.resize(Number.POSITIVE_INFINITY);
    this.disk.kill();
    return this.#openShard();
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
    let opening = await this.#open();
    if (opening.kind === 'refused' && this.#flips.length > 0) {
      // A clear refusal: an operator brings back what decayed.
      assert.equal(opening.why, 'unreadable', opening.detail);
      this.seen.refusedStarts += 1;
      this.#repair();
      this.disk.kill();
      opening = await this.#open();
    }
    assert.ok(opening.kind === 'open', JSON.stringify(opening));
    this.shard = opening.shard;
    this.#flips = [];
    if (opening.shard.tornTailBytes > 0) this.seen.tornTails += 1;
    if (opening.shard.recovered.checkpoint !== null) this.seen.checkpoints += 1;
    this.disk.heal();
    this.disk.resize(Number.POSITIVE_INFINITY);
    const before = this.model.known.length;
    this.#producers.lost(await compare(this));
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

  /** What the model says to that is told by the action that it came with: the shard itself goes on. */
  #told(event: LedgerEvent): void {
    try {
      this.#jobs.told(event);
    } catch (error) {
      this.#broken ??= error instanceof Error ? error : new Error(String(error));
    }
  }

  #openShard() {
    this.#seed += 1;
    return openShard({
      files: this.disk.files(),
      clock: this.clock,
      limits: this.limits,
      diagnostics: this.alarms,
      seed: this.#seed,
      seams: this.#seams,
      onEvent: (event) => this.#told(event),
    });
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

function never(): Promise<never> {
  return new Promise(() => {});
}
