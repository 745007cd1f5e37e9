/** In a thread that prepares batches for a shard: takes orders, asks for blocks, hands bodies over. */
import type { ReadBlocks, StoredBlock } from '../../buffer/index.ts';
import { AssertionError } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import { deflateFragmentHere } from '../../lib/gzip.ts';
import { ShortTurns } from '../../lib/short-turns.ts';
import { compileContent } from '../content/index.ts';
import type { Content } from '../contract.ts';
import { AGAIN_LEVEL, DEFLATE_LEVEL } from '../body.ts';
import { prepare } from '../prepare.ts';
import type { PrepareTools } from '../prepare.ts';
import type { FromThread, Port, Task, ToThread } from './messages.ts';
import { packBatch, unpackBlocks } from './packing.ts';

export interface PreparingTools {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** As delivery's own, but on the calling thread. */
  readonly inflate: (block: StoredBlock) => Buffer;
  readonly limits: PrepareTools['limits'];
}

/** Serves a shard until the thread ends. */
export function prepareForShard(port: Port, tools: PreparingTools): void {
  const reading = new Map<number, (read: ReadBlocks) => void>();
  const turns = new ShortTurns(tools.clock, () => new Promise((go) => void setImmediate(go)));
  const say = (message: FromThread, transfer: ArrayBuffer[] = []): void =>
    port.postMessage(message, transfer);
  const read = (task: number, from: number, maxPlainBytes: number): Promise<ReadBlocks> =>
    new Promise((resolve) => {
      reading.set(task, resolve);
      say({ task, from, maxPlainBytes });
    });

  const run = async (task: number, order: Task): Promise<void> => {
    try {
      const prepared = await prepare(
        { ...order, content: contentOf(order.content) },
        {
          buffer: { read: (_, from, maxPlainBytes) => read(task, from, maxPlainBytes) },
          inflate: async (block) => tools.inflate(block),
          deflate: async (plain) => deflateFragmentHere(plain, DEFLATE_LEVEL),
          deflateAgain: async (plain) => deflateFragmentHere(plain, AGAIN_LEVEL),
          inTurn: (piece) => turns.run(piece),
          done: giveBackAll,
          limits: tools.limits,
        },
      );
      if (prepared.kind !== 'batch') return say({ task, prepared });
      const packed = packBatch(prepared);
      say({ task, prepared: packed }, [packed.body]);
    } catch (error) {
      const name = error instanceof Error ? error.name : 'unknown';
      say({ task, fault: { name, claim: error instanceof AssertionError ? error.message : '' } });
    }
  };

  port.on('message', (message: ToThread) => {
    if ('order' in message) return void run(message.task, message.order);
    const resolve = reading.get(message.task);
    reading.delete(message.task);
    resolve?.(message.read.kind === 'packed' ? unpackBlocks(message.read) : message.read);
  });
}

/** All of it came here, or was made here, for this one batch: nobody else has it. Small Buffers share memory with others. */
function giveBackAll(bytes: readonly Buffer[]): void {
  for (const { buffer } of bytes) {
    const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize;
    if (isOwn && !buffer.detached) buffer.transfer(0);
  }
}

function contentOf(told: Task['content']): Content {
  return told === 'whole' ? told : compileContent(told, told.dataset, told.epoch);
}
