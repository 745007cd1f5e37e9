import { Worker } from 'node:worker_threads';
import type { DestinationTrial, TrialOutcome } from '../control/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import { connect } from '../lib/rpc.ts';
import type { Connection } from '../lib/rpc.ts';
import type { Watch } from '../live/index.ts';
import type { LossAnswer, LossMarker } from '../loss/index.ts';
import { limits } from '../model/limits.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { PullReader } from '../pull/index.ts';
import { Heartbeat } from '../watch/index.ts';
import { prepareShardHeaps } from './heap.ts';
import { Publication } from './publication.ts';
import type { JobSums } from './job-sums.ts';
import type {
  ShardCut,
  ShardMethods,
  ShardReady,
  ShardStart,
  ShardStats,
  SupervisorMethods,
  TlsFiles,
} from './link.ts';

/** Waiting time after a shard's thread ended by itself, doubling up to the most. */
const RESTART_MS = 500;
const RESTART_MS_MOST = 30_000;
/** How long a shard that was told to end may take beyond its drain: aborting attempts, and a last checkpoint. */
const CLOSING_MS = 15_000;
/** How long the control API waits for a shard's answer before it does without (I9). */
const ANSWER_MS = 10_000;
/** The same for how it stands: metrics and status say that a shard hangs before the API itself gives up waiting. */
const STATE_MS = 0.8 * limits.control.dataPlaneMs;

/** The shard's methods that concern held lines. */
export type ShardLines = {
  [Name in 'findPlace' | 'erasable' | 'erase' | 'erasing' | 'expire']: (
    ...wish: Parameters<ShardMethods[Name]>
  ) => Promise<Awaited<ReturnType<ShardMethods[Name]>>>;
};

/** How a shard's thread is doing, for the watchdogs. */
export type ShardWatchState = 'running' | 'down' | 'hung';

export interface ShardsOptions {
  readonly start: Omit<ShardStart, 'snapshot'>;
  readonly snapshot: () => Snapshot;
  readonly tls: () => TlsFiles | undefined;
  readonly supervisor: Omit<SupervisorMethods, 'started'>;
  /** Told of a shard that is down, hangs, or runs; `detail` says why. */
  readonly onState: (state: ShardWatchState, detail: string) => void;
  /** Whose lines are to be looked at: what a thread that starts is told. */
  readonly watches: () => readonly Watch[];
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
}

/** The shard's thread as the control thread knows it: started, watched, started again when it ends by itself. */
export interface Shards {
  /** Starts the thread; resolves when it accepts lines, or says why it cannot. */
  start(): Promise<ShardReady>;
  publish(snapshot: Snapshot): Promise<void>;
  /** Rejects when the shard does not answer. */
  cut(jobs: readonly number[] | null): Promise<ShardCut>;
  /** Rejects when the shard does not answer. */
  sums(): Promise<JobSums>;
  /** Undefined when the shard does not answer. */
  stats(): Promise<ShardStats | undefined>;
  setTls(files: TlsFiles): void;
  watch(watches: readonly Watch[]): void;
  tapTaken(session: string): void;
  /** Reads for Logpull; rejects when the shard does not answer. */
  readonly pullReader: PullReader;
  /** What is asked of held lines; rejects when the shard does not answer. */
  readonly lines: ShardLines;
  /** Rejects when the shard does not answer. */
  tryDestination(trial: DestinationTrial): Promise<TrialOutcome>;
  /** Rejects when the shard does not answer. */
  tellLoss(marker: LossMarker): Promise<LossAnswer>;
  ready(): { readonly ready: boolean; readonly reason?: string };
  /** Where producers reach it, as `host:port`. */
  ingestAddress(): string | undefined;
  /** Ends it in order. */
  drain(waitMs: number): Promise<void>;
}

export function superviseShard(options: ShardsOptions): Shards {
  const { clock, diagnostics } = options;
  let connection: Connection<ShardMethods> | undefined;
  let publication: Publication | undefined;
  let publishing: Promise<void> = Promise.resolve();
  let worker: Worker | undefined;
  let address: string | undefined;
  let reason: string | undefined = 'starting';
  let stopping = false;
  let restartMs = RESTART_MS;

  const heartbeat = new Heartbeat(limits.watch);
  const stopChecking = clock.every(limits.watch.beatMs, () => {
    const state = heartbeat.check();
    if (state === 'fine') return;
    options.onState('hung', `no sign of life in ${limits.watch.hungBeats} checks and more`);
    if (state !== 'restart' || stopping) return;
    diagnostics.alarm('the shard hangs; its thread is ended and started again', {});
    // Nothing is lost by it: what was accepted is on disk.
    void worker?.terminate();
  });

  prepareShardHeaps();
  const start = (): Promise<ShardReady> =>
    new Promise((resolve) => {
      const thread = new Worker(new URL('./shard.worker.ts', import.meta.url), {
        workerData: { ...options.start, snapshot: options.snapshot() } satisfies ShardStart,
        // Its log goes to standard error by itself.
        stdout: false,
        stderr: false,
      });
      const joined = connect<SupervisorMethods, ShardMethods>(thread, {
        ...options.supervisor,
        beat(beat) {
          heartbeat.beat();
          options.onState('running', '');
          options.supervisor.beat(beat);
        },
        started(outcome) {
          if (outcome.kind === 'ready') {
            address = `${outcome.host.includes(':') ? `[${outcome.host}]` : outcome.host}:${outcome.port}`;
            reason = undefined;
            heartbeat.expect(true);
            restartMs = RESTART_MS;
            const tls = options.tls();
            if (tls) joined.notify('setTls', tls);
            joined.notify('watch', options.watches());
            // What changed while it was starting.
            void publish(options.snapshot());
          } else {
            refusal = outcome.detail;
            // What stood in its way may pass: it is tried again like one that broke.
            void thread.terminate();
          }
          resolve(outcome);
        },
      });
      connection = joined;
      publication = new Publication(joined.remote, diagnostics);
      worker = thread;
      /** Why it does not run, as far as it could say. */
      let refusal: string | undefined;
      thread.on('error', (error) => {
        refusal ??= error.message;
        diagnostics.alarm('shard thread failed', { error: error.stack ?? String(error) });
      });
      thread.on('exit', (code) => {
        joined.close('the shard thread ended');
        if (connection === joined) {
          connection = undefined;
          heartbeat.expect(false);
        }
        const detail = refusal ?? `the shard's thread ended with code ${code}`;
        resolve({ kind: 'refused', detail });
        if (stopping || address === undefined) return;
        reason = `the shard is being restarted: ${detail}`;
        options.onState('down', detail);
        diagnostics.alarm('shard thread ended; starting it again', {
          code,
          detail,
          afterMs: restartMs,
        });
        clock.after(restartMs, () => {
          if (!stopping) void start();
        });
        restartMs = Math.min(restartMs * 2, RESTART_MS_MOST);
      });
    });

  /** One after the other. A shard that is down gets the newest snapshot when it starts. */
  const publish = (snapshot: Snapshot): Promise<void> => {
    const to = publication;
    publishing = publishing
      .then(() => (connection ? to?.publish(snapshot) : undefined))
      .catch((error: unknown) =>
        diagnostics.error('snapshot not taken by the shard', {
          error: String(error),
          version: snapshot.version,
        }),
      );
    return publishing;
  };

  /** The shard's answer, or a rejection when it is down or does not answer in time. */
  const ask = async <T>(
    call: (remote: Connection<ShardMethods>['remote']) => Promise<T>,
    answerMs = ANSWER_MS,
  ): Promise<T> => {
    if (!connection) throw new Error(reason ?? 'the shard is down');
    const giveUp = new AbortController();
    try {
      return await Promise.race([
        call(connection.remote),
        clock.sleep(answerMs, giveUp.signal).then((): never => {
          throw new Error('the shard did not answer in time');
        }),
      ]);
    } finally {
      giveUp.abort();
    }
  };

  return {
    start,
    publish,
    sums: () => ask((remote) => remote.sums(), STATE_MS),
    cut: (jobs) => ask((remote) => remote.cut(jobs), STATE_MS),
    stats: () => ask((remote) => remote.stats(), STATE_MS).catch(() => undefined),
    setTls: (files) => connection?.notify('setTls', files),
    watch: (watches) => connection?.notify('watch', watches),
    tapTaken: (session) => connection?.notify('tapTaken', session),
    lines: {
      findPlace: (...wish) => ask((remote) => remote.findPlace(...wish)),
      erasable: (reach) => ask((remote) => remote.erasable(reach)),
      erase: (reach) => ask((remote) => remote.erase(reach), limits.control.erasureMs),
      erasing: (reach) => ask((remote) => remote.erasing(reach)),
      expire: (mostLines) => ask((remote) => remote.expire(mostLines)),
    },
    pullReader: {
      window: (...wish) => ask((remote) => remote.pullWindow(...wish)),
      page: (...wish) => ask((remote) => remote.pullPage(...wish)),
    },
    tryDestination: (trial) => ask((remote) => remote.tryDestination(trial)),
    tellLoss: (marker) => ask((remote) => remote.tellLoss(marker)),
    ready: () => (reason === undefined ? { ready: true } : { ready: false, reason }),
    ingestAddress: () => address,
    async drain(waitMs) {
      stopping = true;
      reason = 'draining';
      stopChecking();
      const thread = worker;
      if (!connection || !thread) return;
      const giveUp = new AbortController();
      const ended = new Promise<boolean>((resolve) => thread.once('exit', () => resolve(true)));
      connection.notify('drain', waitMs);
      const inTime = await Promise.race([
        ended,
        clock.sleep(waitMs + CLOSING_MS, giveUp.signal).then(() => false),
      ]);
      giveUp.abort();
      if (inTime) return;
      // Nothing is lost by it: what was accepted is on disk, and what was not settled is sent again.
      diagnostics.alarm('the shard did not end in time; it is cut off', { waitMs });
      void thread.terminate();
    },
  };
}
