/** One block's lines through a job's encoder, a slice at a time, so that no turn on the shard's thread grows long. */
import { assert } from '../lib/assert.ts';
import { settledLines } from '../model/delivery.ts';
import type { Range } from '../model/delivery.ts';
import type { BodyBuilder } from './body.ts';
import type { ContentEncoder, EncodedPiece } from './content/contract.ts';
import { cutLines, sliceLines } from './lines.ts';
import type { Slice } from './lines.ts';
import type { Tally } from './tally.ts';

/** A line to keep apart: a copy, because the block goes away. */
export interface MalformedLine {
  readonly offset: number;
  readonly bytes: Buffer;
}

export interface EncodingBatch {
  readonly encoder: ContentEncoder;
  readonly body: BodyBuilder;
  readonly tally: Tally;
  readonly malformed: MalformedLine[];
  readonly malformedMost: number;
  readonly turnBytes: number;
  /** Does a piece of work when there is time for it; see `lib/short-turns.ts`. */
  readonly inTurn: <T>(piece: () => T) => Promise<T>;
}

/** @param plain exactly the lines of `range` */
export async function encodeBlock(
  batch: EncodingBatch,
  plain: Buffer,
  range: Range,
): Promise<void> {
  const { encoder, body, tally } = batch;
  for (const slice of sliceLines(plain, range, batch.turnBytes)) {
    const piece = await batch.inTurn(() =>
      encoder.encode(slice.bytes, slice.range.from, slice.range, tally.delivered > 0),
    );
    assertComplete(piece, slice.range);
    if (tally.delivered === 0 && piece.lines > 0) await body.addPlain(encoder.prefix);
    tally.delivered += piece.lines;
    tally.exclude(piece.excluded);
    tally.drop('malformed', piece.malformed.length);
    keepMalformed(batch, slice, piece);
    await body.addOwn(piece.bytes);
  }
}

function assertComplete(piece: EncodedPiece, range: Range): void {
  const dropped = { malformed: piece.malformed.length };
  const sum = settledLines({ delivered: piece.lines, excluded: piece.excluded, dropped });
  assert(sum === range.to - range.from, 'an encoder accounts for every line that it is given');
}

function keepMalformed(batch: EncodingBatch, slice: Slice, piece: EncodedPiece): void {
  for (const offset of piece.malformed) {
    if (batch.malformed.length >= batch.malformedMost) return;
    const line = cutLines(slice.bytes, slice.range.from, { from: offset, to: offset + 1 });
    assert(line !== undefined, 'an encoder names offsets of its own range');
    batch.malformed.push({ offset, bytes: Buffer.from(line.subarray(0, -1)) });
  }
}
