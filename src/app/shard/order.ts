/**
 * A shard's thread before it has its order: it loads its code, and waits. So it does while the control thread still loads its
 * own and reads the configuration, on another core.
 */
import { flushCompileCache, getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { MessageChannel, Worker, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { YOUNG_MIB, prepareShardHeaps } from '../heap.ts';
import type { ShardStart } from '../link/link.ts';

export interface ShardWorker {
  readonly thread: Worker;
  /** Tells it what to be; once. */
  readonly order: (start: ShardStart) => void;
}

interface Given {
  readonly shard: number;
  readonly orders: MessagePort;
}

export function makeShardWorker(shard: number): ShardWorker {
  prepareShardHeaps();
  const { port1, port2 } = new MessageChannel();
  const thread = new Worker(new URL('./shard.worker.ts', import.meta.url), {
    workerData: { shard, orders: port2 } satisfies Given,
    transferList: [port2],
    env: { ...process.env, ...compiledCode() },
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    // Its log goes to standard error by itself.
    stdout: false,
    stderr: false,
  });
  // A start that is refused ends without it.
  thread.unref();
  port1.unref();
  return {
    thread,
    order(start) {
      thread.ref();
      port1.postMessage(start);
      port1.close();
    },
  };
}

/** In the thread: resolves when the order comes. */
export async function shardOrder(): Promise<ShardStart> {
  const { orders } = workerData as Given;
  return new Promise((resolve) => void orders.once('message', resolve));
}

/**
 * Writes down what was compiled for this thread. Node does so at the end: a server that is only ever killed would compile all
 * of its code at each start.
 */
export function keepCompiledCode(): void {
  flushCompileCache();
}

/** Where the launcher keeps compiled code. A thread has to be told, and would else strip the types of all of its code anew. */
function compiledCode(): { NODE_COMPILE_CACHE?: string } {
  const folder = getCompileCacheDir();
  // What Node names is a folder for its version, inside the one that was asked for.
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) };
}
