/**
 * All that one shard knows, and the one function that changes it: {@link ShardState.apply}, called for each record once
 * it is durable, live and in replay alike. It never refuses: what is durable has happened. What a record says twice (a
 * checkpoint written while state moved on, a block copied forward) is recognised and skipped.
 */
import { unreachable } from '../../lib/assert.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { hourOf } from '../../model/delivery.ts';
import type { Waybill } from '../../model/delivery.ts';
import type { LedgerEvent, LedgerSink } from '../contract.ts';
import type { BlockRecord } from '../format/block.codec.ts';
import type { BlockRef } from '../format/index-page.ts';
import type {
  BufferRecord,
  ErasureRecord,
  HeadsRecord,
  JobRecord,
  PlanRecord,
  RefusalsRecord,
  StreamRecord,
} from '../format/records.codec.ts';
import { JobEntry } from './job.ts';
import { KeyMemory } from './keys.ts';
import { ProducerMemory } from './producers.ts';
import { Spans } from './spans.ts';
import type { Span } from './spans.ts';
import { StreamEntry } from './stream.ts';

/** Where a job's chain of waybills stopped. */
export interface ChainEnd {
  readonly sequence: number;
  readonly chain: string | null;
}

export interface StateLimits {
  readonly keys: number;
  readonly keyMs: number;
  readonly producers: number;
}

/** An order that a stream's lines be erased, until nothing is left of them. */
export interface Erasure {
  /** Nothing reads lines before it. */
  readonly to: number;
  /** Their blocks stand in spans up to this one. */
  readonly throughSpan: number;
  /** Service time of the oldest order whose bytes may still be there. */
  readonly serviceMs: number;
}

/** Ends of chains remembered for jobs that may be opened again. */
const CHAINS = 100_000;

/** Blocks of streams whose own record was damaged, kept until its second copy comes: bounded, the rest counts as lost. */
const ORPHANS = 1_024;

const HOUR_MS = 3_600_000;

/** Kinds that make no tail longer: blocks are counted with their places, and heads come with blocks. */
const UNCOUNTED: ReadonlySet<BufferRecord['kind']> = new Set(['block', 'index', 'heads']);

/** Gaps that were told are told once: so many of them are remembered. */
const GAPS = 10_000;

export class ShardState {
  readonly streams = new Map<string, StreamEntry>();
  readonly streamsById = new Map<number, StreamEntry>();
  readonly jobs = new Map<number, JobEntry>();
  /** Jobs that were forgotten: opened again they continue their chain, so that no number is given twice. */
  readonly chains = new Map<number, ChainEnd>();
  /** By the stream's number. */
  readonly erasures = new Map<number, Erasure>();
  readonly spans = new Spans();
  readonly keys: KeyMemory;
  readonly producers: ProducerMemory;
  nextStream = 1;
  /** Lines appended since the shard was made, copies apart. */
  lines = 0;
  /** Service time of the newest record. */
  serviceMs = 0;
  /** Everything before this position has been applied. */
  appliedEnd = 0;
  refusalSequence = 0;
  /** Lines that damage took. */
  corruptLines = 0;
  damagedBytes = 0;
  readonly #ledger: LedgerSink;
  readonly #diagnostics: Diagnostics;
  /** Of the lines that damage took: of which no stream is known yet to miss them. */
  #lostOfNobody = 0;
  /** Gaps in streams by their end, which stays where it is. */
  readonly #gaps = new Set<string>();
  /** From where on hours stay known for jobs that are being opened. */
  readonly #hoursHeld = new Map<StreamEntry, readonly number[]>();
  #orphans: { readonly block: BlockRecord; readonly position: number }[] = [];

  constructor(limits: StateLimits, ledger: LedgerSink, diagnostics: Diagnostics) {
    this.keys = new KeyMemory(limits.keys, limits.keyMs);
    this.producers = new ProducerMemory(limits.producers);
    this.#ledger = ledger;
    this.#diagnostics = diagnostics;
  }

  /** @param end the position behind the record */
  apply(record: BufferRecord, position: number, end: number): void {
    this.serviceMs = Math.max(this.serviceMs, record.serviceMs);
    if (!UNCOUNTED.has(record.kind)) this.spans.tailRecords += 1;
    switch (record.kind) {
      case 'block':
        this.#block(record, position);
        break;
      case 'genesis':
        break;
      case 'stream':
        this.#stream(record.body);
        break;
      case 'job':
        this.#job(record.body, position, record.serviceMs);
        break;
      case 'plan':
        this.#plan(record.body, position);
        break;
      case 'waybill':
        this.#waybill(record.body, record.hash, position, record.serviceMs);
        break;
      case 'refusals':
        this.#refusals(record.body);
        break;
      case 'index':
        this.#index(record, position, end);
        break;
      case 'erasure':
        this.#erasure(record.body, record.serviceMs);
        break;
      case 'heads':
        this.#heads(record.body);
        break;
      default:
        unreachable(record);
    }
    this.appliedEnd = Math.max(this.appliedEnd, end);
  }

  /** Only notes where a block of the tail stands: replay between the tail's beginning and the checkpoint's position. */
  indexOnly(record: BufferRecord, position: number): void {
    if (record.kind === 'block') this.spans.add(refOf(record, position));
  }

  #tell(event: LedgerEvent): void {
    this.#ledger.record(event);
  }

  #block(block: BlockRecord, position: number): void {
    const stream = this.streamsById.get(block.stream);
    if (stream === undefined) return this.#orphan(block, position);
    if (!block.copied) this.#countLines(block);
    if (stream.epoch !== block.epoch) return;
    this.spans.add(refOf(block, position));
    if (!block.copied) this.#remember(block);
    if (block.first < stream.head) return;
    if (block.first > stream.head) this.#gap(stream, block.first, block.receivedMs);
    const range = { from: block.first, to: block.first + block.lines };
    stream.grow(block.lines, block.plainBytes, block.receivedMs);
    stream.lastServiceMs = block.serviceMs;
    this.#tell({
      kind: 'accepted',
      stream: stream.key,
      epoch: stream.epoch,
      range,
      hour: hourOf(block.receivedMs),
      bytes: block.plainBytes,
    });
  }

  /** Compares the shard's own count of lines with the block's: a jump is what damage took. */
  #countLines(block: BlockRecord): void {
    if (block.linesBefore < this.lines) return;
    const lost = block.linesBefore - this.lines;
    this.lines = block.linesBefore + block.lines;
    if (lost === 0) return;
    this.corruptLines += lost;
    this.#lostOfNobody += lost;
    this.#diagnostics.alarm('buffer.lines_lost_to_damage', { lines: lost });
  }

  /**
   * Lines up to `to` were accepted, and the blocks that held them were damaged: they count as accepted, their offsets are
   * not given out again, and reading them gives a corrupt gap.
   */
  #gap(stream: StreamEntry, to: number, receivedMs: number): void {
    const range = { from: stream.head, to };
    const lines = to - range.from;
    // Counted with the shard's already, if a block came after them.
    const uncounted = Math.max(0, lines - this.#lostOfNobody);
    this.#lostOfNobody -= lines - uncounted;
    this.corruptLines += uncounted;
    this.lines += uncounted;
    this.isNewGap(stream, to);
    const { key, epoch } = stream;
    this.#diagnostics.alarm('buffer.stream_gap', { stream: key, from: range.from, lines });
    stream.grow(lines, 0, receivedMs);
    const hour = hourOf(receivedMs);
    this.#tell({ kind: 'accepted', stream: key, epoch, range, hour, bytes: 0 });
  }

  /** A stream that ends before what its group said has lost blocks of that group. */
  #heads({ heads }: HeadsRecord): void {
    for (const [id, , to, receivedMs] of heads) {
      const stream = this.streamsById.get(id);
      if (stream !== undefined) this.#reaches(stream, to, receivedMs);
    }
  }

  /** A job's beginning, a plan, a waybill and a group's heads speak only of lines that were accepted. */
  #reaches(stream: StreamEntry, to: number, receivedMs: number): void {
    if (to > stream.head) this.#gap(stream, to, Math.max(receivedMs, stream.lastReceivedMs));
  }

  /** Whether a gap that ends here is met for the first time. */
  isNewGap(stream: StreamEntry, to: number): boolean {
    const gap = `${stream.id}/${to}`;
    if (this.#gaps.has(gap)) return false;
    if (this.#gaps.size < GAPS) this.#gaps.add(gap);
    return true;
  }

  #orphan(block: BlockRecord, position: number): void {
    if (this.#orphans.length < ORPHANS) this.#orphans.push({ block, position });
  }

  /** Lines of blocks whose stream never became known; asked once replay is over. */
  dropOrphans(): number {
    const lines = this.#orphans.reduce((sum, one) => sum + one.block.lines, 0);
    this.#orphans = [];
    this.corruptLines += lines;
    return lines;
  }

  #remember(block: BlockRecord): void {
    for (const entry of block.identities) {
      const request = {
        stream: block.stream,
        first: entry.requestFirst,
        lines: entry.requestLines,
        bytes: entry.requestBytes,
        crc: entry.requestCrc,
      };
      const { identity } = entry;
      if (identity.kind === 'key') this.keys.remember(identity.hash, block.serviceMs, request);
      else this.producers.remember(block.stream, identity, request);
    }
  }

  #stream(body: StreamRecord): void {
    if (this.streamsById.has(body.id)) return;
    const stream = new StreamEntry(body.id, body.key, body.account, body.epoch);
    this.streams.set(body.key, stream);
    this.streamsById.set(body.id, stream);
    this.nextStream = Math.max(this.nextStream, body.id + 1);
    const found = this.#orphans.filter((one) => one.block.stream === body.id);
    this.#orphans = this.#orphans.filter((one) => one.block.stream !== body.id);
    for (const { block, position } of found) this.#block(block, position);
  }

  #job(body: JobRecord, position: number, serviceMs: number): void {
    const known = this.jobs.get(body.job);
    if (known !== undefined && position <= known.appliedTo) return;
    if (body.event === 'opened') return this.#opened(body, known, position, serviceMs);
    if (body.event === 'forgotten') this.#rememberEnd(body, known);
    if (known === undefined) return;
    known.appliedTo = position;
    if (body.event === 'closed') {
      known.closedMs = body.atMs;
      known.closedServiceMs = serviceMs;
    } else {
      this.jobs.delete(known.id);
      known.stream.jobs = known.stream.jobs.filter((one) => one.id !== known.id);
      this.release(known.stream, serviceMs);
    }
    this.#tellJob(known, false);
  }

  #opened(
    body: Extract<JobRecord, { event: 'opened' }>,
    known: JobEntry | undefined,
    position: number,
    serviceMs: number,
  ): void {
    if (known !== undefined) {
      known.appliedTo = position;
      if (body.echo) return;
      known.closedMs = null;
      known.closedServiceMs = null;
      return this.#tellJob(known, true);
    }
    const stream = this.streamsById.get(body.stream);
    if (stream === undefined) {
      this.#diagnostics.alarm('buffer.job_without_stream', { job: body.job });
      return;
    }
    this.#reaches(stream, body.start, body.atMs);
    if (body.end !== undefined) this.#reaches(stream, body.end, body.atMs);
    const job = new JobEntry(body.job, stream, body.start, body.end);
    job.openedServiceMs = serviceMs;
    job.appliedTo = position;
    this.chains.delete(job.id);
    job.sequence = body.sequence;
    job.chain = body.chain;
    this.jobs.set(job.id, job);
    stream.jobs = [...stream.jobs, job];
    this.reclaim(stream);
    this.#tellJob(job, true);
  }

  #rememberEnd(
    body: Extract<JobRecord, { event: 'forgotten' }>,
    known: JobEntry | undefined,
  ): void {
    const stream = this.streamsById.get(body.stream);
    // Lines before the job's beginning that nobody settled are still to be ended; a replay claims none.
    const claims = (known?.end ?? null) === null;
    const reaches =
      body.job < 0 || (stream !== undefined && (known?.start ?? 0) <= stream.settledTo);
    if (claims && reaches && stream !== undefined) {
      stream.settledTo = Math.max(stream.settledTo, body.cursor);
    }
    this.chains.set(body.job, { sequence: body.sequence, chain: body.chain });
    if (this.chains.size <= CHAINS) return;
    const [oldest] = this.chains.keys();
    if (oldest !== undefined) this.chains.delete(oldest);
  }

  #tellJob(job: JobEntry, open: boolean): void {
    const { key, epoch } = job.stream;
    const { end, id, start } = job;
    const event = { kind: 'job', job: id, stream: key, epoch, start, open } as const;
    this.#tell(end === null ? event : { ...event, end });
  }

  /** Said twice, and once more after a restart: the furthest counts, and the oldest order says when the bytes must go. */
  #erasure(body: ErasureRecord, serviceMs: number): void {
    const stream = this.streamsById.get(body.stream);
    if (stream === undefined) {
      this.#diagnostics.alarm('buffer.erasure_without_stream', { order: body.order });
      return;
    }
    this.#reaches(stream, body.to, body.atMs);
    const known = this.erasures.get(stream.id);
    if (body.to <= Math.max(known?.to ?? 0, stream.oldest)) return;
    this.erasures.set(stream.id, {
      to: body.to,
      throughSpan: this.spans.nextId,
      serviceMs: known?.serviceMs ?? serviceMs,
    });
  }

  /** The offset before which nothing of the stream may be read. */
  erasedTo(stream: StreamEntry): number {
    return this.erasures.get(stream.id)?.to ?? 0;
  }

  #plan(body: PlanRecord, position: number): void {
    const job = this.jobs.get(body.job);
    if (job === undefined || position <= job.appliedTo) return;
    job.appliedTo = position;
    for (const plan of body.plans) this.#reaches(job.stream, plan.range.to, plan.receivedMs.last);
    job.addPlans(body.plans, body.replaces);
  }

  #waybill(waybill: Waybill, hash: string, position: number, serviceMs: number): void {
    const job = this.jobs.get(waybill.job);
    if (job === undefined || position <= job.appliedTo) return;
    if (waybill.sequence !== job.sequence + 1) {
      this.#diagnostics.alarm('buffer.waybills_missing', {
        job: job.id,
        expected: job.sequence + 1,
        found: waybill.sequence,
      });
    }
    job.appliedTo = position;
    this.#reaches(job.stream, waybill.range.to, waybill.hour * HOUR_MS);
    const before = job.cursor;
    job.addWaybill(waybill, hash);
    if (job.cursor > before) this.release(job.stream, serviceMs);
    this.#tell({ kind: 'waybill', waybill });
  }

  #refusals(body: RefusalsRecord): void {
    if (body.sequence <= this.refusalSequence) return;
    this.refusalSequence = body.sequence;
    this.#tell({ kind: 'refused', sequence: body.sequence, entries: body.entries });
  }

  #index(page: Extract<BufferRecord, { kind: 'index' }>, position: number, end: number): void {
    const streamOf = (id: number): StreamEntry | undefined => this.streamsById.get(id);
    const streams = [...this.spans.tailBounds()].map((bounds) => bounds.stream);
    const sealed = this.spans.takePage(page, position, end, streamOf);
    if (sealed === undefined) return;
    for (const id of streams) {
      const stream = this.streamsById.get(id);
      if (stream !== undefined) this.release(stream, page.serviceMs);
    }
    if (sealed.wanted === 0) sealed.freeServiceMs ??= page.serviceMs;
  }

  /** Keeps a stream's hours from an offset on, whatever its cursors say. Returns how that ends. */
  holdHours(stream: StreamEntry, from: number): () => void {
    this.#hoursHeld.set(stream, [...(this.#hoursHeld.get(stream) ?? []), from]);
    return () => {
      const left = [...(this.#hoursHeld.get(stream) ?? [])];
      left.splice(left.indexOf(from), 1);
      if (left.length > 0) this.#hoursHeld.set(stream, left);
      else this.#hoursHeld.delete(stream);
    };
  }

  /** Lets go of the spans whose lines of this stream lie behind all its cursors now. */
  release(stream: StreamEntry, serviceMs: number): void {
    const floor = stream.floor();
    stream.forgetHoursBefore(Math.min(floor, ...(this.#hoursHeld.get(stream) ?? [])));
    while (stream.released < stream.stretchCount) {
      const stretch = stream.stretchAt(stream.released);
      if (stretch.end > floor) return;
      stream.released += 1;
      const span = this.spans.byId(stretch.span);
      if (span !== undefined) unwant(span, serviceMs);
    }
  }

  /** Takes spans back that a job which begins in the past needs again. */
  reclaim(stream: StreamEntry): void {
    const floor = stream.floor();
    while (stream.released > 0) {
      const stretch = stream.stretchAt(stream.released - 1);
      if (stretch.end <= floor) return;
      stream.released -= 1;
      const span = this.spans.byId(stretch.span);
      if (span === undefined) continue;
      span.wanted += 1;
      span.freeServiceMs = null;
    }
  }

  /** Forgets what the log gave up; also called at start, because a checkpoint may be older than the last trimming. */
  trimmedBefore(start: number): void {
    const held = this.spans.sealed.length;
    const oldest = this.spans.trimBefore(start);
    // Lines that are not there although nothing was given up are lost, and not too old.
    if (this.spans.sealed.length === held) return;
    for (const stream of this.streams.values()) {
      const dropped = stream.dropStretchesBefore(oldest);
      // Copies of older lines may still stand: nothing is to be read before the hole that settled ones leave. What was
      // dropped and is wanted has been copied.
      const hole = Math.min(dropped, stream.floor());
      let first = this.spans.tailRefs(stream.id)[0]?.first ?? stream.head;
      for (let index = 0; index < stream.stretchCount; index += 1) {
        first = Math.min(first, stream.stretchAt(index).first);
      }
      stream.oldest = Math.max(stream.oldest, first, hole);
    }
  }

  /** Counts anew which spans are wanted: after a checkpoint was read, which does not hold this. */
  recount(): void {
    const freed = new Map(this.spans.sealed.map((span) => [span.id, span.freeServiceMs]));
    for (const span of this.spans.sealed) span.wanted = 0;
    for (const stream of this.streams.values()) {
      const floor = stream.floor();
      stream.released = 0;
      while (
        stream.released < stream.stretchCount &&
        stream.stretchAt(stream.released).end <= floor
      ) {
        stream.released += 1;
      }
      for (let index = stream.released; index < stream.stretchCount; index += 1) {
        const span = this.spans.byId(stream.stretchAt(index).span);
        if (span !== undefined) span.wanted += 1;
      }
    }
    for (const span of this.spans.sealed) {
      span.freeServiceMs = span.wanted > 0 ? null : (freed.get(span.id) ?? this.serviceMs);
    }
  }
}

function unwant(span: Span, serviceMs: number): void {
  span.wanted -= 1;
  if (span.wanted === 0) span.freeServiceMs = serviceMs;
}

function refOf(block: BlockRecord, position: number): BlockRef {
  return {
    stream: block.stream,
    first: block.first,
    lines: block.lines,
    position,
    plainBytes: block.plainBytes,
    storedBytes: block.stored.length,
    receivedMs: block.receivedMs,
  };
}
