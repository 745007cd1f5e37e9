/**
 * A shard's thread for deflating small blocks, many for one message. Without it they go through libuv's pool, so nothing depends on it: while it
 * loads, after it ended, and when it hung, that is what the shard does.
 */
import type { Clock } from '../../lib/clock.ts';
import { DeflatingThread } from '../../lib/deflate-many/caller-side.ts';
import type { DeflateMany } from '../../lib/deflate-many/contract.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { HelperThread } from './helper-thread.ts';

export interface SmallBlockDeflater {
  readonly deflate: DeflateMany;
  close(): Promise<void>;
}

export interface SmallBlockDeflaterOptions {
  readonly clock: Pick<Clock, 'every' | 'monotonicMs'>;
  readonly diagnostics: Diagnostics;
  /** How long it may say nothing while it has work, and how long the shard does without it after that. */
  readonly silentMs: number;
  readonly restMs: number;
  /** What runs in the thread. */
  readonly script?: URL;
}

const SCRIPT = new URL('./deflater.worker.ts', import.meta.url);
/** It allocates next to nothing: a heap that grows would only hold memory. */
const YOUNG_MIB = 2;
/** Some 5 MiB of it are alive. Left alone it grows far beyond this, and with half of this a twentieth of its time goes into marking it. */
const OLD_MIB = 48;

export function smallBlockDeflater({
  script = SCRIPT,
  ...options
}: SmallBlockDeflaterOptions): SmallBlockDeflater {
  const thread = new HelperThread({
    ...options,
    name: 'the thread that deflates small blocks',
    script,
    threadName: 'wb-deflate',
    worker: {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB, maxOldGenerationSizeMb: OLD_MIB },
    },
    join: (made) => new DeflatingThread(made, options.clock),
  });
  return {
    deflate: async (...wish) => thread.get()?.deflate(...wish),
    close: () => thread.close(),
  };
}
