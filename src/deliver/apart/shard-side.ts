/**
 * Has batches prepared by another thread, which asks back for the blocks that it needs. What it makes is what `prepare` makes
 * here: the same code runs there over the same blocks (I7).
 */
import type { ReadBlocks } from '../../buffer/index.ts';
import { AssertionError } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Content } from '../contract.ts';
import { WINDOW_BYTES } from '../prepare.ts';
import type { Prepared, PrepareRequest, PrepareTools } from '../prepare.ts';
import type { FromThread, Port, Task, ToThread } from './messages.ts';
import { packBlocks, unpack } from './packing.ts';

export type BlockSource = PrepareTools['buffer'];

interface UnderWay {
  readonly request: PrepareRequest;
  readonly buffer: BlockSource;
  readonly resolve: (prepared: Prepared) => void;
  readonly reject: (error: Error) => void;
}

/** Whether a request can be told to another thread: what is compiled must say what it was compiled from. */
export function canBeTold(content: Content): boolean {
  return content === 'whole' || content.recipe !== undefined;
}

export class PreparingThread {
  readonly #port: Port;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #underWay = new Map<number, UnderWay>();
  /** Tasks for which the thread has all that it asked for, and since when. */
  readonly #owed = new Map<number, number>();
  #heardMs = 0;
  #last = 0;
  #gone: string | undefined;

  constructor(port: Port, clock: Pick<Clock, 'monotonicMs'>) {
    this.#port = port;
    this.#clock = clock;
    port.on('message', (message: FromThread) => this.#take(message));
  }

  /** As `prepare`; what cannot be prepared because the thread is gone has failed, and is tried again. */
  prepare(request: PrepareRequest, buffer: BlockSource): Promise<Prepared> {
    if (this.#gone !== undefined) return Promise.resolve({ kind: 'failed', detail: this.#gone });
    const task = ++this.#last;
    return new Promise((resolve, reject) => {
      const order = toldOf(request);
      const underWay = { request, buffer, resolve, reject };
      this.#underWay.set(task, underWay);
      void this.#begin(task, order, underWay);
    });
  }

  /** The order goes out with what it will ask for first: most batches of small blocks need no more. */
  async #begin(task: number, order: Task, { request, buffer, reject }: UnderWay): Promise<void> {
    const { stream, range } = request;
    try {
      const read = await buffer.read(stream, range.from, WINDOW_BYTES, range.to);
      this.#answer(task, read, order);
    } catch (error) {
      // The thread has not heard of it.
      this.#underWay.delete(task);
      reject(error as Error);
    }
  }

  /** For how long it has said nothing although it has something to do, milliseconds. */
  silentMs(): number {
    const [oldest] = this.#owed.values();
    return oldest === undefined ? 0 : this.#clock.monotonicMs() - Math.max(oldest, this.#heardMs);
  }

  /** The thread is gone. */
  end(detail: string): void {
    this.#gone = detail;
    for (const { resolve } of this.#underWay.values()) resolve({ kind: 'failed', detail });
    this.#underWay.clear();
    this.#owed.clear();
  }

  #take(message: FromThread): void {
    this.#heardMs = this.#clock.monotonicMs();
    this.#owed.delete(message.task);
    const task = this.#underWay.get(message.task);
    if (task === undefined) return;
    if ('from' in message) {
      void this.#read(message.task, task, message);
      return;
    }
    this.#underWay.delete(message.task);
    if ('fault' in message) task.reject(faultOf(message.fault));
    else task.resolve(unpack(message.prepared, task.request.receiver));
  }

  async #read(
    task: number,
    { request, buffer, reject }: UnderWay,
    { from, maxPlainBytes }: { readonly from: number; readonly maxPlainBytes: number },
  ): Promise<void> {
    try {
      const { stream, range } = request;
      const read = await buffer.read(stream, from, maxPlainBytes, range.to);
      this.#answer(task, read);
    } catch (error) {
      this.#underWay.delete(task);
      reject(error as Error);
      // It would wait for ever, and hold what it has of the batch.
      this.#answer(task, { kind: 'failed', detail: 'reading met a fault' });
    }
  }

  #answer(task: number, read: ReadBlocks, order?: Task): void {
    if (this.#gone !== undefined) return;
    const first = order === undefined ? {} : { order };
    if (read.kind !== 'blocks') return this.#tell({ task, ...first, read });
    const packed = packBlocks(read.blocks);
    read.giveBack?.();
    this.#tell({ task, ...first, read: packed }, [packed.bytes]);
  }

  #tell(message: ToThread, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer);
    this.#owed.set(message.task, this.#clock.monotonicMs());
  }
}

function toldOf({ content, ...request }: PrepareRequest): Task {
  if (content === 'whole') return { ...request, content };
  const { recipe } = content;
  if (recipe === undefined) throw new AssertionError('what is told to a thread has a recipe');
  return { ...request, content: recipe };
}

function faultOf({ name, claim }: { readonly name: string; readonly claim: string }): Error {
  // Only our own claims come with their words: any other message might hold a customer's bytes.
  if (name === 'AssertionError') return new AssertionError(claim);
  const fault = new Error('a thread that prepares batches met a fault');
  fault.name = name;
  return fault;
}
