/**
 * A buffer for the tests of delivery: the contract's promises over plain objects, with failures on demand. What it holds is
 * what is durable, so a second delivery over the same one is a restart.
 */
import { createHash } from 'node:crypto';
import zlib from 'node:zlib';
import type {
  AppendResult,
  SummedCut,
  BlockInfo,
  BufferStats,
  Codec,
  JobStart,
  JobState,
  JobWaiting,
  OffsetAt,
  ReadBlocks,
  RecordResult,
  ShardBuffer,
  StoredBlock,
  StreamState,
} from '../../buffer/index.ts';
import { assert } from '../../lib/assert.ts';
import { addCounts, hourOf, NO_LINES, settledLines } from '../../model/delivery.ts';
import type { Plan, Range, Waybill } from '../../model/delivery.ts';

export const EPOCH = '00000000000000e1';

interface StoredStream {
  blocks: StoredBlock[];
  bytes: number;
  lost: { range: Range; reason: 'corrupt' | 'erased' | 'expired' }[];
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const DURABLE: RecordResult = { kind: 'durable' };
const overlap = (a: Range, b: Range) => a.from < b.to && b.from < a.to;

export class MemoryBuffer implements ShardBuffer {
  readonly durability = 'memory';
  readonly waybills: Waybill[] = [];
  /** Every plan that was ever recorded, in order. */
  readonly planned: Plan[] = [];
  /** How many of the next calls fail. */
  readonly failing = { plan: 0, settle: 0, read: 0, openJob: 0 };
  readonly #streams = new Map<string, StoredStream>();
  readonly #jobs = new Map<number, Writable<JobState>>();
  readonly #wakes = new Set<(streams: readonly string[]) => void>();

  /** Appends lines as one block and wakes whoever listens. */
  add(key: string, lines: readonly string[], receivedMs: number, codec: Codec = 'raw'): Range {
    const stream = this.#stream(key);
    const plain = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    const from = stream.blocks.at(-1)?.range.to ?? 0;
    const finishFlush = zlib.constants.Z_SYNC_FLUSH;
    const stored = codec === 'raw' ? plain : zlib.deflateRawSync(plain, { finishFlush });
    const range = { from, to: from + lines.length };
    stream.bytes += plain.length;
    stream.blocks.push({
      range,
      receivedMs,
      plainBytes: plain.length,
      storedBytes: stored.length,
      codec,
      stored,
      plainCrc: zlib.crc32(plain),
    });
    for (const wake of this.#wakes) wake([key]);
    return range;
  }

  /** From now on these lines cannot be read. */
  lose(key: string, range: Range, reason: 'corrupt' | 'erased' | 'expired'): void {
    this.#stream(key).lost.push({ range, reason });
  }

  stream(key: string): StreamState | undefined {
    const stream = this.#streams.get(key);
    if (!stream) return undefined;
    const head = stream.blocks.at(-1)?.range.to ?? 0;
    return {
      stream: key,
      account: 'a1',
      epoch: EPOCH,
      head,
      oldest: 0,
      erasedTo:
        stream.lost.find(({ range, reason }) => reason === 'erased' && range.from === 0)?.range
          .to ?? 0,
      acceptedLines: head,
      acceptedBytes: stream.bytes,
      lastReceivedMs: stream.blocks.at(-1)?.receivedMs ?? 0,
    };
  }

  *streams(): Generator<StreamState> {
    for (const key of this.#streams.keys()) yield this.stream(key)!;
  }

  async peek(
    key: string,
    from: number,
    most: number,
    plainBytes = Infinity,
  ): Promise<readonly BlockInfo[]> {
    const blocks = this.#stream(key).blocks.filter((block) => block.range.to > from);
    let bytes = 0;
    const count = blocks.findIndex((block) => (bytes += block.plainBytes) >= plainBytes) + 1;
    return blocks.slice(0, Math.min(most, count > 0 ? count : most));
  }

  async read(
    key: string,
    from: number,
    maxPlainBytes: number,
    before = Infinity,
  ): Promise<ReadBlocks> {
    if (this.#fails('read')) return { kind: 'failed', detail: 'the disk did not answer' };
    const stream = this.#stream(key);
    const blocks: StoredBlock[] = [];
    let bytes = 0;
    for (const block of stream.blocks) {
      if (block.range.to <= from) continue;
      if (block.range.from >= before) break;
      const lost = stream.lost.find((one) => overlap(one.range, block.range));
      if (lost && blocks.length > 0) break;
      if (lost) {
        const { reason } = lost;
        const range = { from, to: block.range.to };
        return { kind: 'gap', range, receivedMs: block.receivedMs, reason };
      }
      if (blocks.length > 0 && bytes + block.plainBytes > maxPlainBytes) break;
      blocks.push(block);
      bytes += block.plainBytes;
    }
    return blocks.length > 0 ? { kind: 'blocks', blocks } : { kind: 'end' };
  }

  async offsetAt(key: string, receivedMs: number): Promise<OffsetAt> {
    const blocks = this.#streams.get(key)?.blocks ?? [];
    const found = blocks.find((block) => block.receivedMs >= receivedMs);
    return { kind: 'offset', offset: found?.range.from ?? blocks.at(-1)?.range.to ?? 0 };
  }

  onGrowth(wake: (streams: readonly string[]) => void): () => void {
    this.#wakes.add(wake);
    return () => this.#wakes.delete(wake);
  }

  job(id: number): JobState | undefined {
    const job = this.#jobs.get(id);
    return job && { ...job };
  }

  *jobs(): Generator<JobState> {
    for (const job of this.#jobs.values()) yield { ...job };
  }

  async openJob(id: number, key: string, _account: string, start: JobStart): Promise<RecordResult> {
    if (this.#fails('openJob')) return { kind: 'failed', detail: 'no space' };
    const known = this.#jobs.get(id);
    if (known) {
      known.closedMs = null;
      return DURABLE;
    }
    this.#stream(key);
    const { head } = this.stream(key)!;
    const offset = typeof start === 'object' && 'firstOffset' in start ? start.firstOffset : 0;
    const at =
      start === 'head'
        ? head
        : typeof start === 'object' && 'offset' in start
          ? start.offset
          : offset;
    assert(at >= 0 && at <= head, 'a job starts within its stream');
    this.#jobs.set(id, {
      job: id,
      stream: key,
      epoch: EPOCH,
      start: at,
      end: typeof start === 'object' && 'end' in start ? start.end : null,
      cursor: at,
      settled: [],
      open: [],
      totals: NO_LINES,
      deliveredBytes: 0,
      sequence: 0,
      chain: null,
      lastCompleteMs: null,
      closedMs: null,
    });
    return DURABLE;
  }

  async closeJob(id: number): Promise<RecordResult> {
    this.#jobs.get(id)!.closedMs = 1;
    return DURABLE;
  }

  async plan(id: number, plans: readonly Plan[], replaces?: string): Promise<RecordResult> {
    await Promise.resolve();
    if (this.#fails('plan')) return { kind: 'failed', detail: 'no space' };
    const job = this.#jobs.get(id)!;
    const others = job.open.filter((plan) => plan.id !== replaces);
    assert(replaces === undefined || others.length < job.open.length, 'a replaced plan is open');
    for (const { range } of plans) {
      assert(range.from >= job.cursor && range.from < range.to, 'plans lie beyond the cursor');
      const taken = [...job.settled, ...others.map((plan) => plan.range)];
      assert(!taken.some((other) => overlap(other, range)), 'plans do not overlap');
      this.#assertOneHour(job.stream, range);
    }
    this.planned.push(...plans);
    job.open = [...others, ...plans].toSorted((a, b) => a.range.from - b.range.from);
    return DURABLE;
  }

  async settle(waybill: Waybill): Promise<RecordResult> {
    await Promise.resolve();
    if (this.#fails('settle')) return { kind: 'failed', detail: 'no space' };
    const job = this.#jobs.get(waybill.job)!;
    const { range, counts } = waybill;
    assert(waybill.sequence === job.sequence + 1, 'waybills are numbered without gaps');
    assert(waybill.previous === job.chain, 'a waybill continues the chain');
    assert(settledLines(counts) === range.to - range.from, 'I2: exactly its lines');
    assert(range.from >= job.cursor, 'a line is settled once');
    assert(!job.settled.some((other) => overlap(other, range)), 'a line is settled once');
    const open = job.open.find((plan) => overlap(plan.range, range));
    assert((open?.id ?? null) === waybill.plan, 'a waybill settles its own plan');
    this.#assertOneHour(job.stream, range);
    this.waybills.push(waybill);
    job.sequence = waybill.sequence;
    job.chain = createHash('sha256').update(JSON.stringify(waybill)).digest('hex');
    job.totals = addCounts(job.totals, counts);
    job.deliveredBytes += waybill.plainBytes;
    job.open = job.open.filter((plan) => plan.id !== waybill.plan);
    this.#advance(job, range);
    job.lastCompleteMs = waybill.atMs;
    return DURABLE;
  }

  waiting(id: number): JobWaiting | undefined {
    const job = this.#jobs.get(id);
    if (!job) return undefined;
    const settled = job.settled.reduce((sum, range) => sum + range.to - range.from, 0);
    const lines = this.stream(job.stream)!.head - job.cursor - settled;
    return { job: id, lines, bytes: 0, oldestReceivedMs: null, byHour: new Map() };
  }

  heldForMs(id: number): number | null {
    return (this.#jobs.get(id)?.closedMs ?? null) === null ? null : 1;
  }

  async skip(id: number, before: number): Promise<RecordResult> {
    const job = this.#jobs.get(id)!;
    const range = { from: job.cursor, to: before };
    if (range.from >= range.to) return DURABLE;
    const dropped = { skipped_by_owner: range.to - range.from };
    job.totals = addCounts(job.totals, { delivered: 0, excluded: {}, dropped });
    job.open = job.open.filter((plan) => !overlap(plan.range, range));
    job.cursor = before;
    return DURABLE;
  }

  async erase(): Promise<RecordResult> {
    throw new Error('delivery erases nothing');
  }

  erasing(): readonly string[] {
    return [];
  }

  cut(): readonly SummedCut[] {
    throw new Error('deliveries append nothing');
  }

  async append(): Promise<AppendResult> {
    throw new Error('tests use add()');
  }
  countRefusal(): void {}
  async tend(): Promise<void> {}
  stats(): BufferStats {
    throw new Error('delivery does not ask');
  }
  lastOf(): undefined {
    return undefined;
  }

  expire(): number {
    return 0;
  }

  drain(): void {}
  async close(): Promise<void> {}

  #stream(key: string): StoredStream {
    const known = this.#streams.get(key) ?? { blocks: [], bytes: 0, lost: [] };
    this.#streams.set(key, known);
    return known;
  }

  #fails(what: keyof MemoryBuffer['failing']): boolean {
    if (this.failing[what] <= 0) return false;
    this.failing[what] -= 1;
    return true;
  }

  #assertOneHour(key: string, range: Range): void {
    const blocks = this.#stream(key).blocks.filter((block) => overlap(block.range, range));
    const hours = new Set(blocks.map((block) => hourOf(block.receivedMs)));
    assert(hours.size === 1, 'a range lies within its one UTC hour');
  }

  #advance(job: Writable<JobState>, range: Range): void {
    let settled = [...job.settled, range].toSorted((a, b) => a.from - b.from);
    while (settled[0]?.from === job.cursor) {
      job.cursor = settled[0].to;
      settled = settled.slice(1);
    }
    job.settled = settled;
  }
}
