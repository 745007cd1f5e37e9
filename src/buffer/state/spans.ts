/**
 * Where blocks stand. The log is seen as spans, one behind the other: the last one (the tail) has its blocks in memory by
 * stream; a sealed one ends with its index, of which only the pages' bounds stay in memory.
 */
import { assert } from '../../lib/assert.ts';
import { ENTRY_BYTES, PAGE_ENTRIES, refAt } from '../format/index-page.ts';
import type { BlockRef, IndexPageRecord } from '../format/index-page.ts';
import type { StreamEntry } from './stream.ts';

/** A page of a span's index: where its record stands (null: it was damaged), and the first block that it lists. */
export interface PageRef {
  readonly position: number | null;
  readonly stream: number;
  readonly first: number;
}

export interface Span {
  readonly id: number;
  readonly start: number;
  /** Behind the last page of its index. */
  end: number;
  pages: readonly PageRef[];
  /** Bytes of its blocks as stored. */
  readonly bytes: number;
  /** Streams that have a cursor before the end of their blocks here. Not stored: recomputed at start. */
  wanted: number;
  /** Service time at which the last of them went by; null while there is one. */
  freeServiceMs: number | null;
  /** Whatever of it is to stay has been copied on, so that what was ordered erased goes with it. */
  emptied?: true;
  /** Service time of its sealing: none of its lines is younger. */
  readonly sealedServiceMs: number;
  /** Reception of its newest block: what the ledger shows as "replayable since" once this span is the oldest. */
  readonly lastReceivedMs: number;
}

export class Spans {
  /** Oldest first, numbers without gaps. */
  sealed: Span[] = [];
  nextId = 1;
  /** Where the tail begins. */
  tailStart = 0;
  tailBytes = 0;
  /** Records of all kinds: plans and waybills alone fill a log as well. */
  tailRecords = 0;
  #tailLastReceivedMs = 0;
  #tail = new Map<number, BlockRef[]>();

  /** Notes a block of the tail. Where one stands twice, the highest position wins. */
  add(ref: BlockRef): void {
    let refs = this.#tail.get(ref.stream);
    if (refs === undefined) this.#tail.set(ref.stream, (refs = []));
    const last = refs.at(-1);
    if (last === undefined || last.first < ref.first) refs.push(ref);
    else {
      const at = lastAtOrBefore(refs, ref.first);
      if (at >= 0 && refs[at]!.first === ref.first) refs[at] = ref;
      else refs.splice(at + 1, 0, ref);
    }
    this.tailBytes += ref.storedBytes;
    this.tailRecords += 1;
    this.#tailLastReceivedMs = Math.max(this.#tailLastReceivedMs, ref.receivedMs);
  }

  tailRefs(stream: number): readonly BlockRef[] {
    return this.#tail.get(stream) ?? [];
  }

  /** All blocks of the tail in the order of an index. */
  sortedTail(): BlockRef[] {
    // Each stream's stand in their order already: only the streams are sorted, which are fewer by far.
    const streams = [...this.#tail].sort(([a], [b]) => a - b);
    return streams.flatMap(([, refs]) => refs);
  }

  /** Streams that have blocks in the tail, with the bounds of these. */
  *tailBounds(): Generator<{
    readonly stream: number;
    readonly first: number;
    readonly end: number;
  }> {
    for (const [stream, refs] of this.#tail) {
      const last = refs.at(-1)!;
      yield { stream, first: refs[0]!.first, end: last.first + last.lines };
    }
  }

  /**
   * Takes a page of the tail's index. The first one seals the tail; the others fill in where they stand. A page that was
   * damaged keeps no position and is made again from the span's blocks when it is asked for.
   *
   * @param streamOf the stream by its number
   * @returns the span when this page sealed it
   */
  takePage(
    page: IndexPageRecord,
    position: number,
    end: number,
    streamOf: (id: number) => StreamEntry | undefined,
  ): Span | undefined {
    const sealing = page.span >= this.nextId;
    const span = sealing ? this.#seal(page, end, streamOf) : this.byId(page.span);
    if (span === undefined) return undefined;
    span.end = Math.max(span.end, end);
    if (sealing || span === this.sealed.at(-1)) this.tailStart = Math.max(this.tailStart, span.end);
    const head = page.entries.length >= ENTRY_BYTES ? refAt(page.entries, 0) : undefined;
    // Where the index before it was lost the span begins earlier than the page knows: it lists too little.
    if (head !== undefined && page.spanStart === span.start) {
      const pages = [...span.pages];
      while (pages.length < page.pages) pages.push({ ...head, position: null });
      pages[page.page] = { position, stream: head.stream, first: head.first };
      span.pages = pages;
    }
    return sealing ? span : undefined;
  }

  #seal(
    { span: id, serviceMs }: IndexPageRecord,
    end: number,
    streamOf: (id: number) => StreamEntry | undefined,
  ): Span {
    const refs = this.sortedTail();
    const pages: PageRef[] = [];
    for (let at = 0; at < refs.length; at += PAGE_ENTRIES) {
      pages.push({ position: null, stream: refs[at]!.stream, first: refs[at]!.first });
    }
    const span: Span = {
      id,
      start: this.tailStart,
      end,
      pages,
      bytes: this.tailBytes,
      wanted: 0,
      freeServiceMs: null,
      sealedServiceMs: serviceMs,
      lastReceivedMs: this.#tailLastReceivedMs,
    };
    for (const bounds of this.tailBounds()) {
      const added = streamOf(bounds.stream)?.addStretch({ span: id, ...bounds });
      if (added) span.wanted += 1;
    }
    this.sealed.push(span);
    this.nextId = id + 1;
    this.#tail = new Map();
    this.tailBytes = 0;
    this.tailRecords = 0;
    this.#tailLastReceivedMs = 0;
    return span;
  }

  byId(id: number): Span | undefined {
    const oldest = this.sealed[0];
    if (oldest === undefined) return undefined;
    // Numbers have gaps only where an index was damaged; then the search goes on by hand.
    const guess = this.sealed[id - oldest.id];
    return guess?.id === id ? guess : this.sealed.find((span) => span.id === id);
  }

  /**
   * Forgets sealed spans that begin before `start`, where the log begins now: only whole spans are ever given up, so one
   * that lost its beginning lost the rest by right, although its segment may still stand. Returns the oldest left.
   */
  trimBefore(start: number): number {
    let drop = 0;
    while (drop < this.sealed.length && this.sealed[drop]!.start < start) drop += 1;
    if (drop > 0) this.sealed = this.sealed.slice(drop);
    return this.sealed[0]?.id ?? this.nextId;
  }

  /** Takes sealed spans of a checkpoint, the next ones in order. */
  restore(sealed: readonly Span[]): void {
    assert(this.tailRecords === 0, 'spans are restored before anything else');
    for (const span of sealed) this.sealed.push({ ...span, wanted: 0 });
  }
}

/** The index of the last block that begins at or before `offset`, or -1. */
export function lastAtOrBefore(refs: readonly BlockRef[], offset: number): number {
  let low = 0;
  let high = refs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (refs[middle]!.first > offset) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}
