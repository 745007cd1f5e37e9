/** A shard with many streams and jobs on a small disk, and time that passes as a test says: for space and ages. */
import assert from 'node:assert/strict';

import type { AppendResult, RecordResult } from '../../src/buffer/index.ts';
import { linesOf, planOf, smallLimits, waybill } from '../../src/buffer/testing.ts';
import { manualClock } from '../../src/lib/clock-manual.ts';
import { FsError } from '../../src/lib/fs/file-system.ts';
import { SimDisk } from '../../src/lib/fs/sim.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { hourOf } from '../../src/model/delivery.ts';
import { limits } from '../../src/model/limits.ts';
import { Alarms, openShard, SHARD } from './shard.ts';
import type { Shard, SimLimits } from './shard.ts';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export interface RigOptions {
  readonly diskBytes?: number;
  readonly segmentBytes: number;
  readonly archiveApart?: boolean;
  readonly buffer?: Partial<SimLimits['buffer']>;
}

/** The product's limits of time and shares; sizes as small as the disk. */
function rigLimits({ buffer, segmentBytes }: RigOptions): SimLimits {
  const { holdbackMs, holdbackShare, highWatermark, lowWatermark, retentionMs } = limits.buffer;
  const small = smallLimits(
    {
      holdbackMs,
      holdbackShare,
      highWatermark,
      lowWatermark,
      retentionMs,
      blockLines: 1_000,
      blockBytes: 100_000,
      spanBlocks: 10_000,
      checkpointBytes: segmentBytes,
      newStreamsBurst: 1e6,
      ...buffer,
    },
    { segmentBytes, commitBytes: 1 << 20 },
  );
  return {
    ...small,
    segmentFileBytes: segmentBytes * 2,
    recordBytes: 1 << 20,
    archiveFileBytes: 1 << 20,
  };
}

export class Rig {
  readonly clock = manualClock();
  readonly disk: SimDisk;
  /** The archive's space is another matter: it grows by 90 days of waybills, whatever becomes of lines. */
  readonly #archiveDisk = new SimDisk({ random: seededRandom(4) });
  readonly alarms = new Alarms();
  readonly #limits: SimLimits;
  readonly #archiveApart: boolean;
  readonly #random = seededRandom(5);
  shard!: Shard;
  #starts = 0;

  constructor(options: RigOptions) {
    this.#limits = rigLimits(options);
    this.#archiveApart = options.archiveApart ?? false;
    const totalBytes = options.diskBytes ?? Number.POSITIVE_INFINITY;
    this.disk = new SimDisk({ random: seededRandom(3), totalBytes });
  }

  get buffer(): Shard['buffer'] {
    return this.shard.buffer;
  }

  async open(): Promise<void> {
    this.#starts += 1;
    const outcome = await openShard({
      files: this.disk.files(),
      ...(this.#archiveApart && { archiveFiles: this.#archiveDisk.files() }),
      clock: this.clock,
      limits: this.#limits,
      diagnostics: this.alarms,
      seed: this.#starts,
    });
    assert.ok(outcome.kind === 'open', JSON.stringify(outcome));
    this.shard = outcome.shard;
  }

  async close(): Promise<void> {
    await this.shard.buffer.close();
    await this.shard.archive.close();
  }

  /** What a server does once a second. */
  async tend(): Promise<void> {
    this.clock.advance(1_000);
    try {
      await this.buffer.tend();
      await this.shard.archive.flush();
    } catch (error) {
      // The server says so, and tries again a second later.
      if (!(error instanceof FsError)) throw error;
    }
  }

  async openJob(id: number, stream: string, account = 'a1'): Promise<void> {
    assert.equal((await this.buffer.openJob(id, stream, account, 'head')).kind, 'durable');
  }

  /** A request of lines that no compression makes smaller. */
  append(stream: string, bytes: number, account = 'a1'): Promise<AppendResult> {
    const text = this.#random.bytes(Math.ceil(bytes / 2)).toString('latin1');
    const line = `{"${text.replaceAll(/[\n"\\]/g, '.')}"}`;
    return this.buffer.append({ stream, account, lines: linesOf([line]) });
  }

  appendLines(stream: string, count: number): Promise<AppendResult> {
    const lines = Array.from({ length: count }, (_, index) => `{"n":${index}}`);
    return this.buffer.append({ stream, account: 'a1', lines: linesOf(lines) });
  }

  /** Plans and settles a job's next lines of one hour. Undefined when nothing waits. */
  async settleNext(id: number): Promise<RecordResult | undefined> {
    const job = this.buffer.job(id)!;
    const [first] = await this.buffer.peek(job.stream, job.cursor, 1);
    if (first === undefined) return undefined;
    const hour = hourOf(first.receivedMs);
    let to = job.cursor;
    for (const block of await this.buffer.peek(job.stream, job.cursor, 500)) {
      if (hourOf(block.receivedMs) === hour) to = block.range.to;
    }
    const range = { from: job.cursor, to };
    const plan = job.open[0] ?? planOf(job, range, first.receivedMs);
    if (job.open.length === 0) {
      const planned = await this.buffer.plan(id, [plan]);
      if (planned.kind === 'failed') return planned;
    }
    const bill = waybill(job, plan.range, plan.receivedMs.first, { plan: plan.id });
    return this.buffer.settle(bill);
  }

  /** Bytes of log and checkpoints. */
  async used(): Promise<number> {
    let used = 0;
    for (const folder of ['log', 'buffer']) {
      for (const name of await this.disk.files().list(`${SHARD}/${folder}`)) {
        used += this.disk.content(`${SHARD}/${folder}/${name}`)?.length ?? 0;
      }
    }
    return used;
  }

  waitingLines(ids: Iterable<number>): number {
    let lines = 0;
    for (const id of ids) lines += this.buffer.waiting(id)?.lines ?? 0;
    return lines;
  }
}
