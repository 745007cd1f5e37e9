/**
 * What each producer (a forwarder) has stored in each stream. Sequences grow but may leave holes, and when one request of
 * several under way fails, others may be stored long before it comes again. So it is not enough to know the highest: the
 * last few are remembered one by one, and of those before them the holes, so that only what was stored for certain counts
 * as a repeat. A sequence that nobody can tell any more is refused: it may never have been stored.
 */
import type { RequestIdentity } from '../contract.ts';
import type { StoredRequest } from './keys.ts';

/** Requests of one producer to one stream whose place is remembered: as many may be under way at once. */
export const WINDOW = 8;
/** Holes remembered behind them; what lies before the oldest of too many cannot be told any more. */
const HOLES = 32;

type Producer = Extract<RequestIdentity, { kind: 'producer' }>;

export type Seen =
  | { readonly kind: 'new' }
  | { readonly kind: 'stored'; readonly request: StoredRequest }
  /** Stored so long ago that its place is not remembered. */
  | { readonly kind: 'forgotten' }
  /** A newer epoch of the producer has been seen, or nobody can tell any more whether it was stored. */
  | { readonly kind: 'stale' };

/** From the first to the last sequence of it. */
type Hole = readonly [first: number, last: number];

interface Memory {
  epoch: number;
  /** The highest sequence that was forgotten; every one up to it was stored, but for holes and what is untold. */
  forgotten: number;
  /** Below this sequence nobody can tell. */
  told: number;
  /** Sequences between `told` and `forgotten` that were not stored, ordered. */
  holes: Hole[];
  window: { readonly sequence: number; readonly request: StoredRequest }[];
}

/** A memory as the checkpoint holds it. */
export type ProducerSnapshot = readonly [
  name: string,
  epoch: number,
  forgotten: number,
  window: readonly (readonly [sequence: number, request: StoredRequest])[],
  told?: number,
  holes?: readonly Hole[],
];

export class ProducerMemory {
  readonly #limit: number;
  /** By producer and stream; the one used longest ago comes first. */
  readonly #memories = new Map<string, Memory>();

  constructor(limit: number) {
    this.#limit = Math.max(1, limit);
  }

  find(stream: number, identity: Producer): Seen {
    const memory = this.#memories.get(name(stream, identity));
    if (memory === undefined || identity.epoch > memory.epoch) return { kind: 'new' };
    if (identity.epoch < memory.epoch) return { kind: 'stale' };
    const known = memory.window.find((one) => one.sequence === identity.sequence);
    if (known !== undefined) return { kind: 'stored', request: known.request };
    const { sequence } = identity;
    if (sequence > memory.forgotten || isHole(memory, sequence)) return { kind: 'new' };
    return sequence < memory.told ? { kind: 'stale' } : { kind: 'forgotten' };
  }

  /** The newest epoch of the producer that the stream has seen, and its highest sequence. */
  last(
    stream: number,
    producer: bigint,
  ): { readonly epoch: number; readonly sequence: number } | undefined {
    const memory = this.#memories.get(nameOf(stream, producer));
    if (memory === undefined) return undefined;
    return { epoch: memory.epoch, sequence: memory.window.at(-1)?.sequence ?? memory.forgotten };
  }

  remember(stream: number, identity: Producer, request: StoredRequest): void {
    if (this.find(stream, identity).kind !== 'new') return;
    const key = name(stream, identity);
    let memory = this.#memories.get(key);
    if (memory === undefined || identity.epoch > memory.epoch) {
      memory = { epoch: identity.epoch, forgotten: -1, told: 0, holes: [], window: [] };
    }
    memory.window.push({ sequence: identity.sequence, request });
    memory.window.sort((a, b) => a.sequence - b.sequence);
    if (memory.window.length > WINDOW) forget(memory, memory.window.shift()!.sequence);
    this.#memories.delete(key);
    this.#memories.set(key, memory);
    if (this.#memories.size > this.#limit) {
      const [oldest] = this.#memories.keys();
      if (oldest !== undefined) this.#memories.delete(oldest);
    }
  }

  snapshot(): ProducerSnapshot[] {
    return [...this.#memories].map(([key, { epoch, forgotten, holes, told, window }]) => [
      key,
      epoch,
      forgotten,
      window.map((one) => [one.sequence, one.request] as const),
      told,
      [...holes],
    ]);
  }

  restore(snapshots: readonly ProducerSnapshot[]): void {
    for (const [key, epoch, forgotten, window, told = 0, holes = []] of snapshots) {
      this.#memories.set(key, {
        epoch,
        forgotten,
        told,
        holes: [...holes],
        window: window.map(([sequence, request]) => ({ sequence, request })),
      });
    }
  }
}

function name(stream: number, identity: Producer): string {
  return nameOf(stream, identity.producer);
}

function nameOf(stream: number, producer: bigint): string {
  return `${producer.toString(36)}/${stream}`;
}

function isHole({ holes }: Memory, sequence: number): boolean {
  return holes.some(([first, last]) => sequence >= first && sequence <= last);
}

/** Takes note that a sequence was stored whose place is remembered no longer. */
function forget(memory: Memory, sequence: number): void {
  if (sequence > memory.forgotten) {
    if (sequence > memory.forgotten + 1) memory.holes.push([memory.forgotten + 1, sequence - 1]);
    memory.forgotten = sequence;
  } else {
    // It came late, out of a hole.
    memory.holes = memory.holes.flatMap(([first, last]): Hole[] => {
      if (sequence < first || sequence > last) return [[first, last]];
      const parts: Hole[] = [
        [first, sequence - 1],
        [sequence + 1, last],
      ];
      return parts.filter((part) => part[0] <= part[1]);
    });
  }
  while (memory.holes.length > HOLES) memory.told = memory.holes.shift()![1] + 1;
}
