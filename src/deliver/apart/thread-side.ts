/** In a thread that prepares batches for a shard: takes orders, asks for blocks, hands bodies over. */
import type { ReadBlocks, StoredBlock } from '../../buffer/index.ts';
import { AssertionError } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import { giveBack, giveBackMemory } from '../../lib/give-back.ts';
import { deflateFragmentHere } from '../../lib/gzip.ts';
import type { Fragment } from '../../lib/gzip.ts';
import { ShortTurns } from '../../lib/short-turns.ts';
import { compileContent } from '../content/index.ts';
import type { Content } from '../contract.ts';
import { AGAIN_LEVEL, DEFLATE_LEVEL } from '../body.ts';
import { prepare } from '../prepare.ts';
import type { PrepareTools } from '../prepare.ts';
import type { FromThread, Port, Task, ToThread } from './messages.ts';
import { packBatch, unpackBlocks } from './packing.ts';

/** What a fragment that was made on the calling thread may leave of its memory. */
const ZLIB_BYTES = 128 * 1024;

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

  const run = async (task: number, order: Task, given: ReadBlocks): Promise<void> => {
    let first: ReadBlocks | undefined = given;
    try {
      const prepared = await prepare(
        { ...order, content: contentOf(order.content) },
        {
          buffer: {
            read(_, from, maxPlainBytes) {
              const came = first;
              first = undefined;
              return came ? Promise.resolve(came) : read(task, from, maxPlainBytes);
            },
          },
          inflate: async (block) => tools.inflate(block),
          deflate: async (plain) => compact(deflateFragmentHere(plain, DEFLATE_LEVEL)),
          deflateAgain: async (plain) => compact(deflateFragmentHere(plain, AGAIN_LEVEL)),
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

  port.on('message', ({ task, order, read: came }: ToThread) => {
    const blocks = came.kind === 'packed' ? unpackBlocks(came) : came;
    if (order) return void run(task, order, blocks);
    const resolve = reading.get(task);
    reading.delete(task);
    resolve?.(blocks);
  });
}

/** zlib sets aside far more than a fragment needs. That goes back at once: it would be garbage of 128 KiB for each batch. */
function compact(fragment: Fragment): Fragment {
  const bytes = Buffer.allocUnsafeSlow(fragment.bytes.length);
  bytes.set(fragment.bytes);
  giveBack(fragment.bytes, ZLIB_BYTES);
  return { ...fragment, bytes };
}

/** All of it came here, or was made here, for this one batch: nobody else has it. */
function giveBackAll(bytes: readonly Buffer[]): void {
  for (const { buffer } of bytes) giveBackMemory(buffer);
}

function contentOf(told: Task['content']): Content {
  return told === 'whole' ? told : compileContent(told, told.dataset, told.epoch);
}
