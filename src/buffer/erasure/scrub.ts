/**
 * Takes the bytes of erased lines off the disk. Until an order's time has come, trimming may do it for nothing; then what is
 * not erased is copied out of all spans that were there when the order came, and these are given up. Orders are gathered for
 * that long, so that one owner's orders do not make the shard copy its log all day (I6).
 */
import type { Position, ShardLog } from '../../log/index.ts';
import type { Compaction } from '../chores/compaction.ts';
import { encodeErasure } from '../format/records.codec.ts';
import type { ServiceClock } from '../service-clock.ts';
import type { Erasure, ShardState } from '../state/state.ts';
import type { StreamEntry } from '../state/stream.ts';
import type { Committer } from '../write/committer.ts';

export interface ScrubDeps {
  readonly log: ShardLog;
  readonly state: ShardState;
  readonly service: ServiceClock;
  readonly committer: Committer;
  readonly compaction: Compaction;
  readonly limits: { readonly erasureMs: number };
}

export class Scrub {
  readonly #deps: ScrubDeps;

  constructor(deps: ScrubDeps) {
    this.#deps = deps;
  }

  /**
   * Does what is due, and forgets orders of which nothing is left.
   *
   * @param roomBytes what copies may take
   * @param holdBack whether settled lines of others are copied too
   * @returns whether spans were emptied that two checkpoints must know of before they are given up
   */
  async run(roomBytes: number, holdBack: boolean): Promise<boolean> {
    const { compaction, log, state } = this.#deps;
    this.#forget();
    if (!this.#isDue()) return false;
    const through = this.#through();
    if (through >= state.spans.nextId) await this.#roll();
    if (through >= state.spans.nextId) return false;
    const before = this.#emptied();
    await compaction.empty(through, roomBytes, holdBack);
    if (this.#emptied() > before) return true;
    // Its spans are gone and a segment of theirs is not: the newest one stays until something follows it.
    const start = startOf(state);
    if (state.spans.sealed.every((span) => span.id > through) && log.start() < start) {
      await this.#roll();
      await log.trimBefore(start as Position);
    }
    return false;
  }

  /** Whether a stream has erased lines whose bytes are still on disk, or that are not settled yet. */
  isPending(stream: StreamEntry): boolean {
    return this.#deps.state.erasures.has(stream.id);
  }

  #isDue(): boolean {
    const { limits, service, state } = this.#deps;
    const before = service.nowMs() - limits.erasureMs;
    for (const [, erasure] of state.erasures) {
      if (erasure.serviceMs <= before && !this.#areBytesGone(erasure)) return true;
    }
    return false;
  }

  #through(): number {
    let through = 0;
    for (const [, erasure] of this.#deps.state.erasures) {
      through = Math.max(through, erasure.throughSpan);
    }
    return through;
  }

  #emptied(): number {
    return this.#deps.state.spans.sealed.filter((span) => span.emptied).length;
  }

  /** Seals the tail, and lets a record follow it: an order said again changes nothing. */
  async #roll(): Promise<void> {
    const { committer, state } = this.#deps;
    await committer.seal();
    const [first] = state.erasures;
    if (first === undefined) return;
    const [stream, { to }] = first;
    await committer.record((group) => {
      const body = { order: '', stream, to, atMs: group.wallMs };
      const record = { kind: 'erasure', serviceMs: group.serviceMs, body } as const;
      group.add(record, [encodeErasure(group.serviceMs, body)]);
      return undefined;
    });
  }

  #areBytesGone({ throughSpan }: Erasure): boolean {
    const { log, state } = this.#deps;
    const { nextId, sealed } = state.spans;
    return (sealed[0]?.id ?? nextId) > throughSpan && log.start() >= startOf(state);
  }

  #forget(): void {
    const { state } = this.#deps;
    for (const [id, erasure] of state.erasures) {
      const stream = state.streamsById.get(id);
      if (stream === undefined || !this.#areBytesGone(erasure)) continue;
      if (stream.jobs.some(({ cursor }) => cursor < erasure.to)) continue;
      if (stream.settledTo < Math.min(erasure.to, stream.claimedFrom())) continue;
      stream.oldest = Math.max(stream.oldest, erasure.to);
      state.erasures.delete(id);
    }
  }
}

/** Where the oldest span begins that is still there. */
function startOf({ spans }: ShardState): number {
  return spans.sealed[0]?.start ?? spans.tailStart;
}
