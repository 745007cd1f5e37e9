/**
 * Which servers lines have passed through, so that a loop of deliveries over several of them is found.
 *
 * A delivery says in `Waybill-Via` its own server's name and those that its lines came through; a server that meets its own
 * name refuses the request. What is delivered here is a new batch, so the names are kept beside each stream: from the
 * first to the last offset that came with a name. Lines between the two that did not are taken for such, too.
 */
import type { Clock } from './clock.ts';

/** A name as servers give themselves; anything else in the header is nobody's. */
const NAME = /^[A-Za-z0-9_-]{1,32}$/;

/** Offsets of a stream, `to` not included. */
export interface ViaRange {
  readonly from: number;
  readonly to: number;
}

export interface PassedThroughBounds {
  /** Names kept for one stream; the one that was seen longest ago makes room. */
  readonly namesPerStream: number;
  /** Names kept in all; the stream that was fed longest ago makes room. */
  readonly names: number;
  /** How long a name is kept after it was seen last, milliseconds in service. */
  readonly keepMs: number;
}

interface Passage {
  from: number;
  to: number;
  seenMs: number;
}

/** Names of a `Waybill-Via` header, at most `most` of them. */
export function readVia(header: string | readonly string[] | undefined, most: number): string[] {
  if (header === undefined) return [];
  const names = String(header).split(',', most);
  return names.map((name) => name.trim()).filter((name) => NAME.test(name));
}

/** The names that streams' lines came with. Held in memory alone: a start forgets it. */
export class PassedThrough {
  readonly #clock: Clock;
  readonly #bounds: PassedThroughBounds;
  /** Streams, and each one's names, in the order in which they were seen last. */
  readonly #streams = new Map<string, Map<string, Passage>>();
  #count = 0;

  constructor(clock: Clock, bounds: PassedThroughBounds) {
    this.#clock = clock;
    this.#bounds = bounds;
  }

  /** Lines of a stream have come through these servers. */
  note(stream: string, { from, to }: ViaRange, names: readonly string[]): void {
    if (names.length === 0 || from === to) return;
    const seenMs = this.#clock.monotonicMs();
    const passages = this.#streams.get(stream) ?? new Map<string, Passage>();
    this.#streams.delete(stream);
    this.#streams.set(stream, passages);
    for (const name of names) {
      const before = passages.get(name);
      if (before === undefined) this.#count++;
      passages.delete(name);
      const start = Math.min(from, before?.from ?? from);
      passages.set(name, { from: start, to: Math.max(to, before?.to ?? to), seenMs });
      if (passages.size > this.#bounds.namesPerStream) this.#forgetOldest(passages);
    }
    this.#makeRoom();
  }

  /** The servers that some of these lines may have come through. */
  names(stream: string, { from, to }: ViaRange): readonly string[] {
    const passages = this.#streams.get(stream);
    if (passages === undefined) return [];
    const sinceMs = this.#clock.monotonicMs() - this.#bounds.keepMs;
    return [...passages]
      .filter(([, seen]) => seen.seenMs >= sinceMs && seen.from < to && from < seen.to)
      .map(([name]) => name);
  }

  #forgetOldest(passages: Map<string, Passage>): void {
    const [oldest] = passages.keys();
    if (oldest !== undefined && passages.delete(oldest)) this.#count--;
  }

  #makeRoom(): void {
    for (const [stream, passages] of this.#streams) {
      if (this.#count <= this.#bounds.names) return;
      this.#streams.delete(stream);
      this.#count -= passages.size;
    }
  }
}
