/**
 * On a shard's thread: shows the streams that have something going on, some at each beat. Cost follows what is active: a
 * stream enters when it grows, or when a backlog of it is found after a start, and leaves when nothing of it waits or fails.
 */
import type { ShardBuffer } from '../buffer/index.ts';
import type { JobStatus } from '../deliver/index.ts';
import type { Clock } from '../lib/clock.ts';
import { settledLines } from '../model/delivery.ts';
import type { Beat, JobLook, StreamLook, WatchLimits } from './contract.ts';

export interface ObserverDeps {
  readonly shard: number;
  readonly buffer: Pick<ShardBuffer, 'onGrowth' | 'stream' | 'job' | 'jobs' | 'waiting' | 'stats'>;
  /** What the stream's jobs are doing. */
  readonly jobsOf: (stream: string) => Iterable<JobStatus>;
  /** Version of the configuration in force. */
  readonly version: () => number;
  readonly clock: Clock;
  readonly limits: Pick<WatchLimits, 'beatStreams' | 'seedJobs' | 'lookMs'>;
}

export class Observer {
  readonly #deps: ObserverDeps;
  /** Active streams; true: it has grown since it was last shown. */
  readonly #active = new Map<string, boolean>();
  #seeds: Iterator<{ readonly stream: string; readonly cursor: number }> | undefined;
  /** Those still to be shown in this pass. */
  #rest: Iterator<string> | undefined;
  #passFromMs = -Infinity;
  #pass = 0;
  readonly #endGrowth: () => void;

  constructor(deps: ObserverDeps) {
    this.#deps = deps;
    this.#seeds = deps.buffer.jobs()[Symbol.iterator]();
    this.#endGrowth = deps.buffer.onGrowth((streams) => {
      for (const stream of streams) this.#active.set(stream, true);
    });
  }

  get activeStreams(): number {
    return this.#active.size;
  }

  /** A sign of life. */
  beat(): Beat {
    const { shard, buffer, version } = this.#deps;
    this.#seed();
    const streams = this.#look();
    const { corruptLines, diskUsedShare } = buffer.stats();
    return { shard, pass: this.#pass, version: version(), corruptLines, diskUsedShare, streams };
  }

  close(): void {
    this.#endGrowth();
  }

  /** Backlogs of before the start: looked for a few jobs at a time. */
  #seed(): void {
    if (!this.#seeds) return;
    const { buffer, limits } = this.#deps;
    for (let looked = 0; looked < limits.seedJobs; looked += 1) {
      const next = this.#seeds.next();
      if (next.done) {
        this.#seeds = undefined;
        return;
      }
      const { stream, cursor } = next.value;
      if ((buffer.stream(stream)?.head ?? 0) > cursor && !this.#active.has(stream))
        this.#active.set(stream, false);
    }
  }

  #look(): readonly StreamLook[] {
    const { clock, limits } = this.#deps;
    const nowMs = clock.monotonicMs();
    if (!this.#rest) {
      if (nowMs - this.#passFromMs < limits.lookMs) return [];
      this.#passFromMs = nowMs;
      this.#rest = [...this.#active.keys()][Symbol.iterator]();
    }
    const shown: StreamLook[] = [];
    while (shown.length < limits.beatStreams) {
      const next = this.#rest.next();
      if (next.done) {
        this.#rest = undefined;
        if (!this.#seeds) this.#pass += 1;
        break;
      }
      const look = this.#show(next.value);
      if (look) shown.push(look);
    }
    return shown;
  }

  #show(stream: string): StreamLook | undefined {
    const { buffer, jobsOf } = this.#deps;
    const grew = this.#active.get(stream);
    const state = buffer.stream(stream);
    if (grew === undefined || !state) {
      this.#active.delete(stream);
      return undefined;
    }
    const jobs = [...jobsOf(stream)].map((status) => this.#job(status, state.head));
    // Shown once more as it rests, so that whoever looks sees it come to rest.
    if (!grew && jobs.every(atRest)) this.#active.delete(stream);
    else this.#active.set(stream, false);
    return { stream, head: state.head, jobs };
  }

  #job(status: JobStatus, head: number): JobLook {
    const { buffer } = this.#deps;
    const state = buffer.job(status.job);
    const beyond = state?.settled.reduce((sum, { from, to }) => sum + to - from, 0) ?? 0;
    const waiting = state ? Math.max(0, head - state.cursor - beyond) : 0;
    return {
      job: status.job,
      state: status.state,
      settled: state ? settledLines(state.totals) : 0,
      waiting,
      oldestWaitingMs:
        waiting === 0 ? null : (buffer.waiting(status.job)?.oldestReceivedMs ?? null),
      failures: status.consecutiveFailures,
      error: status.errorMessage,
    };
  }
}

function atRest({ state, waiting, failures }: JobLook): boolean {
  if (state === 'paused' || state === 'closed') return true;
  return waiting === 0 && failures === 0;
}
