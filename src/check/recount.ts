/**
 * A shard's account, put together from what checkpoints, archive and log say, each read on its own. It takes them in that
 * order: under a running server what is read later is newer, so the log knows everything that the others do.
 */
import { createHash } from 'node:crypto';

import type { ArchiveEvent } from './archive.ts';
import { wrongWith } from './block.ts';
import type { ChainEnd, Checkpoint, CheckpointJob } from './checkpoint.ts';
import { count } from './findings.ts';
import type { Findings } from './findings.ts';
import { IndexCheck } from './index-check.ts';
import { JobBook } from './job-book.ts';
import { Ranges } from './ranges.ts';
import { readRecord } from './record.ts';
import type { Block } from './record.ts';
import { anyOf, exactly, integer, list, natural, object, orAbsent, text, tuple } from './shapes.ts';
import { isWaybill, waybillHash } from './waybill.ts';
import type { Waybill } from './waybill.ts';

/** All that is known of one stream in one epoch. */
export class StreamBook {
  readonly key: string;
  readonly epoch: string;
  /** Offsets of lines that can be read in the log. */
  readonly kept = new Ranges();
  /** Offsets that the archive says were accepted. */
  readonly archived = new Ranges();
  /** Ends of blocks that were copied forward: what stood behind them may have been left where it was. */
  readonly copiedEnds = new Set<number>();
  /** By the newest checkpoint. */
  checkpointHead = 0;
  /** Offsets that groups said they hold, also where the block cannot be read. */
  readonly said = new Ranges();
  /** Lines before it were ordered erased: they need not be there. */
  erasedTo = 0;

  constructor(key: string, epoch: string) {
    this.key = key;
    this.epoch = epoch;
  }

  /** Offsets that one of them knows. */
  accepted(): Ranges {
    const all = new Ranges();
    const { archived, kept, said } = this;
    for (const { from, to } of [...kept.runs, ...archived.runs, ...said.runs]) all.add(from, to);
    return all;
  }

  /** The next offset, by the log and its checkpoint. */
  get head(): number {
    return Math.max(this.kept.end, this.checkpointHead, this.said.end);
  }
}

/** A job as its own records describe it. */
export interface JobFacts {
  readonly id: number;
  readonly stream: StreamBook;
  /** Where it began to read: several when its cursor was given up and made anew. */
  readonly starts: Set<number>;
  /** A replay: where its lines end. */
  readonly end: number | undefined;
  /** False once its cursor was given up: later lines are not its own. */
  alive: boolean;
  /** Whether the log, as far as it was read, has given up the cursor. */
  ended: boolean;
  readonly checkpoint: CheckpointJob | undefined;
  readonly book: JobBook;
}

interface StreamBody {
  readonly id: number;
  readonly key: string;
  readonly epoch: string;
}
type JobBody =
  | {
      readonly event: 'opened';
      readonly job: number;
      readonly stream: number;
      readonly start: number;
      readonly end?: number;
    }
  | { readonly event: 'closed'; readonly job: number }
  | { readonly event: 'forgotten'; readonly job: number; readonly cursor: number };

type JobBodyOf<Event extends JobBody['event']> = Extract<JobBody, { event: Event }>;

const isStream = object<StreamBody>({ id: natural, key: text, epoch: text });
const isErasure = object<{ readonly stream: number; readonly to: number }>({
  stream: natural,
  to: natural,
});
/** Stream, offsets from and to, reception. */
type Head = readonly [number, number, number, number];
const isHeads = object<{ readonly heads: readonly Head[] }>({
  heads: list(tuple<Head>(natural, natural, natural, integer)),
});
const isJob = anyOf<[JobBodyOf<'opened'>, JobBodyOf<'closed'>, JobBodyOf<'forgotten'>]>(
  object<JobBodyOf<'opened'>>({
    event: exactly('opened'),
    job: integer,
    stream: natural,
    start: natural,
    end: orAbsent(natural),
  }),
  object<JobBodyOf<'closed'>>({ event: exactly('closed'), job: integer }),
  object<JobBodyOf<'forgotten'>>({ event: exactly('forgotten'), job: integer, cursor: natural }),
);

export class Recount {
  readonly streams = new Map<string, StreamBook>();
  readonly jobs = new Map<number, JobFacts>();
  blocks = 0;
  readonly #findings: Findings;
  readonly #streamsById = new Map<number, StreamBook>();
  readonly #index: IndexCheck;
  /** Waybills seen before the job that they belong to is known. */
  readonly #books = new Map<number, JobBook>();
  #checkpointPosition = 0;
  #checkpointJobs = new Map<number, CheckpointJob>();
  #former: ReadonlyMap<number, ChainEnd> = new Map();
  /** What the next block should say of the lines before it; undefined at the log's oldest block. */
  #linesBefore: number | undefined;

  constructor(findings: Findings) {
    this.#findings = findings;
    this.#index = new IndexCheck(findings);
  }

  /** Comes first, so that sums up to the newest one can be kept apart. */
  checkpoints(checkpoints: readonly Checkpoint[]): void {
    const newest = checkpoints.at(-1);
    if (!newest) return;
    this.#checkpointPosition = newest.head.position;
    this.#checkpointJobs = new Map(newest.jobs.map((job) => [job.id, job]));
    this.#former = newest.former;
    for (const { id, key, epoch, head } of newest.streams) {
      const stream = this.#stream(key, epoch);
      stream.checkpointHead = head;
      this.#streamsById.set(id, stream);
      stream.erasedTo = newest.erased.get(id) ?? 0;
    }
    for (const job of newest.jobs) {
      const stream = this.#streamsById.get(job.stream);
      if (stream) this.#job(job.id, stream, job.start, job.end).alive = true;
      else this.#findings.add(`${newest.name}: job ${job.id} has a stream that it does not know`);
    }
  }

  /** Lines that can be read in the log, each once. */
  lines(): number {
    let sum = 0;
    for (const { kept } of this.streams.values()) sum += kept.within(0, kept.end);
    return sum;
  }

  event(event: ArchiveEvent): void {
    switch (event.kind) {
      case 'accepted':
        this.#stream(event.stream, event.epoch).archived.add(event.range.from, event.range.to);
        return;
      case 'job':
        this.#job(event.job, this.#stream(event.stream, event.epoch), event.start, event.end);
        return;
      case 'waybill':
        return this.#waybill(event.waybill, waybillHash(event.waybill));
      case 'refused':
        return;
    }
  }

  /** One record of the log. */
  record(position: number, payload: Buffer): void {
    const record = readRecord(payload);
    switch (record.kind) {
      case 'damaged':
        return this.#tell(position, record.reason);
      case 'block':
        return this.#block(position, record);
      case 'index':
        return this.#index.page(position, record);
      case 'stream': {
        if (!isStream(record.body)) return this.#strange(position, record.kind);
        const { id, key, epoch } = record.body;
        this.#streamsById.set(id, this.#stream(key, epoch));
        return;
      }
      case 'job':
        if (!isJob(record.body)) return this.#strange(position, record.kind);
        return this.#jobRecord(position, record.body);
      case 'waybill': {
        if (!isWaybill(record.body)) return this.#strange(position, record.kind);
        const hash = createHash('sha256').update(record.bytes).digest('hex');
        return this.#waybill(record.body, hash);
      }
      case 'erasure': {
        if (!isErasure(record.body)) return this.#strange(position, record.kind);
        const { stream: id, to } = record.body;
        const stream = this.#streamsById.get(id);
        if (stream) stream.erasedTo = Math.max(stream.erasedTo, to);
        else this.#tell(position, `an erasure is of stream number ${id}, which is not known`);
        return;
      }
      case 'heads':
        if (!isHeads(record.body)) return this.#strange(position, record.kind);
        return this.#heads(position, record.body.heads);
      case 'genesis':
      case 'plan':
      case 'refusals':
        return;
    }
  }

  #block(position: number, block: Block): void {
    this.#index.block(position, block);
    if (!block.copied) this.#countLines(position, block);
    const stream = this.#streamsById.get(block.stream);
    const wrong =
      stream === undefined
        ? `a block is of stream number ${block.stream}, which is recorded nowhere`
        : block.epoch === stream.epoch
          ? wrongWith(block)
          : 'a block is of another epoch than its stream';
    if (wrong !== undefined) return this.#tell(position, wrong);
    stream!.kept.add(block.first, block.first + block.lines);
    if (block.copied) stream!.copiedEnds.add(block.first + block.lines);
    this.blocks += 1;
  }

  #heads(position: number, heads: readonly Head[]): void {
    for (const [id, from, to] of heads) {
      const stream = this.#streamsById.get(id);
      if (stream) stream.said.add(from, to);
      else this.#tell(position, `it says where stream number ${id} ends, which is not known`);
    }
  }

  /** The shard's own count of lines stands in each block: a jump shows what is missing, whatever else is. */
  #countLines(position: number, block: Block): void {
    const missing = block.linesBefore - (this.#linesBefore ?? block.linesBefore);
    if (missing !== 0) this.#tell(position, `${count(missing, 'line')} missing before the block`);
    this.#linesBefore = block.linesBefore + block.lines;
  }

  #jobRecord(position: number, body: JobBody): void {
    let job = this.jobs.get(body.job);
    if (body.event === 'opened' && (!job || job.ended)) {
      const stream = this.#streamsById.get(body.stream);
      if (!stream) return this.#tell(position, `job ${body.job} has a stream that is not known`);
      job = this.#job(body.job, stream, body.start, body.end);
    }
    if (!job) return;
    if (body.event === 'forgotten') this.#given(job, body.cursor);
    job.ended = body.event === 'forgotten';
    // What stands before the checkpoint's position is in it.
    if (position >= this.#checkpointPosition) job.alive = !job.ended;
  }

  /** A job's cursor is given up only when all of its lines are settled (I3). */
  #given({ id, starts, book }: JobFacts, cursor: number): void {
    const start = Math.max(...[...starts].filter((one) => one <= cursor));
    const open = cursor - start - book.settled.within(start, cursor);
    if (open > 0)
      this.#findings.add(`job ${id}: it was ended with ${count(open, 'line')} unsettled`);
  }

  #waybill(waybill: Waybill, hash: string): void {
    this.#book(waybill.job).add(waybill, hash);
    const stream = this.jobs.get(waybill.job)?.stream;
    if (stream && (stream.key !== waybill.stream || stream.epoch !== waybill.epoch)) {
      const { job, sequence } = waybill;
      this.#findings.add(`job ${job}: waybill ${sequence} is of another stream than the job`);
    }
  }

  #stream(key: string, epoch: string): StreamBook {
    const name = `${key} ${epoch}`;
    const known = this.streams.get(name) ?? new StreamBook(key, epoch);
    this.streams.set(name, known);
    return known;
  }

  #job(id: number, stream: StreamBook, start: number, end?: number): JobFacts {
    const known = this.jobs.get(id);
    if (known) {
      known.starts.add(start);
      return known;
    }
    const checkpoint = this.#checkpointJobs.get(id);
    const starts = new Set([start]);
    const book = this.#book(id);
    const job = { id, stream, starts, end, alive: false, ended: false, checkpoint, book };
    this.jobs.set(id, job);
    return job;
  }

  #book(job: number): JobBook {
    let book = this.#books.get(job);
    if (!book) {
      const chain = this.#checkpointJobs.get(job) ?? this.#former.get(job);
      book = new JobBook(job, chain ?? { sequence: 0, chain: null }, this.#findings);
      this.#books.set(job, book);
    }
    return book;
  }

  /** Books of jobs that nothing else speaks of. */
  strayBooks(): JobBook[] {
    return [...this.#books.values()].filter(({ job }) => !this.jobs.has(job));
  }

  /** Whole by its checksum, and yet not what a record of its kind says. */
  #strange(position: number, kind: string): void {
    this.#tell(position, `it is no ${kind} record that can be understood`);
  }

  #tell(position: number, what: string): void {
    this.#findings.add(`record at position ${position}: ${what}`);
  }
}
