/**
 * Reads blocks back. Whatever comes from the log is verified before it is handed on: header, stored bytes, and that it is
 * the block that was asked for. What cannot be read is a gap of exactly the lines that it takes (I10).
 */
import { assert } from '../../lib/assert.ts';
import { giveBackMemory } from '../../lib/give-back.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { LogRecord, Position, ReadOneOutcome, ShardLog } from '../../log/index.ts';
import type { BlockInfo, ReadBlocks, StoredBlock } from '../contract.ts';
import { BLOCK_HEADER_BYTES, decodeBlock, IDENTITY_BYTES } from '../format/block.codec.ts';
import type { BlockRecord } from '../format/block.codec.ts';
import type { BlockRef } from '../format/index-page.ts';
import type { Gate } from '../gate.ts';
import type { ShardState } from '../state/state.ts';
import type { StreamEntry } from '../state/stream.ts';
import type { Locator } from './locate.ts';
import { ReadFailed } from './pages.ts';
import type { TailCache } from './tail-cache.ts';

export interface ReaderDeps {
  readonly log: ShardLog;
  readonly state: ShardState;
  readonly locator: Locator;
  readonly cache: TailCache;
  readonly reads: Gate;
  /** Calls that read many places at once. */
  readonly scatteredReads: Gate;
  readonly diagnostics: Diagnostics;
}

/** Blocks in one answer at most, however small they are. */
const BLOCKS = 4_096;
/** Lines of the same damage are counted once: places remembered for it. */
const DAMAGED_PLACES = 10_000;
/** Bytes that one reading of neighbours may bring. */
const RUN_BYTES = 4 << 20;
/** What may lie between neighbours beside as much as they have themselves: read along, checked, and held for nothing. */
const BETWEEN_BYTES = 4 << 10;
/** Blocks that stand alone and are read with one call, and their bytes. */
const SCATTERED = 64;
const SCATTERED_BYTES = 1 << 20;
type Fetched = BlockRecord | 'damaged' | 'trimmed';

export class Reader {
  readonly #deps: ReaderDeps;
  readonly #damaged = new Set<number>();

  constructor(deps: ReaderDeps) {
    this.#deps = deps;
  }

  async peek(
    key: string,
    from: number,
    most: number,
    plainBytes = Infinity,
  ): Promise<readonly BlockInfo[]> {
    const stream = this.#deps.state.streams.get(key);
    // As before a gap: whoever goes on to read is told what is the matter.
    if (stream === undefined || from >= stream.head || from < this.#deps.state.erasedTo(stream)) {
      return [];
    }
    try {
      const now = this.#infosNow(stream, from, plainBytes, most);
      if (now !== undefined) return now;
      // What was found so far is let go while the index comes from the disk: a thousand jobs that are behind may look at once.
      await this.#walk(stream, from, plainBytes, most, Infinity, () => {});
      const then = this.#infosNow(stream, from, plainBytes, most);
      return then ?? (await this.#refs(stream, from, plainBytes, most)).refs.map(infoOf);
    } catch (error) {
      // As before a gap: whoever goes on to read is told what is the matter.
      if (error instanceof ReadFailed) return [];
      throw error;
    }
  }

  async read(
    key: string,
    from: number,
    maxPlainBytes: number,
    before = Infinity,
  ): Promise<ReadBlocks> {
    const stream = this.#deps.state.streams.get(key);
    if (stream === undefined) return { kind: 'end' };
    assert(from >= 0 && from <= stream.head, 'nobody reads behind the head');
    assert(before > from, 'whoever reads wants something');
    if (from === stream.head) return { kind: 'end' };
    try {
      const erased = this.#erased(stream, from);
      if (erased !== undefined) return erased;
      const read = await this.#read(stream, from, maxPlainBytes, before);
      // The order may have come while the disk was read.
      return this.#erased(stream, from) ?? read;
    } catch (error) {
      if (error instanceof ReadFailed) return { kind: 'failed', detail: error.message };
      throw error;
    }
  }

  /** The gap that an erasure has left, where it reaches beyond `from`. */
  #erased(stream: StreamEntry, from: number): ReadBlocks | undefined {
    const to = this.#deps.state.erasedTo(stream);
    return from < to ? gap(stream, from, to, 'erased') : undefined;
  }

  async #read(
    stream: StreamEntry,
    from: number,
    maxPlainBytes: number,
    before: number,
  ): Promise<ReadBlocks> {
    const { refs, gapTo } = await this.#refs(stream, from, maxPlainBytes, BLOCKS, before);
    if (refs.length === 0) {
      if (from >= stream.oldest) {
        this.#missing(stream, from, gapTo);
        return gap(stream, from, gapTo, 'corrupt');
      }
      return gap(stream, from, Math.min(gapTo, stream.oldest), 'expired');
    }
    const blocks: StoredBlock[] = [];
    const own = new Set<ArrayBufferLike>();
    const giveBack = (): void => own.forEach(giveBackMemory);
    for (let index = 0; index < refs.length;) {
      const fetched = await this.#fetchRun(stream, refs.slice(index), own);
      for (const one of fetched) {
        const ref = refs[index]!;
        if (typeof one !== 'string') blocks.push(storedBlock(ref, one));
        else if (blocks.length > 0) return { kind: 'blocks', blocks, giveBack };
        else return this.#lost(stream, ref, from, one);
        index += 1;
      }
    }
    return { kind: 'blocks', blocks, giveBack };
  }

  /** One block, verified; undefined when it cannot be read any more. Throws {@link ReadFailed}. */
  async block(stream: StreamEntry, ref: BlockRef): Promise<BlockRecord | undefined> {
    const fetched = await this.#fetchOne(stream, ref);
    return typeof fetched === 'string' ? undefined : fetched;
  }

  /** Consecutive blocks from the one that holds `from` on; `gapTo` is where the next one begins when there is none. */
  async #refs(
    stream: StreamEntry,
    from: number,
    maxPlainBytes: number,
    most: number,
    before = Infinity,
  ): Promise<{ readonly refs: readonly BlockRef[]; readonly gapTo: number }> {
    const refs: BlockRef[] = [];
    const gapTo = await this.#walk(stream, from, maxPlainBytes, most, before, (ref) => {
      refs.push(ref);
    });
    return { refs, gapTo };
  }

  /** As far as that needs no waiting; undefined when a page of the index is not in memory, or there is a gap. */
  #infosNow(
    stream: StreamEntry,
    from: number,
    maxPlainBytes: number,
    most: number,
  ): readonly BlockInfo[] | undefined {
    const infos: BlockInfo[] = [];
    let offset = from;
    let bytes = 0;
    while (
      offset < stream.head &&
      infos.length < most &&
      (infos.length === 0 || bytes < maxPlainBytes)
    ) {
      const ref = this.#deps.locator.findNow(stream, offset);
      if (ref === undefined) return undefined;
      infos.push(infoOf(ref));
      bytes += ref.plainBytes;
      offset = ref.first + ref.lines;
    }
    return infos;
  }

  /** Goes through consecutive blocks. @returns where it ended: where the next block begins, when there is a gap */
  async #walk(
    stream: StreamEntry,
    from: number,
    maxPlainBytes: number,
    most: number,
    before: number,
    visit: (ref: BlockRef) => void,
  ): Promise<number> {
    let offset = from;
    let bytes = 0;
    let count = 0;
    while (
      offset < Math.min(stream.head, before) &&
      count < most &&
      (count === 0 || bytes < maxPlainBytes)
    ) {
      let ref = this.#deps.locator.findNow(stream, offset);
      if (ref === undefined) {
        const found = await this.#deps.locator.find(stream, offset);
        if (found.kind === 'none') return found.next;
        ({ ref } = found);
      }
      visit(ref);
      count += 1;
      bytes += ref.plainBytes;
      offset = ref.first + ref.lines;
    }
    return offset;
  }

  #lost(stream: StreamEntry, ref: BlockRef, from: number, why: 'damaged' | 'trimmed'): ReadBlocks {
    if (why === 'trimmed') return gap(stream, from, ref.first + ref.lines, 'expired');
    const range = { from: Math.max(from, ref.first), to: ref.first + ref.lines };
    return { kind: 'gap', range, receivedMs: ref.receivedMs, reason: 'corrupt' };
  }

  /**
   * The first of the blocks, and those behind it that can be had with the same reading.
   *
   * @param own memory that was made for it is put in here
   */
  async #fetchRun(
    stream: StreamEntry,
    refs: readonly BlockRef[],
    own: Set<ArrayBufferLike>,
  ): Promise<Fetched[]> {
    const cached: Fetched[] = [];
    for (const ref of refs) {
      const block = this.#deps.cache.get(ref.position);
      if (block === undefined) break;
      cached.push(block);
    }
    if (cached.length > 0) return cached;
    const near = neighbours(refs);
    const fetched =
      near.length > 1
        ? await this.#fetchNeighbours(stream, near)
        : await this.#fetchAlone(stream, scattered(refs));
    if (this.#deps.log.readsAreOwn) {
      for (const one of fetched) if (typeof one !== 'string') own.add(one.stored.buffer);
    }
    return fetched;
  }

  /** Blocks that stand apart from each other, with one call. */
  async #fetchAlone(stream: StreamEntry, refs: readonly BlockRef[]): Promise<Fetched[]> {
    const places = refs.map((ref) => {
      return { position: ref.position as Position, expectedBytes: recordBytes(ref) };
    });
    const outcomes = await this.#deps.scatteredReads.run(() => this.#deps.log.readEach(places));
    return refs.map((ref, n) => this.#fetched(stream, ref, outcomes[n]!));
  }

  /** Reads on from the first block, and takes of the following ones what came along. */
  async #fetchNeighbours(stream: StreamEntry, refs: readonly BlockRef[]): Promise<Fetched[]> {
    const [first] = refs;
    assert(first !== undefined, 'a run has a block');
    const last = refs.at(-1)!;
    const wanted = Math.min(RUN_BYTES, last.position + recordBytes(last) - first.position);
    const outcome = await this.#deps.reads.run(() =>
      this.#deps.log.read(first.position as Position, wanted, (last.position + 1) as Position),
    );
    if (outcome.kind === 'failed') throw new ReadFailed(outcome.detail);
    if (outcome.kind === 'fenced') throw new ReadFailed('a newer owner has the shard');
    if (outcome.kind === 'trimmed') return ['trimmed'];
    const came = new Map<number, LogRecord>(outcome.records.map((one) => [one.position, one]));
    const fetched: Fetched[] = [];
    for (const ref of refs) {
      const record = came.get(ref.position);
      if (record === undefined) break;
      fetched.push(this.#verify(stream, ref, record.payload));
    }
    // Damage at the first one: ask for it alone, which says so.
    return fetched.length > 0 ? fetched : [await this.#fetchOne(stream, first)];
  }

  async #fetchOne(stream: StreamEntry, ref: BlockRef): Promise<Fetched> {
    const outcome = await this.#deps.reads.run(() =>
      this.#deps.log.readOne(ref.position as Position, recordBytes(ref)),
    );
    return this.#fetched(stream, ref, outcome);
  }

  #fetched(stream: StreamEntry, ref: BlockRef, outcome: ReadOneOutcome): Fetched {
    switch (outcome.kind) {
      case 'record':
        return this.#verify(stream, ref, outcome.record.payload);
      case 'damaged':
        return this.#damage(stream, ref, outcome.reason);
      case 'trimmed':
        return 'trimmed';
      case 'fenced':
        throw new ReadFailed('a newer owner has the shard');
      case 'failed':
        throw new ReadFailed(outcome.detail);
    }
  }

  #verify(stream: StreamEntry, ref: BlockRef, payload: Buffer): Fetched {
    const block = decodeBlock(payload, 'verify');
    if (block.kind === 'newer') return this.#damage(stream, ref, `version ${block.version}`);
    if (block.kind === 'damaged') return this.#damage(stream, ref, block.reason);
    const right =
      block.stream === stream.id &&
      block.epoch === stream.epoch &&
      block.first === ref.first &&
      block.lines === ref.lines;
    return right ? block : this.#damage(stream, ref, 'another block stands here');
  }

  /** Lines that a checkpoint counts and of which no block could be found in what was replayed. */
  #missing(stream: StreamEntry, from: number, to: number): void {
    const { state, diagnostics } = this.#deps;
    if (!state.isNewGap(stream, to)) return;
    state.corruptLines += to - from;
    diagnostics.alarm('buffer.lines_missing', { stream: stream.key, from, lines: to - from });
  }

  #damage(stream: StreamEntry, ref: BlockRef, reason: string): 'damaged' {
    if (this.#damaged.has(ref.position)) return 'damaged';
    if (this.#damaged.size < DAMAGED_PLACES) this.#damaged.add(ref.position);
    const { state, diagnostics } = this.#deps;
    state.corruptLines += ref.lines;
    state.damagedBytes += ref.storedBytes;
    diagnostics.alarm('buffer.block_damaged', {
      stream: stream.key,
      from: ref.first,
      lines: ref.lines,
      reason,
    });
    return 'damaged';
  }
}

/** Lines that no block holds, up to the end of their hour: what settles them must not span two. */
function gap(
  stream: StreamEntry,
  from: number,
  to: number,
  reason: 'corrupt' | 'erased' | 'expired',
): ReadBlocks {
  const hour = stream.hourAt(from);
  const range = { from, to: Math.max(from + 1, Math.min(to, hour.to)) };
  return { kind: 'gap', range, receivedMs: hour.receivedMs, reason };
}

/**
 * The first blocks as far as they stand together. Where the log has blocks of very many streams between two of one, reading on
 * would bring mostly what belongs to others: a backlog of 1,000 streams was read a hundred times over.
 */
function neighbours(refs: readonly BlockRef[]): readonly BlockRef[] {
  let count = 1;
  while (count < refs.length && isNear(refs[count - 1]!, refs[count]!)) count += 1;
  return refs.slice(0, count);
}

function isNear(ref: BlockRef, next: BlockRef): boolean {
  const apart = next.position - ref.position;
  return apart >= 0 && apart <= 2 * recordBytes(ref) + BETWEEN_BYTES;
}

/** The first blocks that have no neighbour. */
function scattered(refs: readonly BlockRef[]): readonly BlockRef[] {
  let count = 1;
  let bytes = recordBytes(refs[0]!);
  while (count < Math.min(SCATTERED, refs.length)) {
    bytes += recordBytes(refs[count]!);
    const next = refs[count + 1];
    if (bytes > SCATTERED_BYTES || (next !== undefined && isNear(refs[count]!, next))) break;
    count += 1;
  }
  return refs.slice(0, count);
}

/** About what a block takes in the log: enough for a reading that should bring it whole. */
function recordBytes(ref: BlockRef): number {
  return ref.storedBytes + BLOCK_HEADER_BYTES + IDENTITY_BYTES * 4;
}

function storedBlock(ref: BlockRef, { codec, stored, plainCrc }: BlockRecord): StoredBlock {
  const { receivedMs, plainBytes, storedBytes } = ref;
  const range = { from: ref.first, to: ref.first + ref.lines };
  // Not put together from `infoOf`: in a backlog of small blocks that was a fourteenth of the heap's garbage.
  return { range, receivedMs, plainBytes, storedBytes, codec, stored, plainCrc };
}

function infoOf(ref: BlockRef): BlockInfo {
  return {
    range: { from: ref.first, to: ref.first + ref.lines },
    receivedMs: ref.receivedMs,
    plainBytes: ref.plainBytes,
    storedBytes: ref.storedBytes,
  };
}
