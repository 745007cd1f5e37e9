/**
 * A shard's second thread: it prepares large batches that are made anew, at a lower priority than everything else, so that the
 * kernel gives a core to answers, syncs and other tenants first. Made when there is something for it to do; when it ends by
 * itself, or is ended because it hangs, what it had under way is tried again, and the next batch makes a new one.
 */
import { Worker } from 'node:worker_threads';
import { PreparingThread } from '../deliver/index.ts';
import type { PrepareApart } from '../deliver/index.ts';
import type { Cancel, Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';

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

const SCRIPT = new URL('./preparer.worker.ts', import.meta.url);

export function preparer(options: PreparerOptions): Preparer {
  const { clock, diagnostics, silentMs, script = SCRIPT } = options;
  let worker: Worker | undefined;
  let thread: PreparingThread | undefined;
  let closed = false;

  const start = (): PreparingThread => {
    const made = new Worker(script, { stdout: false, stderr: false });
    const joined = new PreparingThread(made, clock);
    const stopLooking: Cancel = clock.every(silentMs / 4, () => {
      if (joined.silentMs() < silentMs) return;
      stopLooking();
      diagnostics.alarm('the thread that prepares batches hangs and is ended', { silentMs });
      void made.terminate();
    });
    made.on('error', (error) => {
      diagnostics.alarm('the thread that prepares batches failed', { kind: error.name });
    });
    made.on('exit', () => {
      stopLooking();
      joined.end('the thread that prepares batches ended');
      if (worker !== made) return;
      worker = undefined;
      thread = undefined;
    });
    // The shard ends without it.
    made.unref();
    worker = made;
    return joined;
  };
  return {
    prepare(request, buffer) {
      if (closed) return Promise.resolve({ kind: 'failed', detail: 'the shard is closing' });
      thread ??= start();
      return thread.prepare(request, buffer);
    },
    async close() {
      closed = true;
      await worker?.terminate();
    },
  };
}
