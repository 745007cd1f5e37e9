/** Shared by the tests of the buffer: a clock that is moved by hand, limits so small that edges come early, a small shard. */
import assert from 'node:assert/strict';
import { constants, crc32, deflateRawSync } from 'node:zlib';

import type { Cancel, Clock } from '../lib/clock.ts';
import { silent } from '../lib/diagnostics.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import { SimDisk } from '../lib/fs/sim.ts';
import { seededRandom } from '../lib/random.ts';
import { limits } from '../model/limits.ts';
import { memoryLog, memoryStore, openFilesLog } from '../log/index.ts';
import type { MemoryStore, Position, ShardLog } from '../log/index.ts';
import { hourOf, NO_LINES } from '../model/delivery.ts';
import type { OutcomeCounts, Plan, Range, Waybill } from '../model/delivery.ts';
import type {
  AppendRequest,
  JobState,
  LedgerEvent,
  LedgerSink,
  Lines,
  RequestIdentity,
  ShardBuffer,
} from './contract.ts';
import { knownEnd } from './checkpoint/checkpoints.ts';
import type { BufferDeps, BufferLimits } from './deps.ts';
import { inflateBlock } from './inflate.ts';
import { openBuffer } from './open.ts';
import type { OpenBufferOutcome } from './open.ts';

export const STREAM = 'zones/z1/http_requests';
export const HOUR_MS = 3_600_000;

/** Time stands still until it is moved. */
export class HandClock implements Clock {
  wall = Date.UTC(2026, 10, 23, 6);
  monotonic = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly fire: () => void }>();

  wallMs(): number {
    return this.wall;
  }

  monotonicMs(): number {
    return this.monotonic;
  }

  after(delayMs: number, fire: () => void): Cancel {
    const timer = { atMs: this.monotonic + delayMs, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  every(): Cancel {
    throw new Error('nobody here asks for it');
  }

  sleep(): Promise<void> {
    throw new Error('nobody here asks for it');
  }

  /** Lets time pass on both clocks. */
  pass(ms: number): void {
    this.wall += ms;
    this.monotonic += ms;
    for (const timer of this.#timers) {
      if (timer.atMs > this.monotonic) continue;
      this.#timers.delete(timer);
      timer.fire();
    }
  }
}

/** The product's limits with the given ones instead. */
export function smallLimits(
  buffer: Partial<BufferLimits['buffer']> = {},
  log: Partial<BufferLimits['log']> = {},
): BufferLimits {
  return {
    log: { segmentBytes: 4_000, commitBytes: 100_000, ...log },
    buffer: {
      ...limits.buffer,
      blockLines: 10,
      blockBytes: 2_000,
      blockKeys: 4,
      checkpointBytes: 3_000,
      spanBlocks: 40,
      lowWatermark: 2,
      highWatermark: 3,
      reserveBytes: 0,
      tailCacheBytes: 2_000,
      ...buffer,
    },
  };
}

/** A ledger sink that remembers what it was told, and what of it was synced. */
export class MemoryLedger implements LedgerSink {
  readonly events: LedgerEvent[] = [];
  synced = 0;

  record(event: LedgerEvent): void {
    this.events.push(event);
  }

  async sync(): Promise<void> {
    this.synced = this.events.length;
  }
}

export function linesOf(texts: readonly string[]): Lines {
  const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
  let end = 0;
  const ends = Uint32Array.from(texts, (text) => (end += Buffer.byteLength(text) + 1));
  return { bytes, ends };
}

export function request(
  texts: readonly string[],
  more: Partial<AppendRequest> = {},
): AppendRequest {
  return { stream: STREAM, account: 'a1', lines: linesOf(texts), ...more };
}

/** A request's lines as a sender that packs more than the buffer does has deflated them. */
export function withDeflated(plain: AppendRequest): AppendRequest {
  const { bytes } = plain.lines;
  const fragment = deflateRawSync(bytes, { level: 9, finishFlush: constants.Z_SYNC_FLUSH });
  return { ...plain, deflated: { fragment, crc: crc32(bytes) } };
}

export function key(name: string): RequestIdentity {
  const hash = Buffer.alloc(16);
  hash.write(name);
  return { kind: 'key', hash };
}

/** Numbered lines, told apart by what they say. */
export function texts(count: number, from = 0, pad = 0): string[] {
  return Array.from({ length: count }, (_, index) => `{"n":${from + index}${' '.repeat(pad)}}`);
}

/** A shard over memory or a simulated disk that can be opened again and again. */
export class TestShard {
  readonly clock = new HandClock();
  readonly disk: SimDisk;
  readonly limits: BufferLimits;
  readonly store: MemoryStore | undefined;
  ledger = new MemoryLedger();
  deps: Partial<BufferDeps> = {};
  seed = 1;

  constructor(limits: BufferLimits = smallLimits(), kind: 'memory' | 'disk' = 'memory') {
    this.limits = limits;
    this.disk = new SimDisk({ random: seededRandom(7) });
    this.store = kind === 'memory' ? memoryStore() : undefined;
  }

  async log(files: FileSystem = this.disk.files()): Promise<ShardLog> {
    const recordBytes = limits.log.recordBytes;
    if (this.store !== undefined) {
      return memoryLog({ recordBytes, capacityBytes: Infinity, store: this.store });
    }
    const known = await knownEnd(files, '/data/buffer');
    const outcome = await openFilesLog({
      ...(known === undefined ? {} : { knownEnd: known as Position }),
      files,
      directory: '/data/log',
      clock: this.clock,
      diagnostics: silent,
      recordBytes,
      segmentBytes: this.limits.log.segmentBytes * 4,
      commitBytes: 1 << 20,
      openSegments: 2,
    });
    assert.ok(outcome.kind === 'open', JSON.stringify(outcome));
    return outcome.log;
  }

  async tryOpen(log?: ShardLog): Promise<OpenBufferOutcome> {
    return openBuffer({
      log: log ?? (await this.log()),
      files: this.disk.files(),
      directory: '/data/buffer',
      clock: this.clock,
      random: seededRandom(this.seed++),
      diagnostics: silent,
      ledger: this.ledger,
      limits: this.limits,
      ...this.deps,
    });
  }

  async open(log?: ShardLog): Promise<ShardBuffer> {
    const outcome = await this.tryOpen(log);
    assert.ok(outcome.kind === 'open', JSON.stringify(outcome));
    return outcome.buffer;
  }

  /** Takes the last records of a log in memory away, as if they had never become durable. */
  cutTo(position: Position): void {
    assert.ok(this.store);
    this.store.records = this.store.records.filter((record) => record.position < position);
    this.store.end = position;
  }
}

/** All lines of a stream from `from` on, with gaps told as `gap:<from>-<to>`. */
export async function readAll(
  buffer: ShardBuffer,
  stream = STREAM,
  from = 0,
  atOnce = 5_000,
): Promise<string[]> {
  const found: string[] = [];
  let offset = from;
  for (;;) {
    const answer = await buffer.read(stream, offset, atOnce);
    if (answer.kind === 'end') return found;
    assert.ok(answer.kind !== 'failed', JSON.stringify(answer));
    if (answer.kind === 'gap') {
      assert.ok(answer.range.to > offset, 'reading goes on');
      found.push(`gap:${answer.range.from}-${answer.range.to}:${answer.reason}`);
      offset = answer.range.to;
      continue;
    }
    for (const block of answer.blocks) {
      assert.ok(block.range.from <= offset && offset < block.range.to, 'blocks are consecutive');
      const plain = await inflateBlock(block);
      const lines = plain.toString().split('\n').slice(0, -1);
      assert.equal(lines.length, block.range.to - block.range.from);
      found.push(...lines.slice(offset - block.range.from));
      offset = block.range.to;
    }
  }
}

/** The waybill that continues a job's chain. */
export function waybill(
  job: JobState,
  range: Range,
  receivedMs: number,
  more: Partial<Waybill> = {},
): Waybill {
  const counts: OutcomeCounts = { ...NO_LINES, delivered: range.to - range.from };
  return {
    job: job.job,
    sequence: job.sequence + 1,
    stream: job.stream,
    epoch: job.epoch,
    range,
    hour: hourOf(receivedMs),
    counts,
    plan: null,
    sha256: null,
    plainBytes: 0,
    sentBytes: 0,
    receipt: null,
    destination: 'd',
    configVersion: 1,
    atMs: receivedMs,
    previous: job.chain,
    ...more,
  };
}

export function planOf(job: JobState, range: Range, receivedMs: number): Plan {
  const id = `${job.job}-${job.epoch}-${range.from}-${range.to}`;
  const lines = range.to - range.from;
  const times = { first: receivedMs, last: receivedMs };
  return {
    id,
    job: job.job,
    epoch: job.epoch,
    range,
    receivedMs: times,
    contentVersion: 1,
    lines,
    name: id,
  };
}
