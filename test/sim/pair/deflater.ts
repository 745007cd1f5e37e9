/** The thread that deflates for a shard, simulated: it may end between any two of its messages, and come again. */
import type { MessagePort } from 'node:worker_threads';

import type { Clock } from '../../../src/lib/clock.ts';
import { DeflatingThread } from '../../../src/lib/deflate-many/caller-side.ts';
import type { DeflateMany } from '../../../src/lib/deflate-many/contract.ts';
import { deflateForOthers } from '../../../src/lib/deflate-many/thread-side.ts';
import type { Wire } from './wire.ts';

export class SimDeflater {
  readonly #wire: Wire;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #current: { readonly thread: DeflatingThread; readonly end: () => void } | undefined;

  constructor(wire: Wire, clock: Pick<Clock, 'monotonicMs'>) {
    this.#wire = wire;
    this.#clock = clock;
    this.set(true);
  }

  readonly deflate: DeflateMany = async (...wish) => this.#current?.thread.deflate(...wish);

  set(isThere: boolean): void {
    if (!isThere) {
      this.#current?.end();
      this.#current = undefined;
    } else if (this.#current === undefined) {
      const { port1, port2 } = this.#wire.way();
      const thread = new DeflatingThread(port1 as unknown as MessagePort, this.#clock);
      deflateForOthers(port2 as unknown as MessagePort);
      this.#current = {
        thread,
        end() {
          port2.die();
          thread.end();
        },
      };
    }
  }
}
