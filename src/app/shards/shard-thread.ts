import type { Worker } from 'node:worker_threads';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import { connect } from '../../lib/rpc.ts';
import type { Connection } from '../../lib/rpc.ts';
import type { Watch } from '../../live/index.ts';
import { limits } from '../../model/limits.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { StreamPlaces } from '../../peers/index.ts';
import { Heartbeat } from '../../watch/index.ts';
import { Publication } from '../link/publication.ts';
import type {
  ShardMethods,
  ShardReady,
  ShardStart,
  SupervisorMethods,
  TlsFiles,
} from '../link/link.ts';
import { makeShardWorker } from '../shard/order.ts';
import type { ShardWorker } from '../shard/order.ts';

/** Waiting time after a shard's thread ended by itself, doubling up to the most. */
const RESTART_MS = 500;
const RESTART_MS_MOST = 30_000;
/** How long a shard that was told to end may take beyond its drain: aborting attempts, and a last checkpoint. */
const CLOSING_MS = 15_000;
/** How long the control API waits for a shard's answer before it does without (I9). */
const ANSWER_MS = 10_000;

type Remote = Connection<ShardMethods>['remote'];

/** How a shard's thread is doing, for the watchdogs. */
export type ShardWatchState = 'running' | 'down' | 'hung';

export interface ShardThreadOptions {
  readonly start: Omit<ShardStart, 'snapshot'>;
  /** Made before it was known what it will be; absent: made when it is needed. */
  readonly worker?: ShardWorker | undefined;
  /** Makes a thread; absent: a real one. A simulation has others. */
  readonly makeWorker?: (shard: number) => ShardWorker;
  readonly snapshot: () => Snapshot;
  readonly tls: () => TlsFiles | undefined;
  readonly supervisor: Omit<SupervisorMethods, 'started'>;
  /** A thread was made, and can be told things. */
  readonly onThread: () => void;
  /** Owners of streams that have become known since there were so many, and how many are known now. */
  readonly places: (since: number) => { readonly places: StreamPlaces; readonly size: number };
  /** Told of a shard that is down, hangs, or runs; `detail` says why. */
  readonly onState: (state: ShardWatchState, detail: string) => void;
  /** Whose lines are to be looked at: what a thread that starts is told. */
  readonly watches: () => readonly Watch[];
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
}

/** A shard's thread as the control thread knows it: started, watched, started again when it ends by itself. */
export interface ShardThread {
  /** Starts the thread; resolves when it accepts lines, or says why it cannot. */
  start(): Promise<ShardReady>;
  publish(snapshot: Snapshot): Promise<void>;
  /** The shard's answer, or a rejection when it is down or does not answer in time. */
  ask<T>(call: (remote: Remote) => Promise<T>, answerMs?: number): Promise<T>;
  /** Tells it something; in vain when it is down. */
  notify: Connection<ShardMethods>['notify'];
  /** Whether there is a thread that can be told something. */
  readonly isThere: boolean;
  /** Why it takes no lines; undefined while it does. */
  readonly reason: string | undefined;
  /** Where its listener is; undefined before it has one. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** Ends it in order. */
  drain(waitMs: number): Promise<void>;
  /** Ends it at once: another shard cannot start. */
  cutOff(): void;
}

export function superviseShard(options: ShardThreadOptions): ShardThread {
  const { clock, diagnostics, makeWorker = makeShardWorker } = options;
  let connection: Connection<ShardMethods> | undefined;
  let publication: Publication | undefined;
  let publishing: Promise<void> = Promise.resolve();
  let worker: Worker | undefined;
  let early = options.worker;
  /** Owners that the thread was told of. */
  let told = 0;
  let address: ShardThread['address'];
  let hasStarted = false;
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

  const start = (): Promise<ShardReady> =>
    new Promise((resolve) => {
      const given = options.snapshot();
      const { thread, order } = early ?? makeWorker(options.start.shard);
      early = undefined;
      const joined = connect<SupervisorMethods, ShardMethods>(thread, {
        ...options.supervisor,
        async join(streams) {
          await options.supervisor.join(streams);
          const { places, size } = options.places(0);
          told = size;
          return places;
        },
        beat(beat) {
          heartbeat.beat();
          options.onState('running', '');
          options.supervisor.beat(beat);
        },
        started(outcome) {
          if (outcome.kind === 'ready') {
            if (outcome.port !== 0) address = { host: outcome.host, port: outcome.port };
            hasStarted = true;
            reason = undefined;
            heartbeat.expect(true);
            restartMs = RESTART_MS;
            const tls = options.tls();
            if (tls) joined.notify('setTls', tls);
            joined.notify('watch', options.watches());
            // What changed while it was starting.
            const newest = options.snapshot();
            if (newest.version !== given.version || options.places(0).size > told)
              void publish(newest);
          } else {
            refusal = outcome.detail;
            // What stood in its way may pass: it is tried again like one that broke.
            void thread.terminate();
          }
          resolve(outcome);
        },
      });
      order({ ...options.start, snapshot: given });
      connection = joined;
      publication = new Publication(joined.remote, diagnostics, given);
      told = 0;
      worker = thread;
      options.onThread();
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
        if (stopping || !hasStarted) return;
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
      .then(async () => {
        if (!connection || !to) return;
        const { places, size } = options.places(told);
        await to.publish(snapshot, places);
        if (to === publication) told = Math.max(told, size);
      })
      .catch((error: unknown) =>
        diagnostics.error('snapshot not taken by the shard', {
          error: String(error),
          version: snapshot.version,
        }),
      );
    return publishing;
  };

  const ask: ShardThread['ask'] = async (call, answerMs = ANSWER_MS) => {
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
    ask,
    notify: (name, ...args) => connection?.notify(name, ...args),
    get isThere() {
      return connection !== undefined;
    },
    get reason() {
      return reason;
    },
    get address() {
      return address;
    },
    cutOff() {
      stopping = true;
      stopChecking();
      void worker?.terminate();
    },
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
