/** Has pieces deflated by another thread. */
import type { Clock } from '../clock.ts';
import type { DeflatedPiece, DeflateMany, PlainPiece } from './contract.ts';
import type { Done, FromThread, Order, Port } from './messages.ts';

/** Plain bytes told at once: some milliseconds of work, so that what is done is copied while the rest is under way. */
const ORDER_BYTES = 256 * 1024;
/** Memory that is kept for later orders; more may be under way, as much as a commit has lines. */
const IDLE_MEMORIES = 24;

interface UnderWay extends Order {
  readonly keep: (fragment: Uint8Array) => Buffer;
  readonly resolve: (deflated: readonly DeflatedPiece[] | undefined) => void;
}

export class DeflatingThread {
  readonly #port: Port;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #underWay = new Map<number, UnderWay>();
  /** Nobody writes into these. */
  readonly #idle: SharedArrayBuffer[] = [];
  /** When it was last known to have nothing to do, or said something. */
  #heardMs = 0;
  #last = 0;
  #state: 'loading' | 'ready' | 'gone' = 'loading';

  constructor(port: Port, clock: Pick<Clock, 'monotonicMs'>) {
    this.#port = port;
    this.#clock = clock;
    port.on('message', (message: FromThread) => this.#take(message));
  }

  readonly deflate: DeflateMany = async (pieces, level, keep) => {
    // Whoever waits for an answer does not wait for code to be loaded.
    if (this.#state !== 'ready') return undefined;
    const orders: Promise<readonly DeflatedPiece[] | undefined>[] = [];
    for (const run of runsOf(pieces)) orders.push(this.#order(run, level, keep));
    const deflated: DeflatedPiece[] = [];
    for (const done of await Promise.all(orders)) {
      if (done === undefined) return undefined;
      deflated.push(...done);
    }
    return deflated;
  };

  /** For how long it has said nothing although it has something to do, milliseconds. */
  silentMs(): number {
    return this.#underWay.size > 0 ? this.#clock.monotonicMs() - this.#heardMs : 0;
  }

  /** The thread is gone. */
  end(): void {
    this.#state = 'gone';
    for (const { resolve } of this.#underWay.values()) resolve(undefined);
    this.#underWay.clear();
  }

  #order(
    pieces: readonly PlainPiece[],
    level: number,
    keep: UnderWay['keep'],
  ): Promise<readonly DeflatedPiece[] | undefined> {
    const memory = this.#memoryOf(pieces.reduce((sum, { bytes }) => sum + bytes, 0));
    const target = Buffer.from(memory);
    const ends = new Uint32Array(pieces.length);
    let at = 0;
    for (const [index, { parts }] of pieces.entries()) {
      for (const part of parts) {
        at += copy(part, target, at);
      }
      ends[index] = at;
    }
    if (this.#underWay.size === 0) this.#heardMs = this.#clock.monotonicMs();
    const order = ++this.#last;
    return new Promise((resolve) => {
      this.#underWay.set(order, { order, memory, ends, level, keep, resolve });
      this.#port.postMessage({ order, memory, ends, level } satisfies Order);
    });
  }

  #memoryOf(bytes: number): SharedArrayBuffer {
    const idle = bytes <= ORDER_BYTES ? this.#idle.pop() : undefined;
    return idle ?? new SharedArrayBuffer(Math.max(bytes, ORDER_BYTES));
  }

  #take(message: FromThread): void {
    this.#heardMs = this.#clock.monotonicMs();
    if (message === 'ready') {
      if (this.#state === 'loading') this.#state = 'ready';
      return;
    }
    const order = this.#underWay.get(message.order);
    if (order === undefined) return;
    this.#underWay.delete(message.order);
    order.resolve(readDone(order, message));
    const isUsual = order.memory.byteLength === ORDER_BYTES;
    if (isUsual && this.#idle.length < IDLE_MEMORIES) this.#idle.push(order.memory);
  }
}

/** `set` copies byte by byte where memory is shared: twice as dear. */
function copy(part: Uint8Array, target: Buffer, at: number): number {
  const bytes = Buffer.isBuffer(part)
    ? part
    : Buffer.from(part.buffer, part.byteOffset, part.length);
  return bytes.copy(target, at);
}

function readDone({ memory, ends, keep }: UnderWay, done: Done): readonly DeflatedPiece[] {
  return Array.from(ends, (_, index) => {
    const length = done.lengths[index]!;
    const bytes = new Uint8Array(memory, ends[index - 1] ?? 0, length);
    const fragment = length === 0 ? undefined : { bytes: keep(bytes), crc: done.crcs[index]! };
    return { plainCrc: done.plainCrcs[index]!, fragment };
  });
}

/** Runs of about {@link ORDER_BYTES}; a larger piece goes by itself. */
function* runsOf(pieces: readonly PlainPiece[]): Generator<readonly PlainPiece[]> {
  let run: PlainPiece[] = [];
  let bytes = 0;
  for (const piece of pieces) {
    if (run.length > 0 && bytes + piece.bytes > ORDER_BYTES) {
      yield run;
      run = [];
      bytes = 0;
    }
    run.push(piece);
    bytes += piece.bytes;
  }
  if (run.length > 0) yield run;
}
