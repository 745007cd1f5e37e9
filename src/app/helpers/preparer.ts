/**
 * A shard's second thread: it prepares large batches that are made anew, at a lower priority than everything else, so that the
 * kernel gives a core to answers, syncs and other tenants first. When it ends by itself, or is ended because it hangs, what it had
 * under way is tried again, and the next batch makes a new one.
 */
import { PreparingThread } from '../../deliver/index.ts';
import type { PrepareApart } from '../../deliver/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { HelperThread } from './helper-thread.ts';

export interface Preparer {
  readonly prepare: PrepareApart;
  close(): Promise<void>;
}

export interface PreparerOptions {
  readonly clock: Pick<Clock, 'every' | 'monotonicMs'>;
  readonly diagnostics: Diagnostics;
  /** How long it may say nothing while it has work. */
  readonly silentMs: number;
  /** What runs in the thread. */
  readonly script?: URL;
}

/**
 * The young generation: a batch's objects live for milliseconds. Left alone it grows to 32 MiB and more, which a server that begins to
 * catch up would then need more than before.
 */
const YOUNG_MIB = 12;
/**
 * What the rest may come to; V8 looks through it from half of this on. Some 15 MiB of it are alive, and left alone a long drain filled
 * another 50 with what lived a little longer.
 */
const OLD_MIB = 96;

const SCRIPT = new URL('./preparer.worker.ts', import.meta.url);

export function preparer({ script = SCRIPT, ...options }: PreparerOptions): Preparer {
  const thread = new HelperThread({
    ...options,
    name: 'the thread that prepares batches',
    script,
    threadName: 'wb-prepare',
    worker: {
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB, maxOldGenerationSizeMb: OLD_MIB },
    },
    join: (made) => new PreparingThread(made, options.clock),
  });
  return {
    prepare(request, buffer) {
      const helper = thread.get();
      if (helper === undefined)
        return Promise.resolve({ kind: 'failed', detail: 'the shard is closing' });
      return helper.prepare(request, buffer);
    },
    close: () => thread.close(),
  };
}
