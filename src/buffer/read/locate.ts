/**
 * Finds blocks by (stream, offset): first in the tail, then in the sealed spans that hold blocks of the stream, newest
 * first, because where a block stands twice the highest position wins.
 */
import { entryCount, lastNotBehind, refAt } from '../format/index-page.ts';
import type { BlockRef } from '../format/index-page.ts';
import { lastAtOrBefore } from '../state/spans.ts';
import type { Span, Spans } from '../state/spans.ts';
import type { StreamEntry } from '../state/stream.ts';
import type { Pages } from './pages.ts';

export type Found =
  | { readonly kind: 'block'; readonly ref: BlockRef }
  /** No block holds the offset; the next one that is known begins at `next`. */
  | { readonly kind: 'none'; readonly next: number };

export class Locator {
  readonly #spans: Spans;
  readonly #pages: Pages;

  constructor(spans: Spans, pages: Pages) {
    this.#spans = spans;
    this.#pages = pages;
  }

  /**
   * What {@link find} finds, where that needs nothing from the disk: a backlog is looked up block by block, and with a promise for
   * each of them the promises were a fifth of what a drain allocated.
   *
   * @param offset before the stream's head
   * @returns undefined when `find` has to be asked, be it that no block holds the offset
   */
  findNow(stream: StreamEntry, offset: number): BlockRef | undefined {
    const ofTail = blockAt(this.#spans.tailRefs(stream.id), offset);
    if (ofTail !== undefined) return ofTail;
    for (let index = stream.stretchCount - 1; index >= 0; index -= 1) {
      if (!stream.stretchHolds(index, offset)) continue;
      const span = this.#spans.byId(stream.stretchAt(index).span);
      if (span === undefined) continue;
      const page = pageOf(span, stream.id, offset);
      if (page < 0) continue;
      const entries = this.#pages.cached(span, page);
      if (entries === undefined) return undefined;
      const ref = refIn(entries, stream.id, offset);
      if (ref !== undefined) return ref;
    }
    return undefined;
  }

  /**
   * @param offset before the stream's head
   * @throws {ReadFailed} when a page of the index cannot be read
   */
  async find(stream: StreamEntry, offset: number): Promise<Found> {
    let next = stream.head;
    const tail = this.#spans.tailRefs(stream.id);
    const ofTail = blockAt(tail, offset);
    if (ofTail !== undefined) return { kind: 'block', ref: ofTail };
    next = Math.min(next, tail[lastAtOrBefore(tail, offset) + 1]?.first ?? next);
    // The list may change while a page is read: it is gone through from the end, and a block found is a block.
    for (let index = stream.stretchCount - 1; index >= 0; index -= 1) {
      if (index >= stream.stretchCount) continue;
      const stretch = stream.stretchAt(index);
      if (stretch.end <= offset) continue;
      if (stretch.first > offset) {
        next = Math.min(next, stretch.first);
        continue;
      }
      const span = this.#spans.byId(stretch.span);
      if (span === undefined) continue;
      const found = await this.#findIn(span, stream.id, offset);
      if (found.kind === 'block') return found;
      next = Math.min(next, found.next);
    }
    return { kind: 'none', next };
  }

  async #findIn(span: Span, stream: number, offset: number): Promise<Found> {
    const page = pageOf(span, stream, offset);
    let next = Infinity;
    if (page >= 0) {
      const entries = await this.#pages.entries(span, page);
      const ref = refIn(entries, stream, offset);
      if (ref !== undefined) return { kind: 'block', ref };
      const at = lastNotBehind(entries, stream, offset);
      if (at + 1 < entryCount(entries)) {
        const behind = refAt(entries, at + 1);
        if (behind.stream === stream) return { kind: 'none', next: behind.first };
        return { kind: 'none', next };
      }
    }
    const behind = span.pages[page + 1];
    if (behind !== undefined && behind.stream === stream) next = behind.first;
    return { kind: 'none', next };
  }
}

/** The block of a stream's tail that holds the offset. */
function blockAt(tail: readonly BlockRef[], offset: number): BlockRef | undefined {
  const last = tail[lastAtOrBefore(tail, offset)];
  return last !== undefined && offset < last.first + last.lines ? last : undefined;
}

/** The block of a page that holds the offset. */
function refIn(entries: Buffer, stream: number, offset: number): BlockRef | undefined {
  const at = lastNotBehind(entries, stream, offset);
  const ref = at < 0 ? undefined : refAt(entries, at);
  return ref?.stream === stream && offset < ref.first + ref.lines ? ref : undefined;
}

/** The last page whose first block is not behind (stream, offset), or -1. */
function pageOf(span: Span, stream: number, offset: number): number {
  let low = 0;
  let high = span.pages.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const page = span.pages[middle]!;
    if (page.stream > stream || (page.stream === stream && page.first > offset)) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}
