/**
 * Ways between simulated threads. Messages are cloned and memory is moved as real ports do it; they come later, in their order;
 * of what a thread has said last, some is lost when it dies, and whoever is at the other end is told that it is gone.
 */
import { EventEmitter } from 'node:events';
import { MessagePort } from 'node:worker_threads';

import type { Random } from '../../../src/lib/random.ts';
import { turn } from '../turn.ts';

/** The thread in which an end of a way lies. */
export interface Host {
  readonly isDead: boolean;
  /** Resolves when it runs; never once it is dead. */
  awake(): Promise<void>;
  /** Does it when the thread next runs: at once, or after it has hung. In vain when it dies before. */
  whenAwake(work: () => void): void;
}

/** Turns that a message is on its way at most. */
const MOST_TURNS = 3;

export class Wire {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  way(): { readonly port1: SimPort; readonly port2: SimPort } {
    const port1 = new SimPort(this);
    const port2 = new SimPort(this);
    port1.other = port2;
    port2.other = port1;
    return { port1, port2 };
  }

  /** From 0 to less than `bound`. */
  below(bound: number): number {
    return Math.floor(this.#random.fraction() * bound);
  }

  async delay(): Promise<void> {
    for (let left = this.below(MOST_TURNS + 1); left > 0; left -= 1) await turn();
  }
}

type Said = { readonly message: unknown } | 'gone';

/** An end of a way: as much of a MessagePort as is made use of. */
export class SimPort {
  other!: SimPort;
  /** Whose it is; unknown while it is on its way there. */
  host: Host | undefined;
  readonly #wire: Wire;
  readonly #events = new EventEmitter();
  readonly #coming: Said[] = [];
  #isComing = false;
  #isClosed = false;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  on(event: 'message' | 'close', listener: (message: unknown) => void): this {
    this.#events.on(event, listener);
    // As with a real one, what has come waits for somebody who listens.
    void this.#come();
    return this;
  }

  postMessage(message: unknown, transfer: readonly unknown[] = []): void {
    if (this.#isClosed || this.host?.isDead) return;
    const said = { message: cloned(message, transfer) };
    if (this.host) this.host.whenAwake(() => this.other.#take(said));
    else this.other.#take(said);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.other.#take('gone');
  }

  /** With its thread. */
  die(): void {
    if (this.#isClosed) return;
    const { length } = this.other.#coming;
    this.other.#coming.length = length - this.#wire.below(length + 1);
    this.close();
  }

  #take(said: Said): void {
    if (this.#isClosed) return;
    this.#coming.push(said);
    void this.#come();
  }

  async #come(): Promise<void> {
    if (this.#isComing) return;
    this.#isComing = true;
    while (this.#coming.length > 0 && this.#events.listenerCount('message') > 0) {
      await this.#wire.delay();
      await this.host?.awake();
      const said = this.#coming.shift();
      if (said === undefined || this.#isClosed) continue;
      if (said !== 'gone') this.#events.emit('message', said.message);
      else {
        this.#isClosed = true;
        this.#events.emit('close');
      }
    }
    this.#isComing = false;
  }
}

// By its class `rpc.ts` knows what among a call's arguments moves to the other thread.
Object.setPrototypeOf(SimPort.prototype, MessagePort.prototype);

function cloned(message: unknown, transfer: readonly unknown[]): unknown {
  const ports = transfer.filter((one) => one instanceof SimPort);
  if (ports.length === 0) {
    return structuredClone(message, { transfer: transfer as ArrayBuffer[] });
  }
  const { args, ...rest } = message as { readonly args: readonly unknown[] };
  return {
    ...rest,
    args: args.map((one) => (one instanceof SimPort ? one : structuredClone(one))),
  };
}
