/**
 * A thread beside a shard's, which works for it: made when there is something for it to do, ended when it hangs. What it had under
 * way then is the shard's again.
 */
import { Worker } from 'node:worker_threads';
import type { WorkerOptions } from 'node:worker_threads';
import type { Cancel, Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';

/** The shard's end of such a thread. */
export interface Helper {
  /** For how long it has said nothing although it has work. */
  silentMs(): number;
  /** The thread is gone. */
  end(detail: string): void;
}

export interface HelperOptions<H extends Helper> {
  /** What it is called in the log: "the thread that ...". */
  readonly name: string;
  readonly script: URL;
  /** What the operating system calls it, in at most 15 characters. */
  readonly threadName: string;
  readonly worker?: Pick<WorkerOptions, 'resourceLimits'>;
  readonly join: (thread: Worker) => H;
  readonly clock: Pick<Clock, 'every' | 'monotonicMs'>;
  readonly diagnostics: Diagnostics;
  /** How long it may say nothing while it has work. */
  readonly silentMs: number;
  /** How long the shard does without it after it ended by itself or hung. */
  readonly restMs?: number;
}

export class HelperThread<H extends Helper> {
  readonly #options: HelperOptions<H>;
  #current: { readonly thread: Worker; readonly helper: H } | undefined;
  #restsUntilMs = -Infinity;
  #closed = false;

  constructor(options: HelperOptions<H>) {
    this.#options = options;
  }

  /** Makes the thread when there is none. @returns undefined when the shard has to do without one just now */
  get(): H | undefined {
    if (this.#closed) return undefined;
    if (this.#current === undefined) {
      if (this.#options.clock.monotonicMs() < this.#restsUntilMs) return undefined;
      this.#current = this.#start();
    }
    return this.#current.helper;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#current?.thread.terminate();
  }

  #start(): { readonly thread: Worker; readonly helper: H } {
    const { clock, diagnostics, join, name, restMs = 0, script, silentMs, worker } = this.#options;
    const thread = new Worker(script, {
      ...worker,
      name: this.#options.threadName,
      stdout: false,
      stderr: false,
    });
    const helper = join(thread);
    const stopLooking: Cancel = clock.every(silentMs / 4, () => {
      if (helper.silentMs() < silentMs) return;
      stopLooking();
      diagnostics.alarm(`${name} hangs and is ended`, { silentMs });
      void thread.terminate();
    });
    thread.on('error', (error) => {
      diagnostics.alarm(`${name} failed`, { kind: error.name });
    });
    thread.on('exit', () => {
      stopLooking();
      helper.end(`${name} ended`);
      if (this.#current?.thread !== thread) return;
      this.#current = undefined;
      this.#restsUntilMs = clock.monotonicMs() + restMs;
    });
    // The shard ends without it.
    thread.unref();
    return { thread, helper };
  }
}
