/**
 * Copies what is still wanted out of the oldest spans when a slow job pins them: otherwise one job that is days behind would
 * hold everybody's settled lines on disk with its own. Done when space is short, because only then the holdback gives way.
 *
 * A copy is the same block at a higher position, which wins. A span is let go of once all its copies are durable; until a
 * checkpoint knows of them, it stays.
 */
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { BufferDeps } from '../deps.ts';
import type { BlockRecord } from '../format/block.codec.ts';
import { entryCount, refAt } from '../format/index-page.ts';
import type { BlockRef } from '../format/index-page.ts';
import { nextTurn } from '../gate.ts';
import type { Locator } from '../read/locate.ts';
import { ReadFailed } from '../read/pages.ts';
import type { Pages } from '../read/pages.ts';
import type { Reader } from '../read/reader.ts';
import type { ServiceClock } from '../service-clock.ts';
import type { Span } from '../state/spans.ts';
import type { ShardState } from '../state/state.ts';
import type { Committer } from '../write/committer.ts';

export interface CompactionDeps {
  readonly state: ShardState;
  readonly service: ServiceClock;
  readonly diagnostics: Diagnostics;
  readonly committer: Committer;
  readonly pages: Pages;
  readonly locator: Locator;
  readonly reader: Reader;
  readonly onStep?: BufferDeps['onStep'] | undefined;
}

/** Stored bytes copied by one commit. */
const COPY_BYTES = 4 << 20;
/** Spans looked at in one run. */
const SPANS = 16;

export class Compaction {
  readonly #deps: CompactionDeps;

  constructor(deps: CompactionDeps) {
    this.#deps = deps;
  }

  /**
   * Frees the oldest spans when that gives back more than it costs. Returns whether it did.
   *
   * @param roomBytes what the copies may take while the originals still stand
   */
  async run(roomBytes: number): Promise<boolean> {
    try {
      const spans = await this.#worthwhile(roomBytes);
      for (const { span, refs } of spans) {
        const wanted = refs.filter((ref) => this.#wanted(ref));
        if (!(await this.#copy(wanted)) || !this.#letGo(span, refs, wanted)) return false;
      }
      return spans.length > 0;
    } catch (error) {
      if (!(error instanceof ReadFailed)) throw error;
      this.#deps.diagnostics.warn('buffer.compaction_stopped', { detail: error.message });
      return false;
    }
  }

  /**
   * Empties the oldest spans, so that nothing erased is left in them: what is not erased is copied on. Returns whether all up
   * to `through` are empty now.
   *
   * @param holdBack whether settled lines are copied too, for whoever wants to replay them
   */
  async empty(through: number, roomBytes: number, holdBack: boolean): Promise<boolean> {
    const { sealed } = this.#deps.state.spans;
    let room = roomBytes;
    try {
      for (const span of sealed.slice(0, SPANS)) {
        if (span.id > through) return true;
        if (span.emptied) continue;
        const refs = await this.#refsOf(span);
        const kept = refs.filter((ref) => (holdBack ? !this.#erased(ref) : this.#wanted(ref)));
        room -= bytesOf(kept);
        if (room < 0) return false;
        if (!(await this.#copy(kept)) || !this.#letGo(span, refs, kept)) return false;
        span.emptied = true;
      }
      return sealed.length <= SPANS;
    } catch (error) {
      if (!(error instanceof ReadFailed)) throw error;
      this.#deps.diagnostics.warn('buffer.compaction_stopped', { detail: error.message });
      return false;
    }
  }

  #erased(ref: BlockRef): boolean {
    const { state } = this.#deps;
    return ref.first + ref.lines <= (state.erasures.get(ref.stream)?.to ?? 0);
  }

  /** The fewest spans, from the oldest pinned one on, whose end gives back at least as much as their copies take. */
  async #worthwhile(
    roomBytes: number,
  ): Promise<readonly { readonly span: Span; readonly refs: BlockRef[] }[]> {
    const { sealed } = this.#deps.state.spans;
    const pinned: { readonly span: Span; readonly refs: BlockRef[] }[] = [];
    let cost = 0;
    let gain = 0;
    for (const span of sealed.slice(0, SPANS)) {
      if (span.wanted === 0) {
        // In front of the first pinned one nothing holds it: trimming takes it without us.
        if (pinned.length > 0) gain += span.bytes;
      } else {
        const refs = await this.#refsOf(span);
        const copied = bytesOf(refs.filter((ref) => this.#wanted(ref)));
        pinned.push({ span, refs });
        cost += copied;
        if (cost > roomBytes) return [];
        gain += span.bytes - copied;
      }
      if (pinned.length > 0 && cost <= gain) return pinned;
    }
    return [];
  }

  async #refsOf(span: Span): Promise<BlockRef[]> {
    const refs: BlockRef[] = [];
    for (let page = 0; page < span.pages.length; page += 1) {
      const entries = await this.#deps.pages.entries(span, page);
      for (let at = 0; at < entryCount(entries); at += 1) refs.push(refAt(entries, at));
      await nextTurn();
    }
    return refs;
  }

  #wanted(ref: BlockRef): boolean {
    const stream = this.#deps.state.streamsById.get(ref.stream);
    return stream !== undefined && ref.first + ref.lines > stream.floor() && !this.#erased(ref);
  }

  async #copy(refs: readonly BlockRef[]): Promise<boolean> {
    let blocks: BlockRecord[] = [];
    let bytes = 0;
    for (const ref of refs) {
      const block = await this.#blockAt(ref);
      if (block === undefined) continue;
      blocks.push(block);
      bytes += ref.storedBytes;
      if (bytes < COPY_BYTES) continue;
      if (!(await this.#append(blocks))) return false;
      blocks = [];
      bytes = 0;
    }
    return this.#append(blocks);
  }

  /** The block, unless a copy of it stands further on already or it cannot be read any more. */
  async #blockAt(ref: BlockRef): Promise<BlockRecord | undefined> {
    const stream = this.#deps.state.streamsById.get(ref.stream);
    if (stream === undefined) return undefined;
    const found = await this.#deps.locator.find(stream, ref.first);
    if (found.kind === 'none' || found.ref.position !== ref.position) return undefined;
    return this.#deps.reader.block(stream, ref);
  }

  async #append(blocks: readonly BlockRecord[]): Promise<boolean> {
    if (blocks.length === 0) return true;
    const result = await this.#deps.committer.record((group) => {
      // Looked at again: an erasure that came meanwhile reaches only as far as the log did then.
      const left = blocks.filter(
        ({ first, lines, stream }) =>
          first + lines > (this.#deps.state.erasures.get(stream)?.to ?? 0),
      );
      for (const block of left) group.copy(block);
      return left.length > 0 ? undefined : { kind: 'durable' };
    });
    if (result.kind !== 'durable') return false;
    this.#deps.onStep?.('copies-written');
    return true;
  }

  /** Gives the span up, unless a job was opened meanwhile that wants what was not copied. */
  #letGo(span: Span, refs: readonly BlockRef[], copied: readonly BlockRef[]): boolean {
    const { diagnostics, service, state } = this.#deps;
    const kept = new Set(copied);
    if (refs.some((ref) => !kept.has(ref) && this.#wanted(ref))) return false;
    for (const ref of refs) {
      const stream = state.streamsById.get(ref.stream);
      if (stream === undefined) continue;
      stream.dropStretch(span.id);
      // Settled lines go although older ones may still stand: nothing is to be read before the hole.
      if (!kept.has(ref)) stream.oldest = Math.max(stream.oldest, ref.first + ref.lines);
    }
    span.wanted = 0;
    span.freeServiceMs = service.nowMs();
    this.#deps.onStep?.('span-let-go');
    diagnostics.info('buffer.compacted', {
      span: span.id,
      copiedBytes: bytesOf(copied),
      bytes: span.bytes,
    });
    return true;
  }
}

function bytesOf(refs: readonly BlockRef[]): number {
  return refs.reduce((sum, ref) => sum + ref.storedBytes, 0);
}
