/** What the two sides of Logpull say to each other, and to the rooms around them. */
import type { Codec, StoredBlock } from '../buffer/index.ts';
import type { Range } from '../model/delivery.ts';
import type { DatasetConfig, OutputOptions } from '../model/snapshot.ts';

/** Where a window of reception time lies in a stream. */
export type WindowFound =
  | { readonly kind: 'window'; readonly epoch: string; readonly range: Range }
  /** Nothing was ever stored of this stream. */
  | { readonly kind: 'unknown' }
  /** Lines of the window are not there any more; from `sinceMs` on all are. */
  | { readonly kind: 'gone'; readonly sinceMs: number }
  /** Lines of the window may still be on their way to the disk. */
  | { readonly kind: 'early' }
  | { readonly kind: 'failed'; readonly detail: string };

/** A block as it goes from thread to thread. */
export interface PulledBlock {
  readonly range: Range;
  readonly receivedMs: number;
  readonly plainBytes: number;
  readonly codec: Codec;
  readonly stored: Uint8Array;
  readonly plainCrc: number;
}

export type PulledPage =
  /** Consecutive blocks; the first one holds the offset asked for, and may begin before it. */
  | { readonly kind: 'blocks'; readonly blocks: readonly PulledBlock[] }
  | {
      readonly kind: 'gap';
      readonly to: number;
      readonly reason: 'corrupt' | 'erased' | 'expired';
    }
  | { readonly kind: 'failed'; readonly detail: string };

/** The shard's side: finds and reads, and knows nothing of what is made of it. Everything in and out can be cloned. */
export interface PullReader {
  /**
   * Finds the lines received in `[startMs, endMs)`.
   *
   * @param endMs null: up to what is durable now
   * @param startMs null: from the oldest line that is held
   */
  window(stream: string, startMs: number | null, endMs: number | null): Promise<WindowFound>;
  /** Reads on from an offset of a window, about `maxPlainBytes` and at least one block. */
  page(stream: string, epoch: string, from: number, maxPlainBytes: number): Promise<PulledPage>;
}

/** Makes records of lines: as a job's encoder does (see `deliver/content`). */
export interface PullEncoder {
  encode(
    plain: Buffer,
    first: number,
    range: Range,
    afterRecord: boolean,
  ): { readonly bytes: Buffer; readonly lines: number };
}

/** How records are to be made. */
interface PullContent {
  readonly filter: string;
  /** With a `timestamp_format`, so that lines never go out as they came. */
  readonly outputOptions: OutputOptions;
  readonly dataset: DatasetConfig | undefined;
}

/** What of a stored block is needed to inflate it. */
type InflatableBlock = Pick<StoredBlock, 'codec' | 'stored' | 'plainBytes' | 'plainCrc'>;

export interface PullDeps {
  readonly reader: PullReader;
  /** Throws when the bytes are damaged. */
  readonly inflateBlock: (block: InflatableBlock) => Promise<Buffer>;
  /** @param epoch the stream's: sampling depends on it */
  readonly encoderOf: (content: PullContent, epoch: string) => PullEncoder;
}

/** See `limits.pull`. */
export interface PullLimits {
  readonly requestsPerMinute: number;
  readonly requestsPerMinuteOfToken: number;
  readonly answers: number;
  readonly answersPerStream: number;
  readonly pageBytes: number;
  readonly answerBytes: number;
  readonly answerMs: number;
  readonly rayBytes: number;
  readonly rayMs: number;
  readonly rayLines: number;
  readonly rayStepLines: number;
  readonly rayPastMs: number;
}

export interface PullRequest {
  readonly stream: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly outputOptions: OutputOptions;
  readonly dataset: DatasetConfig | undefined;
  /** The most records to answer with. */
  readonly count?: number;
}

/** Why there is no answer. */
export type PullRefused =
  | Exclude<WindowFound, { readonly kind: 'window' }>
  /** As many answers are under way as the server bears. */
  | { readonly kind: 'busy' };

export type PullAnswer =
  /** NDJSON. Ends with {@link STREAM_FAILED} when it is not whole. Whoever does not read to the end must `return()` it. */
  { readonly kind: 'lines'; readonly chunks: AsyncGenerator<Buffer, void, void> } | PullRefused;

export interface RayRequest extends Omit<PullRequest, 'startMs' | 'endMs' | 'count'> {
  readonly ray: string;
  /** Null: as far back, or as far on, as lines are held. */
  readonly startMs: number | null;
  readonly endMs: number | null;
}

export type RayAnswer =
  | { readonly kind: 'found'; readonly lines: Buffer }
  /** Nothing was found before the search met its bound; lines received since `sinceMs` were looked through. */
  | { readonly kind: 'unfinished'; readonly sinceMs: number }
  | PullRefused;

/** Logpull, as the control API sees it. */
export interface PullDesk {
  /** Whether one more request of this zone and token is within their rate. Counts it. */
  admit(zone: string, token: string): boolean;
  received(request: PullRequest): Promise<PullAnswer>;
  ray(request: RayRequest): Promise<RayAnswer>;
}

/** The last line of an answer that broke off, as with Logpush: no JSON, so that nobody takes it for a record. */
export const STREAM_FAILED = Buffer.from('Error streaming data\n');
