/**
 * What each delivered stream carries in its busiest hour, kept in memory and asked for bit by bit, so that a refusal can say
 * at once what is at stake and no turn asks for everything. What has not been answered yet is unknown, never zero.
 */
import type { Cancel, Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Load } from './rules.ts';

/** Busiest hours of the last days by stream; streams of which the ledger knows nothing are left out. */
export type BusyHours = (streams: readonly string[]) => Promise<ReadonlyMap<string, Load>>;

export interface TrafficOptions {
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
  readonly busyHours: BusyHours;
  /** The streams that are delivered now. */
  readonly streams: () => Iterable<string>;
  readonly bounds: {
    /** Streams asked for in one turn: some milliseconds of look-ups. */
    readonly trafficStreams: number;
    /** Between two turns, and between the end of one round and the next. */
    readonly trafficTurnMs: number;
    readonly trafficRoundMs: number;
    /** How long an answer is waited for. */
    readonly trafficWaitMs: number;
  };
}

export class Traffic {
  readonly #options: TrafficOptions;
  readonly #known = new Map<string, Load>();
  #waiting: string[] = [];
  #cancel: Cancel = () => {};
  #isClosed = false;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#next(options.bounds.trafficTurnMs);
  }

  of(stream: string): Load | undefined {
    return this.#known.get(stream);
  }

  /** Over these streams, and of how many of them it is known. */
  sum(streams: Iterable<string>): { readonly load: Load; readonly known: number } {
    let [lines, bytes, known] = [0, 0, 0];
    for (const stream of streams) {
      const load = this.#known.get(stream);
      if (!load) continue;
      lines += load.lines;
      bytes += load.bytes;
      known++;
    }
    return { load: { lines, bytes }, known };
  }

  /** Asks for these now, for an answer that is about them; what is not answered stays as it is known. */
  async refresh(streams: readonly string[]): Promise<void> {
    const { busyHours, diagnostics, clock, bounds } = this.#options;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(bounds.trafficWaitMs, resolve);
      busyHours(streams)
        .then(
          (loads) => {
            for (const [stream, load] of loads) this.#known.set(stream, load);
          },
          (error: unknown) => {
            const reason = error instanceof Error ? error.message : String(error);
            diagnostics.warn('the guard does not learn what streams carry', { reason });
          },
        )
        .finally(() => {
          cancel();
          resolve();
        });
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  #next(delayMs: number): void {
    if (!this.#isClosed) this.#cancel = this.#options.clock.after(delayMs, () => void this.#turn());
  }

  async #turn(): Promise<void> {
    const { bounds, streams } = this.#options;
    if (this.#waiting.length === 0) {
      this.#waiting = [...streams()];
      const standing = new Set(this.#waiting);
      for (const stream of this.#known.keys())
        if (!standing.has(stream)) this.#known.delete(stream);
    }
    const some = this.#waiting.splice(-bounds.trafficStreams);
    if (some.length > 0) await this.refresh(some);
    this.#next(this.#waiting.length > 0 ? bounds.trafficTurnMs : bounds.trafficRoundMs);
  }
}
