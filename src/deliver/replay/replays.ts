/** Replays of a shard: what their runners are handed instead of a live job's tools, and when they are looked at. */
import type { Cancel } from '../../lib/clock.ts';
import type { JobConfig } from '../../model/snapshot.ts';
import type { DeliveryDeps } from '../contract.ts';
import type { JobRunner } from '../runner.ts';
import type { RunnerTools } from '../runner-tools.ts';
import { ReplayThrottle } from './throttle.ts';
import type { LiveJob } from './throttle.ts';

export interface ReplayHost {
  readonly deps: DeliveryDeps;
  readonly tools: RunnerTools;
  /** Settings as last applied. */
  readonly applied: ReadonlyMap<number, JobConfig>;
  readonly runners: ReadonlyMap<number, JobRunner>;
  readonly queued: () => number;
}

/** How often it is looked whether replays may go on. */
const LOOK_MS = 500;

export class Replays {
  readonly #host: ReplayHost;
  readonly #throttle: ReplayThrottle;
  /** A replay's batches go one at a time, and behind everybody's whose destination is well. */
  readonly tools: RunnerTools;
  #stop: Cancel | undefined;

  constructor(host: ReplayHost) {
    this.#host = host;
    const { deps, tools } = host;
    this.#throttle = new ReplayThrottle({
      liveOf: (account) => this.#liveOf(account),
      live: (job) => this.#live(job),
      queued: host.queued,
      wallMs: () => deps.clock.wallMs(),
      limits: deps.limits,
    });
    this.tools = {
      ...tools,
      deps: { ...deps, limits: { ...deps.limits, openPlans: 1 } },
      turns: { request: (request) => tools.turns.request({ ...request, suspect: true }) },
      mayStart: (job) => tools.mayStart(job) && this.#throttle.may(job),
    };
  }

  /** Whether live delivery keeps a replay waiting. */
  isThrottled(job: number): boolean {
    return this.#host.applied.get(job)?.replay !== undefined && !this.#throttle.may(job);
  }

  /** Replays may have come or gone: looks at once, and from then on while there are any. */
  look(): void {
    const replays = [...this.#host.applied.values()].filter(({ replay }) => replay !== undefined);
    this.#throttle.look(replays.filter(({ id }) => this.#isUnfinished(id)));
    for (const { id } of replays) this.#host.runners.get(id)?.nudge();
    if (replays.length === 0) this.close();
    else this.#stop ??= this.#host.deps.clock.every(LOOK_MS, () => this.look());
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #isUnfinished(id: number): boolean {
    const state = this.#host.deps.buffer.job(id);
    return state === undefined || state.cursor < (state.end ?? Infinity);
  }

  *#liveOf(account: string): Generator<LiveJob> {
    for (const job of this.#host.applied.values()) {
      if (job.account !== account) continue;
      const live = this.#live(job.id);
      if (live) yield live;
    }
  }

  #live(id: number): LiveJob | undefined {
    const job = this.#host.applied.get(id);
    const status = this.#host.runners.get(id)?.status();
    if (!job || job.replay || !status) return undefined;
    const { deps, tools } = this.#host;
    return {
      account: job.account,
      state: status.state,
      destinationConf: job.destinationConf,
      oldestWaitingMs: deps.buffer.waiting(id)?.oldestReceivedMs ?? null,
      intervalMs: Math.max(tools.pace.intervalMs(job.account), job.maxUploadIntervalMs),
    };
  }
}
