/**
 * One block's lines for a receiver that wants text between them (a JSON array, `_bulk`, Loki's entries). What a job's encoder
 * makes of a line is asked line by line, because the text names the line's own offset.
 */
import { Framer } from '../destinations/index.ts';
import type { Range } from '../model/delivery.ts';
import type { Framing } from '../destinations/index.ts';
import type { BodyBuilder } from './body.ts';
import type { Content } from './contract.ts';
import type { MalformedLine } from './encode-block.ts';
import { sliceLines } from './lines.ts';
import type { Slice } from './lines.ts';
import type { Tally } from './tally.ts';

const NEWLINE = 0x0a;

export interface FramedBatch {
  readonly content: Content;
  readonly body: BodyBuilder;
  readonly tally: Tally;
  readonly malformed: MalformedLine[];
  readonly malformedMost: number;
  readonly turnBytes: number;
  /** Does a piece of work when there is time for it; see `lib/short-turns.ts`. */
  readonly inTurn: <T>(piece: () => T) => Promise<T>;
}

/** Whether a framing holds for what a job makes of lines: only NDJSON is framed. */
export function isFramed(framing: Framing | undefined, content: Content): framing is Framing {
  if (framing === undefined) return false;
  return content === 'whole' || content.contentType === 'application/x-ndjson';
}

/** The framed part of a batch under way. */
export class FramedLines {
  readonly framer: Framer;
  readonly #origin: { readonly job: number; readonly epoch: string };
  /** Offsets of the lines in the body, in their order: a receiver may speak of single ones. */
  readonly offsets: number[] = [];

  constructor(framing: Framing, origin: { readonly job: number; readonly epoch: string }) {
    this.framer = new Framer(framing);
    this.#origin = origin;
  }

  /** @param plain exactly the lines of `range` */
  async add(batch: FramedBatch, plain: Buffer, range: Range, receivedMs: number): Promise<void> {
    for (const slice of sliceLines(plain, range, batch.turnBytes)) {
      const framed = await batch.inTurn(() => this.#frame(batch, slice, receivedMs));
      await batch.body.addOwn(framed);
    }
  }

  #frame(batch: FramedBatch, slice: Slice, receivedMs: number): Buffer {
    const parts: Buffer[] = [];
    let place = 0;
    for (let offset = slice.range.from; offset < slice.range.to; offset++) {
      const end = slice.bytes.indexOf(NEWLINE, place) + 1;
      const bytes = recordOf(batch, slice.bytes.subarray(place, end), offset);
      place = end;
      if (bytes === undefined) continue;
      const isFirst = this.offsets.length === 0;
      if (isFirst) parts.push(this.framer.prefix);
      const line = { bytes, ...this.#origin, offset, receivedMs };
      parts.push(...this.framer.frame(line, isFirst));
      this.offsets.push(offset);
    }
    return Buffer.concat(parts);
  }
}

/** What a job makes of one line, without the newline; undefined: it is not sent, and counted. */
function recordOf(batch: FramedBatch, row: Buffer, offset: number): Buffer | undefined {
  const { content, tally } = batch;
  if (content === 'whole') {
    tally.delivered += 1;
    return row.subarray(0, -1);
  }
  const piece = content.encode(row, offset, { from: offset, to: offset + 1 }, false);
  tally.exclude(piece.excluded);
  tally.drop('malformed', piece.malformed.length);
  if (piece.malformed.length > 0 && batch.malformed.length < batch.malformedMost)
    batch.malformed.push({ offset, bytes: Buffer.from(row.subarray(0, -1)) });
  if (piece.lines === 0) return undefined;
  tally.delivered += 1;
  return piece.bytes.at(-1) === NEWLINE ? piece.bytes.subarray(0, -1) : piece.bytes;
}
