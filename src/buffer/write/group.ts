/**
 * One group of records in the making: what a commit appends. Offsets and numbers are given out here, against the state as
 * it stands; nothing else is under way then, so a group that fails burns none.
 */
import { assert } from '../../lib/assert.ts';
import type { Random } from '../../lib/random.ts';
import type { Range } from '../../model/delivery.ts';
import { encodeBlock } from '../format/block.codec.ts';
import type { BlockRecord, IdentityEntry } from '../format/block.codec.ts';
import { encodeHeads, encodeStream } from '../format/records.codec.ts';
import type { BufferRecord } from '../format/records.codec.ts';
import type { ShardState } from '../state/state.ts';
import type { Piece } from './deflate.ts';

/** Streams in one record of heads: some hundred KiB. */
const HEADS = 4_096;

/** A record with its bytes, as the log takes it. */
export interface Draft {
  readonly record: BufferRecord;
  readonly parts: readonly Buffer[];
}

/** A stream as the group sees it: with what the group itself adds to it. */
export interface StagedStream {
  readonly id: number;
  readonly key: string;
  readonly epoch: string;
  head: number;
  lastReceivedMs: number;
}

export class Group {
  readonly wallMs: number;
  readonly serviceMs: number;
  readonly #state: ShardState;
  readonly #random: Random;
  readonly #drafts: Draft[] = [];
  /** Records that stand a second time at the end: their loss would cost more than themselves. */
  readonly #echoes: Draft[] = [];
  readonly #staged = new Map<string, StagedStream>();
  /** Those that the group adds lines to. */
  readonly #grown = new Map<StagedStream, { readonly from: number }>();
  #nextStream: number;
  #lines: number;
  bytes = 0;

  constructor(state: ShardState, random: Random, wallMs: number, serviceMs: number) {
    this.#state = state;
    this.#random = random;
    this.wallMs = wallMs;
    this.serviceMs = serviceMs;
    this.#nextStream = state.nextStream;
    this.#lines = state.lines;
  }

  /** All records in their order. */
  drafts(): readonly Draft[] {
    return [...this.#drafts, ...this.#echoes, ...this.#heads()];
  }

  #heads(): Draft[] {
    const heads = [...this.#grown].map(
      ([{ id, head, lastReceivedMs }, { from }]) => [id, from, head, lastReceivedMs] as const,
    );
    const drafts: Draft[] = [];
    for (let at = 0; at < heads.length; at += HEADS) {
      const body = { heads: heads.slice(at, at + HEADS) };
      const record = { kind: 'heads', serviceMs: this.serviceMs, body } as const;
      drafts.push({ record, parts: [encodeHeads(this.serviceMs, body)] });
    }
    return drafts;
  }

  add(record: BufferRecord, parts: readonly Buffer[], echo?: Draft): void {
    this.#drafts.push({ record, parts });
    for (const part of parts) this.bytes += part.length;
    if (echo !== undefined) this.#echoes.push(echo);
  }

  /** The stream of this name; made by the group when there is none. */
  stream(key: string, account: string): StagedStream {
    const staged = this.#staged.get(key);
    if (staged !== undefined) return staged;
    const known = this.#state.streams.get(key);
    const stream: StagedStream = known
      ? {
          id: known.id,
          key,
          epoch: known.epoch,
          head: known.head,
          lastReceivedMs: Math.max(known.lastReceivedMs, known.askedMs),
        }
      : this.#make(key, account);
    this.#staged.set(key, stream);
    return stream;
  }

  #make(key: string, account: string): StagedStream {
    const id = this.#nextStream++;
    const epoch = this.#random.bytes(8).toString('hex');
    const body = { id, key, account, epoch };
    const draft: Draft = {
      record: { kind: 'stream', serviceMs: this.serviceMs, body },
      parts: [encodeStream(this.serviceMs, body)],
    };
    this.add(draft.record, draft.parts, draft);
    return { id, key, epoch, head: 0, lastReceivedMs: 0 };
  }

  /** Puts a block in again as it is, at a higher position. */
  copy(block: BlockRecord): void {
    const record: BlockRecord = { ...block, copied: true };
    this.add(record, encodeBlock(record, record.stored));
  }

  /** Puts a block at the stream's head. */
  block(stream: StagedStream, piece: Piece, identities: readonly IdentityEntry[]): Range {
    const range = { from: stream.head, to: stream.head + piece.lines };
    assert(Number.isSafeInteger(range.to), 'offsets count exactly');
    // Reception time never goes back in a stream, and one block has one: an hour's bound never falls inside.
    const receivedMs = Math.max(stream.lastReceivedMs, this.wallMs);
    const record: BlockRecord = {
      kind: 'block',
      stream: stream.id,
      epoch: stream.epoch,
      first: range.from,
      lines: piece.lines,
      receivedMs,
      serviceMs: this.serviceMs,
      linesBefore: this.#lines,
      copied: false,
      codec: piece.codec,
      plainBytes: piece.plainBytes,
      plainCrc: piece.plainCrc,
      storedCrc: piece.storedCrc,
      identities,
      stored: piece.stored,
    };
    this.add(record, encodeBlock(record, piece.stored));
    this.#lines += piece.lines;
    stream.head = range.to;
    stream.lastReceivedMs = receivedMs;
    if (!this.#grown.has(stream)) this.#grown.set(stream, { from: range.from });
    return range;
  }
}
