/** Holds the index at a span's end to the blocks that were read: same places, same numbers, in order, none left out. */
import type { Findings } from './findings.ts';
import type { Block, IndexEntry, IndexPage } from './record.ts';

export class IndexCheck {
  readonly #findings: Findings;
  /** Blocks since the last span: where each (stream, first offset) stands, the highest place winning. */
  #blocks = new Map<string, IndexEntry>();
  #span = 0;
  /** Pages of the span that were read. */
  #pages = 0;
  /** Whether blocks of an earlier span may be among them, because its last page was not read. */
  #mixed = false;
  #last: IndexEntry | undefined;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  block(position: number, block: Block): void {
    this.#blocks.set(`${block.stream} ${block.first}`, {
      position,
      stream: block.stream,
      lines: block.lines,
      first: block.first,
      plainBytes: block.plainBytes,
      storedBytes: block.stored.length,
      receivedMs: block.receivedMs,
    });
  }

  page(position: number, page: IndexPage): void {
    const tell = (what: string) =>
      this.#findings.add(
        `index of span ${page.span}, page ${page.page} at position ${position}: ${what}`,
      );
    if (page.span !== this.#span) {
      this.#mixed = this.#pages > 0;
      this.#span = page.span;
      this.#pages = 0;
      this.#last = undefined;
    }
    this.#pages += 1;
    for (const entry of page.entries) {
      if (this.#last && !ordered(this.#last, entry)) tell('its entries are out of order');
      this.#last = entry;
      const key = `${entry.stream} ${entry.first}`;
      const block = this.#blocks.get(key);
      this.#blocks.delete(key);
      // What damage or trimming took is told where it happened.
      if (block && !same(block, entry)) {
        tell(`it is wrong about the block at position ${block.position}`);
      }
    }
    if (page.page < page.pages - 1) return;
    if (this.#pages === page.pages && !this.#mixed && this.#blocks.size > 0) {
      tell(`it leaves out ${this.#blocks.size} of its span's blocks`);
    }
    this.#blocks = new Map();
    this.#pages = 0;
  }
}

function ordered(a: IndexEntry, b: IndexEntry): boolean {
  return a.stream !== b.stream ? a.stream < b.stream : a.first < b.first;
}

function same(a: IndexEntry, b: IndexEntry): boolean {
  return (Object.keys(a) as (keyof IndexEntry)[]).every((key) => a[key] === b[key]);
}
