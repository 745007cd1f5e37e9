/** What runs in a simulated shard's thread: what `shard.worker.ts` puts together, over a simulated outside. */
import assert from 'node:assert/strict';
import type { MessagePort } from 'node:worker_threads';

import { contentOf } from '../../../src/app/shard/snapshot-parts.ts';
import { appendBehindCursors } from '../../../src/app/shard/append.ts';
import { quarantined } from '../../../src/app/shard/quarantined.ts';
import { storeHanded } from '../../../src/app/shard/handed-lines.ts';
import { InForce } from '../../../src/app/shard/in-force.ts';
import type {
  ShardMethods,
  ShardReady,
  ShardStart,
  SupervisorMethods,
} from '../../../src/app/link/link.ts';
import { inflateBlockHere } from '../../../src/buffer/index.ts';
import type { ShardBuffer } from '../../../src/buffer/index.ts';
import { createDelivery } from '../../../src/deliver/index.ts';
import type { Delivery } from '../../../src/deliver/index.ts';
import { createIngest } from '../../../src/ingest/index.ts';
import type { Ingest, IngestLimits } from '../../../src/ingest/index.ts';
import type { Sender } from '../../../src/destinations/index.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import type { DeflateMany } from '../../../src/lib/deflate-many/contract.ts';
import type { Diagnostics } from '../../../src/lib/diagnostics.ts';
import { FsError } from '../../../src/lib/fs/file-system.ts';
import type { FileSystem } from '../../../src/lib/fs/file-system.ts';
import { HeldElsewhere } from '../../../src/lib/held-elsewhere.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { connect } from '../../../src/lib/rpc.ts';
import { limits } from '../../../src/model/limits.ts';
import { Peers } from '../../../src/peers/index.ts';
import type { PeersDeps } from '../../../src/peers/contract.ts';
import type { IngestDeps } from '../../../src/ingest/index.ts';
import { openShard } from '../shard.ts';
import type { Seams, Shard, SimLimits } from '../shard.ts';
import type { SimThread } from './thread.ts';
import type { SimPort } from './wire.ts';

/** Where a bug can be planted between shards: each is handed the real part and gives back what stands in for it. */
export interface PairSeams {
  readonly shard?: (shard: number) => Seams;
  /** How lines of others are stored. */
  readonly store?: (store: PeersDeps['store'], buffer: () => ShardBuffer) => PeersDeps['store'];
  /** How lines go to others. */
  readonly foreign?: (
    append: NonNullable<IngestDeps['foreign']>['append'],
  ) => NonNullable<IngestDeps['foreign']>['append'];
}

export interface PairLimits {
  readonly shard: SimLimits;
  readonly ingest: IngestLimits;
  /** Plain bytes that one shard may have before it from the other. */
  readonly handedBytes: number;
  readonly deliverMs: number;
}

export interface Outside {
  readonly thread: SimThread;
  readonly parent: SimPort;
  /** As the thread has them. */
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  /** Of epochs and the like. */
  readonly seed: number;
  readonly limits: PairLimits;
  readonly deflateMany: DeflateMany;
  readonly sender: Sender;
  readonly seams: PairSeams;
  readonly broke: (error: unknown) => void;
  /** Told of each part that the other shard hands over. */
  readonly handed: () => void;
}

/** Methods of a shard that the control thread calls in a simulation. */
type Simulated = Pick<
  ShardMethods,
  'apply' | 'applyDelta' | 'peer' | 'peerHangs' | 'watch' | 'backlogsElsewhere' | 'drain'
>;

const BEAT_MS = limits.watch.beatMs;
const TEND_MS = 1_000;

export class Inside {
  readonly #start: ShardStart;
  readonly #outside: Outside;
  readonly #inForce: InForce;
  readonly #supervisor: ReturnType<typeof connect<Simulated, SupervisorMethods>>;
  readonly peers: Peers;
  shard: Shard | undefined;
  delivery: Delivery | undefined;
  /** Once it takes lines. */
  ingest: Ingest | undefined;

  constructor(start: ShardStart, outside: Outside) {
    this.#start = start;
    this.#outside = outside;
    this.#inForce = new InForce({
      start,
      delivery: () => this.delivery,
      came() {},
      clock: outside.clock,
    });
    this.peers = new Peers(this.#peersDeps());
    this.#supervisor = connect<Simulated, SupervisorMethods>(
      outside.parent as unknown as MessagePort,
      {
        apply: (...newer) => this.#inForce.apply(...newer),
        applyDelta: (...delta) => this.#inForce.applyDelta(...delta),
        peer: (shard, port) => this.peers.join(shard, port),
        peerHangs: (shard, hangs) => this.peers.hangs(shard, hangs),
        watch() {},
        backlogsElsewhere() {},
        drain: (waitMs) => this.#orDie(this.#drain(waitMs)),
      },
    );
  }

  #peersDeps(): PeersDeps {
    const { diagnostics, limits: bounds, seams, thread } = this.#outside;
    const store: PeersDeps['store'] = (...handed) => {
      this.#outside.handed();
      return storeHanded(
        {
          shard: () => {
            const { delivery, ingest, shard } = this;
            if (!delivery || !ingest || !shard) return undefined;
            return { buffer: shard.buffer, delivery, ingest, passedThrough: { note() {} } };
          },
          wants: (stream) => this.#inForce.wants(stream),
          inForce: () => this.#inForce.settled(),
          diagnostics,
        },
        ...handed,
      );
    };
    return {
      store: seams.store?.(store, () => this.shard!.buffer) ?? store,
      regain: (memory) => this.ingest?.regain(memory),
      mostBytes: bounds.handedBytes,
      atTurnEnd: (work) => void setImmediate(() => thread.whenAwake(work)),
    };
  }

  run(): Promise<void> {
    return this.#orDie(this.#run());
  }

  /** A failure of the disk that nobody bears ends the thread, and with it the simulation's own errors are told. */
  async #orDie(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof FsError)) this.#outside.broke(error);
      this.#outside.thread.die();
    }
  }

  async #run(): Promise<void> {
    const { clock, files, diagnostics, seed, seams, limits: bounds, deflateMany } = this.#outside;
    const { shard } = this.#start;
    const opening = await openShard({
      files,
      clock,
      limits: bounds.shard,
      diagnostics,
      seed,
      deflateMany,
      ...(seams.shard && { seams: seams.shard(shard) }),
    });
    // Nothing decays here.
    assert.ok(opening.kind === 'open' || opening.why !== 'unreadable', JSON.stringify(opening));
    if (opening.kind !== 'open') return this.#started({ kind: 'refused', detail: opening.detail });
    this.shard = opening.shard;
    const { buffer } = opening.shard;
    this.delivery = this.#makeDelivery(buffer);
    const own = [...buffer.streams()].map(({ stream }) => stream);
    try {
      this.#inForce.owners.learn(await this.#supervisor.remote.join(own));
    } catch (error) {
      return this.#started({ kind: 'refused', detail: String(error) });
    }
    await this.#inForce.begin();
    this.#tendEvery(opening.shard, this.delivery);
    clock.every(BEAT_MS, () => this.#beat());
    const ingest = this.#makeIngest(buffer, this.delivery);
    await this.#supervisor.remote.listenAt();
    this.ingest = ingest;
    this.#started({
      kind: 'ready',
      host: 'sim',
      port: 1,
      streams: own.length,
      jobs: 0,
      durability: 'disk',
    });
  }

  #started(outcome: ShardReady): void {
    this.#supervisor.notify('started', outcome);
  }

  #beat(): void {
    const { shard } = this.#start;
    const { version } = this.#inForce.snapshot;
    const beat = { shard, pass: 1, version, corruptLines: 0, diskUsedShare: 0, streams: [] };
    this.#supervisor.notify('beat', beat);
  }

  #makeDelivery(buffer: ShardBuffer): Delivery {
    const { clock, diagnostics, limits: bounds, seed, sender } = this.#outside;
    return createDelivery({
      buffer,
      openSender: () => Promise.resolve(sender),
      describe: (job) => ({ fingerprint: job.destinationConf }),
      inflateBlock: async (block) => inflateBlockHere(block),
      compileContent: () => 'whole',
      contentOf: (id, version) => contentOf(this.#inForce.snapshot, id, version),
      keepLines: () => Promise.resolve(),
      onAttempt() {},
      clock,
      random: seededRandom(seed),
      diagnostics,
      limits: { ...limits.deliver, openPlans: bounds.shard.buffer.openPlans },
      intervalMs: bounds.deliverMs,
    });
  }

  #makeIngest(buffer: ShardBuffer, delivery: Delivery): Ingest {
    const { clock, diagnostics, limits: bounds, seed, seams } = this.#outside;
    const { held, instance, shard } = this.#start;
    const append: NonNullable<IngestDeps['foreign']>['append'] = (...handed) =>
      this.peers.append(...handed);
    return createIngest({
      route: () => this.#inForce.route,
      append: (request) => appendBehindCursors({ buffer, delivery }, request),
      cut: (lines) => buffer.cut(lines),
      foreign: {
        ownerOf: (stream) => this.#inForce.owners.foreignOwner(stream),
        append: seams.foreign?.(append) ?? append,
      },
      heldElsewhere: new HeldElsewhere(held, shard),
      countRefusal: (entry) => buffer.countRefusal(entry),
      keepLines: (entry) => this.#supervisor.remote.keep(quarantined(entry, clock.wallMs())),
      durability: buffer.durability,
      instance,
      keysReachBackMs: () => bounds.shard.buffer.keyMs,
      clock,
      random: seededRandom(seed + 1),
      diagnostics,
      limits: bounds.ingest,
    });
  }

  #tendEvery({ archive, buffer }: Shard, delivery: Delivery): void {
    let isUnderWay = false;
    this.#outside.clock.every(TEND_MS, () => {
      if (isUnderWay) return;
      isUnderWay = true;
      delivery.tend();
      void (async () => {
        try {
          await buffer.tend();
          await archive.flush();
        } catch {
          // As in the server: said, and tried again.
        } finally {
          isUnderWay = false;
        }
      })();
    });
  }

  async #drain(waitMs: number): Promise<void> {
    const { shard, ingest, delivery } = this;
    const giveUp = new AbortController();
    this.#outside.clock.after(waitMs, () => giveUp.abort());
    if (shard && ingest && delivery) {
      shard.buffer.drain();
      const cutOff = new Promise<void>((resolve) =>
        giveUp.signal.addEventListener('abort', () => resolve(), { once: true }),
      );
      await Promise.race([ingest.close(), cutOff]);
      await delivery.drain(giveUp.signal);
      await delivery.close();
      await shard.buffer.close();
      await shard.archive.close();
    }
    this.peers.flush();
    this.#outside.thread.die();
  }
}
