/**
 * From a range of a stream to a batch's body: read, inflate where needed, encode, compress, hash.
 *
 * A job that delivers lines as they came gets stored fragments copied; only small blocks, blocks stored raw and blocks of
 * which a part is wanted are inflated and deflated again, together. The plain bytes are the same every time (I7).
 */
import type { ReadBlocks, ShardBuffer, StoredBlock } from '../buffer/index.ts';
import { unreachable } from '../lib/assert.ts';
import { endsAsFragment } from '../lib/gzip.ts';
import type { DropReason, OutcomeCounts, Range } from '../model/delivery.ts';
import { BodyBuilder } from './body.ts';
import type { Body, BodyTools } from './body.ts';
import type { Content, DeliverLimits, ReceiverDescription } from './contract.ts';
import { encodeBlock } from './encode-block.ts';
import type { MalformedLine } from './encode-block.ts';
import { FramedLines, isFramed } from './frame-block.ts';
import { eachOf, inflateRuns } from './inflate-run.ts';
import type { Inflated, InflatedRun } from './inflate-run.ts';
import { areWholeBlocks, cutLines } from './lines.ts';
import { Tally } from './tally.ts';

/** Plain bytes asked of the buffer at once: what a preparation holds besides its body. */
export const WINDOW_BYTES = 2 * 1024 * 1024;

export interface PrepareTools extends BodyTools {
  /** Told of blocks and what they were inflated to, once nothing of a batch refers to them any more. */
  readonly done?: (bytes: readonly Buffer[]) => void;
  readonly buffer: Pick<ShardBuffer, 'read'>;
  readonly inflate: (block: StoredBlock) => Promise<Buffer>;
  /** For lines that were stored deflated and go out as they came; absent: as all others. */
  readonly deflateAgain?: BodyTools['deflate'];
  readonly limits: Pick<
    DeliverLimits,
    'smallBlockBytes' | 'sparingBlockBytes' | 'turnBytes' | 'malformedPerBatch' | 'batchBytes'
  >;
}

export interface PrepareRequest {
  readonly stream: string;
  readonly range: Range;
  /** A plan's range is final; one that is only being planned may end earlier (before a gap, or when it grows too large). */
  readonly pinned: boolean;
  readonly content: Content;
  /** Copies more of the blocks as they are: for a larger body with less work. Absent: no. */
  readonly sparing?: boolean;
  /** For receivers that are told which line is which; absent: nobody is told. */
  readonly origin?: { readonly job: number; readonly epoch: string };
  /** The place that it is made for; absent: one that takes gzip and lines as they are. */
  readonly receiver?: ReceiverDescription;
}

interface Accounted {
  /** What the counts speak of: the range asked for, or a beginning of it. */
  readonly range: Range;
  readonly receivedMs: { readonly first: number; readonly last: number };
  readonly counts: OutcomeCounts;
  readonly malformed: readonly MalformedLine[];
  /** What it was made of. */
  readonly blocks: number;
}

export interface PreparedBatch extends Accounted, Body {
  readonly kind: 'batch';
  readonly contentType: string;
  /** What it was made for: another place may want other bytes. */
  readonly receiver: ReceiverDescription | undefined;
  /** Offsets of the lines in a framed body, in their order; absent: not framed. */
  readonly offsets?: readonly number[];
}

export type Prepared =
  | PreparedBatch
  /** Every line is excluded or dropped. */
  | (Accounted & { readonly kind: 'nothing' })
  | { readonly kind: 'failed'; readonly detail: string };

/** Reads and makes a batch's body. Rejects only for our own bugs. */
export async function prepare(request: PrepareRequest, tools: PrepareTools): Promise<Prepared> {
  return await new Preparation(request, tools).run();
}

type Step = 'on' | 'enough' | { readonly failed: string };

class Preparation {
  readonly #request: PrepareRequest;
  readonly #tools: PrepareTools;
  readonly #body: BodyBuilder;
  readonly #tally = new Tally();
  readonly #malformed: MalformedLine[] = [];
  readonly #framed: FramedLines | undefined;
  #at: number;
  #firstMs: number | undefined;
  #lastMs = 0;
  #blocks = 0;

  constructor(request: PrepareRequest, tools: PrepareTools) {
    this.#request = request;
    this.#tools = tools;
    const { framing, encoding } = request.receiver ?? {};
    const { deflateAgain = tools.deflate } = tools;
    const deflate = request.content === 'whole' ? deflateAgain : tools.deflate;
    this.#body = new BodyBuilder({ ...tools, deflate }, encoding ?? 'gzip');
    if (isFramed(framing, request.content))
      this.#framed = new FramedLines(framing, request.origin ?? { job: 0, epoch: '' });
    this.#at = request.range.from;
  }

  async run(): Promise<Prepared> {
    const { stream, range } = this.#request;
    while (this.#at < range.to) {
      const read = await this.#tools.buffer.read(stream, this.#at, WINDOW_BYTES, range.to);
      const step = await this.#take(read);
      if (step === 'enough') break;
      if (step !== 'on') return { kind: 'failed', detail: step.failed };
    }
    return await this.#finish();
  }

  async #take(read: ReadBlocks): Promise<Step> {
    switch (read.kind) {
      case 'failed':
        return { failed: read.detail };
      case 'end':
        return { failed: 'the stream ends before the planned range does' };
      case 'gap':
        if (read.range.to <= this.#at) return { failed: 'the buffer names a gap elsewhere' };
        return this.#gap(read.reason, read.range.to, read.receivedMs);
      case 'blocks':
        return await this.#takeBlocks(read);
      default:
        return unreachable(read);
    }
  }

  /** Lines that cannot be read: dropped by name. A batch that is only being planned ends before them. */
  #gap(reason: DropReason, to: number, receivedMs: number): Step {
    const { range, pinned } = this.#request;
    if (!pinned && this.#at > range.from) return 'enough';
    const end = Math.min(to, range.to);
    this.#tally.drop(reason, end - this.#at);
    this.#received(receivedMs);
    this.#at = end;
    return pinned ? 'on' : 'enough';
  }

  #received(receivedMs: number): void {
    this.#firstMs ??= receivedMs;
    this.#lastMs = Math.max(this.#lastMs, receivedMs);
  }

  async #takeBlocks({ blocks, giveBack }: Extract<ReadBlocks, { kind: 'blocks' }>): Promise<Step> {
    const { range, pinned } = this.#request;
    const wanted = blocks.filter((b) => b.range.to > this.#at && b.range.from < range.to);
    if (wanted.length === 0 || wanted[0]!.range.from > this.#at)
      return { failed: 'the buffer answered with other lines than asked for' };
    // All of a window are inflated side by side; the lane bounds how many at once.
    const copied = this.#copied(wanted);
    const inflating = inflateRuns(
      wanted.filter((_, index) => !copied[index]),
      this.#tools.inflate,
    );
    // What is not gathered is copied line by line.
    const isGathered = this.#request.content === 'whole' && !this.#framed;
    const used = wanted.map(({ stored }) => stored);
    for (let index = 0; index < wanted.length;) {
      const run = copied[index] ? undefined : await inflating.shift()!;
      if (run?.kind === 'together') used.push(run.plain);
      const step = run ? await this.#takeRun(run, isGathered) : await this.#copy(wanted[index]!);
      if (step !== 'on') return step;
      index += run?.blocks.length ?? 1;
      if (!pinned && this.#body.plainBytes >= this.#tools.limits.batchBytes) return 'enough';
    }
    // What goes through an encoder or a framer is copied by it; all else stands in the body as it is.
    if (!isGathered) this.#tools.done?.(used);
    else if (wanted.every(({ codec }, n) => !copied[n] && codec !== 'raw')) giveBack?.();
    else if (giveBack) this.#body.holdUntilSent(giveBack);
    return 'on';
  }

  async #copy(block: StoredBlock): Promise<Step> {
    const { stored, plainCrc, plainBytes } = block;
    await this.#body.addFragment({ bytes: stored, plainCrc, plainBytes });
    this.#tally.delivered += block.range.to - this.#at;
    return this.#taken(block, block.range.to);
  }

  async #takeRun(run: InflatedRun, isGathered: boolean): Promise<Step> {
    if (isGathered && run.kind === 'together' && this.#isAllWanted(run)) {
      await this.#body.addPlain(run.plain);
      for (const block of run.blocks) {
        this.#tally.delivered += block.range.to - this.#at;
        this.#taken(block, block.range.to);
      }
    } else {
      const { pinned } = this.#request;
      for (const [index, inflated] of eachOf(run).entries()) {
        if (!pinned && this.#body.plainBytes >= this.#tools.limits.batchBytes) return 'enough';
        const step = await this.#takeBlock(run.blocks[index]!, inflated);
        if (step !== 'on') return step;
      }
    }
    if (isGathered && run.kind === 'together' && run.own) this.#body.takeMemory(run.own);
    return 'on';
  }

  /** Whether a run goes into the body as it is: dozens of small blocks then cost as much as one. */
  #isAllWanted({ blocks, plain }: Extract<InflatedRun, { kind: 'together' }>): boolean {
    const { range, pinned } = this.#request;
    const isWithin = blocks[0]!.range.from === this.#at && blocks.at(-1)!.range.to <= range.to;
    const bytes = this.#body.plainBytes + plain.length;
    const fits = pinned || bytes < this.#tools.limits.batchBytes;
    return isWithin && fits && areWholeBlocks(plain, blocks);
  }

  async #takeBlock(block: StoredBlock, inflated: Inflated): Promise<Step> {
    const to = Math.min(block.range.to, this.#request.range.to);
    if (inflated.kind === 'failed') return { failed: inflated.detail };
    const lines =
      inflated.kind === 'plain'
        ? cutLines(inflated.plain, block.range.from, { from: this.#at, to })
        : undefined;
    if (lines === undefined) return this.#gap('corrupt', to, block.receivedMs);
    await this.#addLines(lines, { from: this.#at, to }, block.receivedMs);
    return this.#taken(block, to);
  }

  #taken(block: StoredBlock, to: number): Step {
    this.#received(block.receivedMs);
    this.#blocks += 1;
    this.#at = to;
    return 'on';
  }

  async #addLines(lines: Buffer, range: Range, receivedMs: number): Promise<void> {
    const { content } = this.#request;
    const { limits, inTurn } = this.#tools;
    const batch = {
      content,
      body: this.#body,
      tally: this.#tally,
      malformed: this.#malformed,
      malformedMost: limits.malformedPerBatch,
      turnBytes: limits.turnBytes,
      inTurn,
    };
    if (this.#framed) return await this.#framed.add(batch, lines, range, receivedMs);
    if (content !== 'whole') return await encodeBlock({ ...batch, encoder: content }, lines, range);
    this.#tally.delivered += range.to - range.from;
    await this.#body.addPlain(lines);
  }

  /** Which blocks are taken over as they are: large ones, and a small one without another beside it that it would shrink with. */
  #copied(blocks: readonly StoredBlock[]): boolean[] {
    const { smallBlockBytes, sparingBlockBytes } = this.#tools.limits;
    const enough = this.#request.sparing ? sparingBlockBytes : smallBlockBytes;
    const large = blocks.map((block) => block.plainBytes >= enough && this.#fits(block));
    return blocks.map((block, n) => {
      const nothingBefore = n === 0 ? !this.#body.gathers : large[n - 1]!;
      const isLast = block.range.to >= this.#request.range.to;
      const nothingBehind = n === blocks.length - 1 ? isLast : large[n + 1]!;
      return large[n]! || (nothingBefore && nothingBehind && this.#fits(block));
    });
  }

  /** Whether the block's stored bytes can stand in the body as they are. */
  #fits(block: StoredBlock): boolean {
    const { range, content, receiver } = this.#request;
    return (
      content === 'whole' &&
      this.#framed === undefined &&
      receiver?.encoding !== 'identity' &&
      block.codec === 'deflate' &&
      block.range.from >= this.#at &&
      block.range.to <= range.to &&
      endsAsFragment(block.stored)
    );
  }

  async #finish(): Promise<Prepared> {
    const first = this.#firstMs ?? 0;
    const accounted = {
      range: { from: this.#request.range.from, to: this.#at },
      receivedMs: { first, last: Math.max(first, this.#lastMs) },
      counts: this.#tally.counts(),
      malformed: this.#malformed,
      blocks: this.#blocks,
    };
    if (this.#tally.delivered === 0) return { kind: 'nothing', ...accounted };
    const { content, receiver } = this.#request;
    if (content !== 'whole') await this.#body.addPlain(content.suffix);
    if (this.#framed) await this.#body.addPlain(this.#framed.framer.suffix);
    return {
      kind: 'batch',
      contentType: this.#contentType(),
      receiver,
      ...(this.#framed ? { offsets: this.#framed.offsets } : {}),
      ...accounted,
      ...(await this.#body.finish()),
    };
  }

  #contentType(): string {
    const { content, receiver } = this.#request;
    if (this.#framed && receiver?.framing) return receiver.framing.contentType;
    return content === 'whole' ? 'application/x-ndjson' : content.contentType;
  }
}
