/**
 * Pages of sealed spans' indexes, read when they are asked for and kept while there is room. A page whose record is
 * damaged is made again out of the span's blocks: a flipped bit in an index must not cost a line (I10).
 */
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Position, ShardLog } from '../../log/index.ts';
import { compareRefs, packRefs } from '../format/index-page.ts';
import type { BlockRef } from '../format/index-page.ts';
import { decodeRecord } from '../format/records.codec.ts';
import type { Gate } from '../gate.ts';
import type { Span } from '../state/spans.ts';

/** The disk did not answer. Thrown inside the room only; its door answers `failed`. */
export class ReadFailed extends Error {
  override readonly name = 'ReadFailed';
}

const SCAN_BYTES = 1 << 20;
/** What a page costs in memory beside its entries. */
const PAGE_OVERHEAD_BYTES = 256;

export class Pages {
  readonly #log: ShardLog;
  readonly #reads: Gate;
  readonly #diagnostics: Diagnostics;
  readonly #mostBytes: number;
  /** By span and page; the one used longest ago comes first. */
  readonly #cached = new Map<string, Buffer>();
  readonly #loading = new Map<string, Promise<Buffer>>();
  /** The one that was asked for last, which mostly is the next one too: it need not be looked up by name. */
  #last: { readonly span: number; readonly page: number; readonly entries: Buffer } | undefined;
  #bytes = 0;

  constructor(log: ShardLog, reads: Gate, diagnostics: Diagnostics, mostBytes: number) {
    this.#log = log;
    this.#reads = reads;
    this.#diagnostics = diagnostics;
    this.#mostBytes = mostBytes;
  }

  /**
   * The entries of a page.
   *
   * @throws {ReadFailed} when the disk does not answer
   */
  async entries(span: Span, page: number): Promise<Buffer> {
    const cached = this.cached(span, page);
    if (cached !== undefined) return cached;
    const name = nameOf(span, page);
    const loading = this.#loading.get(name) ?? this.#load(name, span, page);
    return loading;
  }

  /** The entries of a page that is held in memory. */
  cached(span: Span, page: number): Buffer | undefined {
    if (this.#last?.span === span.id && this.#last.page === page) return this.#last.entries;
    const name = nameOf(span, page);
    const entries = this.#cached.get(name);
    if (entries === undefined) return undefined;
    this.#cached.delete(name);
    this.#cached.set(name, entries);
    this.#last = { span: span.id, page, entries };
    return entries;
  }

  #load(name: string, span: Span, page: number): Promise<Buffer> {
    const loading = this.#fetch(span, page)
      .then((entries) => {
        this.#keep(name, entries);
        return entries;
      })
      .finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
    return loading;
  }

  #keep(name: string, entries: Buffer): void {
    this.#cached.set(name, entries);
    this.#last = undefined;
    this.#bytes += entries.length + PAGE_OVERHEAD_BYTES;
    for (const [oldest, { length }] of this.#cached) {
      if (this.#bytes <= this.#mostBytes || oldest === name) return;
      this.#cached.delete(oldest);
      this.#bytes -= length + PAGE_OVERHEAD_BYTES;
    }
  }

  async #fetch(span: Span, page: number): Promise<Buffer> {
    const position = span.pages[page]?.position ?? null;
    if (position !== null) {
      const outcome = await this.#reads.run(() => this.#log.readOne(position as Position));
      if (outcome.kind === 'failed') throw new ReadFailed(outcome.detail);
      if (outcome.kind === 'fenced') throw new ReadFailed('a newer owner has the shard');
      if (outcome.kind === 'record') {
        const record = decodeRecord(outcome.record.payload, 'skip');
        const right = record.kind === 'index' && record.span === span.id && record.page === page;
        if (right) return record.entries;
      }
    }
    this.#diagnostics.alarm('buffer.index_damaged', { span: span.id, page });
    return this.#rebuild(span, page);
  }

  /** Reads the span's blocks and lists those that belong in the page. */
  async #rebuild(span: Span, page: number): Promise<Buffer> {
    const from = span.pages[page];
    const to = span.pages[page + 1];
    const refs: BlockRef[] = [];
    let position = span.start;
    while (position < span.end) {
      const at = position as Position;
      const outcome = await this.#reads.run(() => this.#log.read(at, SCAN_BYTES));
      if (outcome.kind === 'trimmed') {
        position = outcome.start;
        continue;
      }
      if (outcome.kind === 'fenced') throw new ReadFailed('a newer owner has the shard');
      if (outcome.kind === 'failed') throw new ReadFailed(outcome.detail);
      for (const { position: place, payload } of outcome.records) {
        if (place >= span.end) break;
        const block = decodeRecord(payload, 'skip');
        if (block.kind !== 'block') continue;
        const { stream, first, lines, plainBytes, receivedMs } = block;
        if (from !== undefined && before(block, from)) continue;
        if (to !== undefined && !before(block, to)) continue;
        const storedBytes = block.stored.length;
        refs.push({ stream, first, lines, position: place, plainBytes, storedBytes, receivedMs });
      }
      if (outcome.next <= position) break;
      position = outcome.next;
    }
    return packRefs(refs.sort(compareRefs));
  }
}

function nameOf(span: Span, page: number): string {
  return `${span.id}:${page}`;
}

function before(
  a: { stream: number; first: number },
  b: { stream: number; first: number },
): boolean {
  return a.stream < b.stream || (a.stream === b.stream && a.first < b.first);
}
