/** One of two simulated shards: a disk that outlives its threads, and the thread that it has just now. */
import type { ShardWorker } from '../../../src/app/shard/order.ts';
import type { ShardStart } from '../../../src/app/link/link.ts';
import { smallLimits } from '../../../src/buffer/testing.ts';
import { SimDisk } from '../../../src/lib/fs/sim.ts';
import type { Random } from '../../../src/lib/random.ts';
import { limits } from '../../../src/model/limits.ts';
import { SimDeflater } from './deflater.ts';
import { Inside } from './inside.ts';
import type { PairLimits, PairSeams } from './inside.ts';
import { SimThread, workerOf } from './thread.ts';
import type { PairWorld } from './world.ts';

export interface SimShardParts {
  readonly world: PairWorld;
  readonly index: number;
  readonly random: Random;
  readonly seed: number;
  readonly seams: PairSeams;
  readonly isLarge: boolean;
}

/** So small that segments roll and checkpoints are written, or so large that bodies are moved, pooled and deflated ahead. */
function boundsOf(isLarge: boolean): PairLimits {
  const small = isLarge
    ? smallLimits(
        {
          blockLines: 1_000,
          blockBytes: 200_000,
          blockKeys: 64,
          checkpointBytes: 200_000,
          tailCacheBytes: 100_000,
          keyMs: 1e12,
          retentionMs: 1e12,
          holdbackMs: 60_000,
        },
        { segmentBytes: 400_000, commitBytes: 500_000 },
      )
    : smallLimits({ checkpointBytes: 2_000, keyMs: 1e12, retentionMs: 1e12, holdbackMs: 10_000 });
  return {
    shard: {
      ...small,
      segmentFileBytes: isLarge ? 1 << 20 : 8_000,
      recordBytes: isLarge ? 1 << 20 : 1 << 16,
      archiveFileBytes: 1 << 16,
    },
    ingest: { ...limits.ingest, lineBytes: isLarge ? 8_000 : 1_500, heldBytes: 2 << 20 },
    handedBytes: isLarge ? 150_000 : 4_000,
    deliverMs: 2_000,
  };
}

export class SimShard {
  readonly disk: SimDisk;
  readonly deflater: SimDeflater;
  readonly #parts: SimShardParts;
  readonly #limits: PairLimits;
  #lives = 0;
  thread: SimThread | undefined;
  inside: Inside | undefined;

  constructor(parts: SimShardParts) {
    this.#parts = parts;
    this.#limits = boundsOf(parts.isLarge);
    this.disk = new SimDisk({ random: parts.random });
    this.deflater = new SimDeflater(parts.world.wire, parts.world.clock);
  }

  get takesLines(): boolean {
    return this.thread?.isDead === false && this.inside?.ingest !== undefined;
  }

  /** Whether it takes lines and works on no request, whoever may still wait for its answer. */
  get isIdle(): boolean {
    return this.takesLines && this.inside?.ingest?.stats().underWay === 0;
  }

  /** Whether nothing waits for a job. */
  get isDelivered(): boolean {
    const { buffer } = this.inside?.shard ?? {};
    if (!buffer || !this.takesLines) return false;
    return [...buffer.jobs()].every(({ job }) => (buffer.waiting(job)?.lines ?? 0) === 0);
  }

  /** A thread in the place of the one before, which is dead. */
  makeWorker(control: SimThread): ShardWorker {
    const { world, index } = this.#parts;
    const thread = new SimThread(() => this.#dead());
    const { worker, parent } = workerOf(thread, control, world.wire);
    this.thread = thread;
    this.inside = undefined;
    this.#lives += 1;
    const seed = this.#parts.seed + this.#lives * 10 + index;
    return {
      thread: worker,
      order: (start: ShardStart) =>
        thread.whenAwake(() => {
          if (this.thread !== thread) return;
          this.inside = new Inside(structuredClone(start), {
            thread,
            parent,
            files: thread.outside(this.disk.files()),
            clock: thread.clock(world.clock),
            diagnostics: world.log,
            seed,
            limits: this.#limits,
            deflateMany: (...wish) => this.deflater.deflate(...wish),
            sender: world.destination.senderFor(thread, (error) => world.broke(error)),
            seams: this.#parts.seams,
            broke: (error) => world.broke(error),
            handed: () => void (world.seen.handed += 1),
          });
          void this.inside.run();
        }),
    };
  }

  /** @param power whether its disk keeps only what it must */
  crash(power: boolean): void {
    if (this.thread?.isDead === false) {
      this.#parts.world.seen.crashes += 1;
      this.thread.die();
    }
    if (power) this.disk.crash();
  }

  #dead(): void {
    this.inside = undefined;
    this.disk.kill();
  }

  stopAt(calls: number, power: boolean): void {
    const { thread } = this;
    if (!thread || thread.isDead) return;
    void this.disk.stopAt(calls).then(() => {
      if (this.thread === thread) this.crash(power);
    });
  }
}
