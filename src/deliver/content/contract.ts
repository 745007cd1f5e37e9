/**
 * What a job makes of lines: filter, sample, projection, format. Pure: the same block, range and content version give the
 * same bytes, today, in a retry and after a crash (I7).
 */
import type { ExcludeReason, Range } from '../../model/delivery.ts';
import type { DatasetConfig, JobConfig } from '../../model/snapshot.ts';

/** What became of the lines of one range of one block. The numbers sum to the range's length. */
export interface EncodedPiece {
  readonly bytes: Buffer;
  /** Lines in `bytes`. */
  readonly lines: number;
  readonly excluded: Readonly<Partial<Record<ExcludeReason, number>>>;
  /** Offsets of lines that could not be looked into. */
  readonly malformed: readonly number[];
}

/** What an encoder is compiled from: the same gives the same bytes, in another thread too. */
export interface ContentRecipe extends Pick<JobConfig, 'filter' | 'outputOptions'> {
  readonly dataset: DatasetConfig | undefined;
  /** The stream's, 16 hex digits. */
  readonly epoch: string;
}

export interface ContentEncoder {
  readonly contentType: string;
  /** Absent: it cannot be told to another thread. */
  readonly recipe?: ContentRecipe;
  /** Once around the batch; empty for most. */
  readonly prefix: Buffer;
  readonly suffix: Buffer;
  /**
   * Encodes lines of one block.
   *
   * @param plain the block's plain bytes: lines, each ended by a newline
   * @param first the offset of the block's first line
   * @param range the offsets wanted, within the block
   * @param afterRecord whether the batch holds a record already (delimiters stand between records only)
   */
  encode(plain: Buffer, first: number, range: Range, afterRecord: boolean): EncodedPiece;
}
