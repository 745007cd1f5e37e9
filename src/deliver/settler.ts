/**
 * Settles a job's ranges, one waybill after the other, because each carries the hash of the one before it. A waybill that
 * the disk does not take is tried again until it does: what the receiver has is never sent anew for that.
 */
import type { JobState } from '../buffer/index.ts';
import type { KeptLine } from './contract.ts';
import type { RunnerTools } from './runner-tools.ts';
import { makeWaybill } from './waybill.ts';
import type { Fate } from './waybill.ts';

export interface Settlement {
  readonly fate: Fate;
  /** Lines to keep apart before the waybill says that they were dropped. */
  readonly kept: readonly KeptLine[];
  /** Whether the range still waits for its waybill; the buffer settles some by itself (retention, erasure). */
  readonly needed: (state: JobState) => boolean;
  /** Called once when the first try fails. */
  readonly onTrouble: () => void;
}

export type Settled =
  | 'recorded'
  /** The buffer had settled the range by itself. */
  | 'dropped'
  /** Delivery closes before it could be recorded. */
  | 'stopped';

export class Settler {
  readonly #job: number;
  readonly #tools: RunnerTools;
  #last: Promise<unknown> = Promise.resolve();

  constructor(job: number, tools: RunnerTools) {
    this.#job = job;
    this.#tools = tools;
  }

  settle(settlement: Settlement): Promise<Settled> {
    const result = this.#last.then(() => this.#settle(settlement));
    this.#last = result.catch(() => {});
    return result;
  }

  async #settle(settlement: Settlement): Promise<Settled> {
    const { clock, stop } = this.#tools;
    for (let failures = 1; ; failures++) {
      const result = await this.#try(settlement);
      if (result !== 'failed') return result;
      if (failures === 1) settlement.onTrouble();
      if (stop.aborted) return 'stopped';
      await clock.sleep(this.#tools.ownDelayMs(failures), stop);
      if (stop.aborted) return 'stopped';
    }
  }

  async #try(settlement: Settlement): Promise<Settled | 'failed'> {
    const { deps } = this.#tools;
    const needed = (): JobState | undefined => {
      const state = deps.buffer.job(this.#job);
      return state && settlement.needed(state) ? state : undefined;
    };
    if (!needed()) return 'dropped';
    try {
      if (settlement.kept.length > 0) await deps.keepLines(settlement.kept);
    } catch (error) {
      const kind = error instanceof Error ? error.name : 'unknown';
      deps.diagnostics.error('delivery.keep_line.failed', { job: this.#job, kind });
      return 'failed';
    }
    await this.#tools.records.pass();
    const state = needed();
    if (!state) return 'dropped';
    const recorded = await deps.buffer.settle(
      makeWaybill(settlement.fate, state, deps.clock.wallMs()),
    );
    if (recorded.kind === 'durable') return 'recorded';
    deps.diagnostics.warn('delivery.settle.failed', { job: this.#job, detail: recorded.detail });
    return 'failed';
  }
}
