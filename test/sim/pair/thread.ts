/** A simulated thread: it runs, hangs (nothing goes in or out, and no time passes for it) or is dead. */
import { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';

import type { Clock } from '../../../src/lib/clock.ts';
import { SimPort } from './wire.ts';
import type { Host, Wire } from './wire.ts';

/** Calls to the outside in which any work comes to an end for which no time has to pass. */
const MOST_CALLS = 20_000;

export class SimThread implements Host {
  isDead = false;
  /** Whether it was found to do the same again and again. */
  spins = false;
  readonly died: Promise<void>;
  #tellDeath: () => void = () => {};
  readonly #ports = new Set<SimPort>();
  /** Calls to the outside since it was last seen to come to rest. */
  #calls = 0;
  /** What it does when it runs again; undefined while it runs. */
  #held: (() => void)[] | undefined;

  readonly #onDeath: () => void;

  /** @param onDeath called at once when it dies */
  constructor(onDeath: () => void = () => {}) {
    this.#onDeath = onDeath;
    this.died = new Promise((resolve) => (this.#tellDeath = resolve));
  }

  get hangs(): boolean {
    return this.#held !== undefined;
  }

  awake(): Promise<void> {
    if (this.isDead) return new Promise(() => {});
    if (this.#held === undefined) return Promise.resolve();
    return new Promise((resolve) => this.whenAwake(resolve));
  }

  whenAwake(work: () => void): void {
    if (this.isDead) return;
    if (this.#held) this.#held.push(work);
    else work();
  }

  hang(): void {
    this.#held ??= [];
  }

  goOn(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const work of held) this.whenAwake(work);
  }

  /** The end of a way is its own from now on. */
  own(port: SimPort): void {
    port.host = this;
    this.#ports.add(port);
    if (this.isDead) port.die();
  }

  die(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.#held = undefined;
    for (const port of this.#ports) port.die();
    this.#onDeath();
    this.#tellDeath();
  }

  /** Time as it has it: what is due while it hangs comes late, and what is due when it is dead never. */
  clock(clock: Clock): Clock {
    const guarded = (fire: () => void) => {
      let isDue = false;
      return () => {
        // A timer that comes round while the one before still waits fires once.
        if (isDue || this.isDead) return;
        isDue = true;
        this.whenAwake(() => {
          isDue = false;
          fire();
        });
      };
    };
    return {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, fire) => clock.after(delayMs, guarded(fire)),
      every: (intervalMs, fire) => clock.every(intervalMs, guarded(fire)),
      sleep: (delayMs, signal) => clock.sleep(delayMs, signal).then(() => this.awake()),
    };
  }

  /** Calls to the outside as it has them: none is made while it hangs, and none answered. */
  outside<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (of, name) => {
        const value: unknown = Reflect.get(of, name);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          await this.#maySpin();
          await this.awake();
          const answer = await this.#answered(() => Reflect.apply(value, of, args) as unknown);
          const isHandle = typeof answer === 'object' && answer !== null && 'sync' in answer;
          return isHandle ? this.outside(answer) : answer;
        };
      },
    });
  }

  /** It has come to rest. */
  rested(): void {
    this.#calls = 0;
  }

  /** One that goes on and on without time passing would never let anybody else run. */
  async #maySpin(): Promise<void> {
    this.#calls += 1;
    if (this.#calls < MOST_CALLS) return;
    this.spins = true;
    await new Promise(() => {});
  }

  async #answered(call: () => unknown): Promise<unknown> {
    try {
      return await call();
    } finally {
      await this.awake();
    }
  }
}

/** What the control thread holds of a thread, as of a Worker. */
export function workerOf(thread: SimThread, control: SimThread, wire: Wire) {
  const { port1: outer, port2: parent } = wire.way();
  control.own(outer);
  thread.own(parent);
  const events = new EventEmitter();
  void thread.died.then(async () => {
    await wire.delay();
    control.whenAwake(() => events.emit('exit', 1));
  });
  const worker = Object.assign(events, {
    postMessage(message: unknown, transfer: readonly unknown[] = []) {
      for (const one of transfer) if (one instanceof SimPort) thread.own(one);
      outer.postMessage(message, transfer);
    },
    terminate: () => Promise.resolve(thread.die()),
    ref() {},
    unref() {},
  });
  outer.on('message', (message) => void events.emit('message', message));
  return { worker: worker as unknown as Worker, parent };
}
