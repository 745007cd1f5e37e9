/**
 * Two shards of one process, each on a simulated disk of its own, with one clock, the control thread that watches them, and
 * whoever sends lines to them and takes lines from them. What runs is the server's: ingest, hand-over, buffers, delivery, and the
 * supervision of threads; simulated are threads, ports, disks, connections and destinations.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

import { superviseShards } from '../../../src/app/shards/shards.ts';
import type { Shards } from '../../../src/app/shards/shards.ts';
import { manualClock } from '../../../src/lib/clock-manual.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import type { Random } from '../../../src/lib/random.ts';
import type { Config } from '../../../src/model/settings.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import { readLines } from '../compare.ts';
import { turn } from '../turn.ts';
import { SHARDS, WANTED_AT_FIRST, ZONES } from './actions.ts';
import type { PairAction } from './actions.ts';
import { Clients } from './clients.ts';
import { snapshotOf } from './config.ts';
import { Destination } from './destination.ts';
import type { PairSeams } from './inside.ts';
import { Log } from './log.ts';
import { PairModel } from './model.ts';
import { PairSeen } from './seen.ts';
import { SimShard } from './shard.ts';
import { SimThread } from './thread.ts';
import { Wire } from './wire.ts';

/** A trip to the thread pool and back, behind what was sent there before. */
const poolTurn = promisify(randomBytes);

/** Steps in which time passes, so that what is said in one is heard in the next. */
const STEP_MS = 500;
/** Turns in which everything is done that waits for nothing outside, as a rule. */
const CALM_TURNS = 12;
/** Longer than a shard that failed again and again waits, and than a job does. */
const PATIENCE_MS = 6 * 60_000;

export class PairWorld {
  readonly clock = manualClock();
  readonly model = new PairModel();
  readonly seen = new PairSeen();
  readonly log = new Log();
  readonly wire: Wire;
  readonly shards: readonly SimShard[];
  readonly destination: Destination;
  readonly clients: Clients;
  readonly #random: Random;
  #control = new SimThread();
  #supervisor: Shards | undefined;
  #wanted = WANTED_AT_FIRST;
  #snapshot: Snapshot = snapshotOf(1, WANTED_AT_FIRST);
  #broken: Error | undefined;

  constructor(seed: number, seams: PairSeams = {}, isLarge = false) {
    const random = (n: number) => seededRandom(seed * 31 + n);
    this.#random = random(1);
    this.wire = new Wire(random(2));
    this.destination = new Destination(this.model, random(3));
    this.clients = new Clients(this, random(4));
    const parts = { world: this, seams, isLarge };
    this.shards = Array.from(
      { length: SHARDS },
      (_, index) =>
        new SimShard({ ...parts, index, random: random(5 + index), seed: seed * 1_000 }),
    );
  }

  /** A claim does not hold. */
  broke(error: unknown): void {
    this.#broken ??= error instanceof Error ? error : new Error(String(error));
  }

  async start(): Promise<void> {
    this.#begin();
    await this.#calm(() => this.shards.every(({ inside }) => inside?.ingest !== undefined));
  }

  async run(action: PairAction): Promise<void> {
    this.seen.steps += 1;
    await this.#act(action);
    // What comes next may meet the midst of this.
    if (this.#random.fraction() < 0.5) await this.#rest();
    else await this.#turns(this.wire.below(CALM_TURNS));
    this.#assertWell();
  }

  async #act(action: PairAction): Promise<void> {
    switch (action.kind) {
      case 'post':
        for (const post of action.posts) this.clients.post(post);
        return undefined;
      case 'again':
        return this.clients.again(action.pick, action.shard, action);
      case 'want':
        return this.#want();
      case 'look':
        return this.#look(this.shards[action.shard]!);
      case 'pass':
        return this.#pass(action.ms);
      case 'turns':
        return this.#turns(action.count);
      case 'hang':
        this.seen.hangs += 1;
        return this.shards[action.shard]!.thread?.hang();
      case 'goOn':
        return this.shards[action.shard]!.thread?.goOn();
      case 'crash':
        return this.shards[action.shard]!.crash(action.power);
      case 'stop':
        return this.shards[action.shard]!.stopAt(action.calls, action.power);
      case 'drain':
        return this.#drain(action.waitMs);
      case 'cut':
        return this.#cut(action.power);
      case 'fault': {
        const { code, shard, ...fault } = action;
        return this.shards[shard]!.disk.plan({ ...fault, effect: { kind: 'fail', code } });
      }
      case 'heal':
        for (const { disk } of this.shards) disk.heal();
        return undefined;
      case 'deflater':
        return this.shards[action.shard]!.deflater.set(action.comes);
      case 'receiver':
        this.destination.mood = action.mood;
        return undefined;
    }
  }

  /** Everything is well again: each request gets its answer, each line is delivered, and all of it is as it was told. */
  async end(): Promise<void> {
    this.destination.mood = 'takes';
    for (const { disk, thread } of this.shards) {
      disk.heal();
      void disk.stopAt(Number.POSITIVE_INFINITY);
      thread?.goOn();
    }
    await this.#until(
      () => this.clients.underWay.size === 0 && this.shards.every((shard) => shard.isIdle),
      'requests are answered and shards run',
    );
    await this.#until(() => this.shards.every((shard) => shard.isDelivered), 'lines are delivered');
    for (const shard of this.shards) {
      await this.#look(shard);
      const { ingest, peers } = shard.inside!;
      assert.equal(ingest!.stats().heldBytes, 0, 'no memory is charged for bodies that are gone');
      assert.equal(peers.waitingBytes, 0, 'nothing is under way between shards');
    }
    for (const stream of this.model.streams) {
      const heads = this.shards.flatMap(
        (shard) => shard.inside!.shard!.buffer.stream(stream) ?? [],
      );
      assert.ok(heads.length <= 1, `${stream} lies in one shard`);
      this.model.assertWhole(stream, heads[0]?.head ?? 0);
      this.destination.assertAll(stream, heads[0]?.head ?? 0);
    }
    this.#assertWell();
  }

  #assertWell(): void {
    if (this.#broken !== undefined) throw this.#broken;
    assert.deepEqual(this.log.faults, [], 'no fault of our own');
  }

  /** A process: control thread and shards. */
  #begin(): void {
    const control = new SimThread();
    this.#control = control;
    const random = this.#random;
    const supervisor = superviseShards({
      start: { instance: `run-${Math.floor(random.fraction() * 1e9)}`, config: CONFIG },
      paths: this.shards.map(() => ({ log: '', buffer: '', archive: '' })),
      workers: this.shards.map((shard) => shard.makeWorker(control)),
      makeWorker: (shard) => this.shards[shard]!.makeWorker(control),
      makeWay: () => this.wire.way() as never,
      snapshot: () => this.#snapshot,
      tls: () => undefined,
      watches: () => [],
      onState: (_, state) => void (this.seen.hung += state === 'hung' ? 1 : 0),
      supervisor: {
        beat() {},
        alarm() {},
        attempts() {},
        tapped() {},
        keep: (entries) => {
          if (random.fraction() < 0.2) return random.fraction() < 0.5 ? 'full' : 'failed';
          for (const { bytes } of entries) this.model.kept.add(Buffer.from(bytes).toString());
          return 'kept';
        },
        keepNewest() {},
      },
      clock: control.clock(this.clock),
      diagnostics: this.log,
    });
    this.#supervisor = supervisor;
    void supervisor
      .start()
      .then((outcome) => {
        if (outcome.kind === 'ready' || control.isDead) return;
        assert.doesNotMatch(outcome.detail, /lies in shard/);
        // The process has ended with that, and whoever watches it starts it again.
        for (const { disk } of this.shards) disk.heal();
        this.#cut(false);
      })
      .catch((error: unknown) => this.broke(error));
  }

  #want(): void {
    if (this.#wanted >= ZONES) return;
    this.#wanted += 1;
    this.#snapshot = snapshotOf(this.#snapshot.version + 1, this.#wanted);
    // Not waited for: a shard that hangs takes it when it runs again.
    void this.#supervisor!.publish(this.#snapshot);
  }

  async #drain(waitMs: number): Promise<void> {
    this.seen.drains += 1;
    const drained = this.#supervisor!.drain(waitMs).then(() => true);
    let isDone = false;
    void drained.then(() => (isDone = true));
    for (let passed = 0; !isDone && passed < 60_000; passed += STEP_MS) await this.#pass(STEP_MS);
    this.#cut(false);
  }

  #cut(power: boolean): void {
    this.seen.cuts += 1;
    this.#control.die();
    for (const shard of this.shards) shard.crash(power);
    this.#begin();
  }

  /** Reads all streams of a shard, if it answers. */
  async #look({ inside, thread }: SimShard): Promise<void> {
    const buffer = inside?.shard?.buffer;
    if (!buffer || !thread || thread.isDead || thread.hangs || !inside.ingest) return;
    const reading = async (): Promise<void> => {
      for (const { stream, epoch, oldest } of buffer.streams()) {
        const texts = await readLines(buffer, stream, oldest, 1 << 20);
        for (const [index, text] of texts.entries()) {
          assert.ok(text !== null, `${stream} line ${oldest + index} can be read`);
          this.model.saw(stream, epoch, oldest + index, [text]);
        }
        this.model.assertHead(stream, buffer.stream(stream)!.head);
      }
      this.seen.looks += 1;
    };
    await Promise.race([reading(), thread.died, this.#turns(400)]);
  }

  async #pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.clock.advance(Math.min(left, STEP_MS));
      await this.#rest();
    }
  }

  /**
   * Lets everything be done that waits for nothing outside. Compressing goes through the real thread pool, as nothing else here does:
   * simulated time must not run away from it.
   */
  async #rest(): Promise<void> {
    await poolTurn(1);
    await this.#turns(CALM_TURNS);
    for (const { thread } of this.shards) {
      assert.ok(!thread?.spins, 'a shard waits before it tries again');
      thread?.rested();
    }
  }

  async #turns(count: number): Promise<void> {
    for (let left = count; left > 0; left -= 1) await turn();
  }

  /** Turns until something holds. */
  async #calm(holds: () => boolean): Promise<void> {
    for (let left = 20_000; !holds(); left -= 1) {
      assert.ok(left > 0, 'a start comes to its end');
      await turn();
    }
  }

  /** What a failure says of who waits for whom. */
  #standing(): string {
    const shards = this.shards.map(({ inside, thread }) => ({
      isDead: thread?.isDead,
      hangs: thread?.hangs,
      ingest: inside?.ingest?.stats(),
      handedBytes: inside?.peers.waitingBytes,
    }));
    return JSON.stringify({ underWay: this.clients.underWay.size, shards });
  }

  async #until(holds: () => boolean, what: string): Promise<void> {
    for (let passed = 0; !holds(); passed += STEP_MS) {
      assert.ok(passed < PATIENCE_MS, `in time ${what}: ${this.#standing()}`);
      await this.#pass(STEP_MS);
      this.#assertWell();
    }
  }
}

const CONFIG = { ingest: { port: 1 } } as Config;
