/**
 * What each producer (a forwarder) has stored in each stream. Sequences grow but may leave holes, and when one request of
 * several under way fails, a later one may be stored before it comes again. So it is not enough to know the highest: the
 * last few are remembered one by one, and only what is not above the highest *forgotten* one counts as a repeat unseen.
 * A producer therefore keeps at most {@link WINDOW} requests to a stream under way.
 */
import type { RequestIdentity } from '../contract.ts';
import type { StoredRequest } from './keys.ts';

/** Requests of one producer to one stream that may be under way at once. */
export const WINDOW = 8;

type Producer = Extract<RequestIdentity, { kind: 'producer' }>;

export type Seen =
  | { readonly kind: 'new' }
  | { readonly kind: 'stored'; readonly request: StoredRequest }
  /** Stored so long ago that its place is not remembered. */
  | { readonly kind: 'forgotten' }
  /** A newer epoch of the producer has been seen: this one is a leftover. */
  | { readonly kind: 'stale' };

interface Memory {
  epoch: number;
  /** The highest sequence that was forgotten; every one up to it was stored or given up by its producer. */
  forgotten: number;
  window: { readonly sequence: number; readonly request: StoredRequest }[];
}

/** A memory as the checkpoint holds it. */
export type ProducerSnapshot = readonly [
  name: string,
  epoch: number,
  forgotten: number,
  window: readonly (readonly [sequence: number, request: StoredRequest])[],
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
    return identity.sequence <= memory.forgotten ? { kind: 'forgotten' } : { kind: 'new' };
  }

  remember(stream: number, identity: Producer, request: StoredRequest): void {
    if (this.find(stream, identity).kind !== 'new') return;
    const key = name(stream, identity);
    let memory = this.#memories.get(key);
    if (memory === undefined || identity.epoch > memory.epoch) {
      memory = { epoch: identity.epoch, forgotten: -1, window: [] };
    }
    memory.window.push({ sequence: identity.sequence, request });
    memory.window.sort((a, b) => a.sequence - b.sequence);
    if (memory.window.length > WINDOW) memory.forgotten = memory.window.shift()!.sequence;
    this.#memories.delete(key);
    this.#memories.set(key, memory);
    if (this.#memories.size > this.#limit) {
      const [oldest] = this.#memories.keys();
      if (oldest !== undefined) this.#memories.delete(oldest);
    }
  }

  snapshot(): ProducerSnapshot[] {
    return [...this.#memories].map(([key, { epoch, forgotten, window }]) => [
      key,
      epoch,
      forgotten,
      window.map((one) => [one.sequence, one.request] as const),
    ]);
  }

  restore(snapshots: readonly ProducerSnapshot[]): void {
    for (const [key, epoch, forgotten, window] of snapshots) {
      this.#memories.set(key, {
        epoch,
        forgotten,
        window: window.map(([sequence, request]) => ({ sequence, request })),
      });
    }
  }
}

function name(stream: number, identity: Producer): string {
  return `${identity.producer.toString(36)}/${stream}`;
}
