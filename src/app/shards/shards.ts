/**
 * All shards of the process as the control thread knows them: their threads, which of them owns which stream, and whom to ask.
 *
 * What is about one stream goes to its owner; what is about all goes to all and is summed. A shard that is down or hangs takes
 * nothing from the others (I6): only what needs its answer fails.
 */
import { MessageChannel } from 'node:worker_threads';
import type { DestinationTrial, TrialOutcome } from '../../control/index.ts';
import { heldMemory } from '../../lib/held-elsewhere.ts';
import type { ShardMark } from '../../ledger/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { TappedLines, Watch } from '../../live/index.ts';
import type { LossAnswer, LossMarker } from '../../loss/index.ts';
import { limits } from '../../model/limits.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { Directory } from '../../peers/index.ts';
import type { PullReader } from '../../pull/index.ts';
import { streamsOf } from '../../route/index.ts';
import type { JobSums } from '../shard/job-sums.ts';
import { jobStreams } from './job-streams.ts';
import type {
  Backlogs,
  ShardJob,
  ShardMethods,
  ShardPaths,
  ShardReady,
  ShardStart,
  ShardStats,
  SupervisorMethods,
  TlsFiles,
} from '../link/link.ts';
import { superviseShard } from './shard-thread.ts';
import type { ShardThread, ShardWatchState } from './shard-thread.ts';
import type { ShardWorker } from '../shard/order.ts';
import { sumErasures } from '../shard/lines.ts';

/** How long how a shard stands is waited for: metrics and status say that it hangs before the API itself gives up waiting. */
const STATE_MS = 0.8 * limits.control.dataPlaneMs;

/** The shards' methods that concern held lines. */
export type ShardLines = {
  [Name in 'findPlace' | 'erasable' | 'erase' | 'erasing' | 'expire']: (
    ...wish: Parameters<ShardMethods[Name]>
  ) => Promise<Awaited<ReturnType<ShardMethods[Name]>>>;
};

export interface ShardsOptions {
  readonly start: Omit<ShardStart, 'snapshot' | 'shard' | 'shards' | 'held' | 'paths'>;
  /** Where each shard keeps what it has: as many as there are shards. */
  readonly paths: readonly ShardPaths[];
  /** Threads that load already, one a shard. */
  readonly workers: readonly ShardWorker[];
  /** Make a further thread, and a way between two; absent: real ones. A simulation has others. */
  readonly makeWorker?: (shard: number) => ShardWorker;
  readonly makeWay?: () => Pick<MessageChannel, 'port1' | 'port2'>;
  readonly snapshot: () => Snapshot;
  readonly tls: () => TlsFiles | undefined;
  readonly supervisor: Omit<
    SupervisorMethods,
    'started' | 'join' | 'listenAt' | 'tapped' | 'backlogs'
  > & {
    tapped(lines: TappedLines, shard: number): void;
  };
  /** Told of a shard that is down, hangs, or runs; `detail` says why. */
  readonly onState: (shard: number, state: ShardWatchState, detail: string) => void;
  /** Whose lines are to be looked at: what a thread that starts is told. */
  readonly watches: () => readonly Watch[];
  readonly clock: Clock;
  readonly diagnostics: Diagnostics;
}

/** Jobs of all shards, each shard's at one instant of its own. */
export interface ShardsCut {
  readonly marks: readonly ShardMark[];
  readonly jobs: readonly ShardJob[];
}

export interface Shards {
  readonly count: number;
  /** Starts all threads; resolves when they accept lines, or one of them says why it cannot. */
  start(): Promise<ShardReady>;
  publish(snapshot: Snapshot): Promise<void>;
  /**
   * Jobs (all, or those named) with what their books rest on.
   *
   * @param missing `refuse`: rejects when a shard that may have one of them does not answer; `leave out`: does without it, and
   *   rejects when none answers
   */
  cut(jobs: readonly number[] | null, missing: 'refuse' | 'leave out'): Promise<ShardsCut>;
  /** By shard; undefined for one that does not answer. */
  sums(): Promise<readonly (JobSums | undefined)[]>;
  /** By shard; undefined for one that does not answer. */
  stats(): Promise<readonly (ShardStats | undefined)[]>;
  setTls(files: TlsFiles): void;
  watch(watches: readonly Watch[]): void;
  tapTaken(session: string, shard: number): void;
  /** Reads for Logpull; rejects when the stream's shard does not answer. */
  readonly pullReader: PullReader;
  /** What is asked of held lines; rejects when a shard that has some does not answer. */
  readonly lines: ShardLines;
  /** Rejects when no shard answers. */
  tryDestination(trial: DestinationTrial): Promise<TrialOutcome>;
  /** Rejects when the job's shard does not answer. */
  tellLoss(marker: LossMarker): Promise<LossAnswer>;
  /** Whether any shard takes lines; `reason` names those that do not. */
  ready(): { readonly ready: boolean; readonly reason?: string };
  /** Where producers reach it, as `host:port`. */
  ingestAddress(): string | undefined;
  /** Ends all of them in order. */
  drain(waitMs: number): Promise<void>;
}

export function superviseShards(options: ShardsOptions): Shards {
  const { paths, diagnostics, makeWay = () => new MessageChannel() } = options;
  const count = paths.length;
  const directory = new Directory(count);
  const held = heldMemory(count);
  const joined = new Set<number>();
  const allJoined = Promise.withResolvers<void>();
  const firstListens = Promise.withResolvers<void>();
  const hanging = new Set<number>();
  /** Published before the owners of its streams could be told. */
  let early: Snapshot | undefined;

  const join = async (shard: number, streams: readonly string[]) => {
    const twice = directory.found(shard, streams);
    if (twice !== undefined) {
      throw new Error(`stream ${twice} lies in shard ${directory.ownerOf(twice)} and in ${shard}`);
    }
    joined.add(shard);
    if (joined.size === count) {
      directory.assign(streamsOf(options.snapshot()));
      if (early) directory.assign(streamsOf(early));
      allJoined.resolve();
    }
    await allJoined.promise;
  };

  /** Before it runs again, whoever hands lines to it is told so. */
  const stateOf = (shard: number, state: ShardWatchState, detail: string) => {
    options.onState(shard, state, detail);
    const hangs = state === 'hung';
    if (hanging.has(shard) === hangs) return;
    if (hangs) hanging.add(shard);
    else hanging.delete(shard);
    for (const [other, thread] of threads.entries()) {
      if (other !== shard) thread.notify('peerHangs', shard, hangs);
    }
  };

  /** Opens a way between a thread that was made just now and each other one. */
  const introduce = (shard: number) => {
    const made = threads[shard]!;
    for (const [other, thread] of threads.entries()) {
      if (other === shard || !thread.isThere) continue;
      const { port1, port2 } = makeWay();
      made.notify('peer', other, port1);
      thread.notify('peer', shard, port2);
      if (hanging.has(other)) made.notify('peerHangs', other, true);
    }
  };

  /** Tells each shard what waits at the others. */
  const backlogs = new Map<number, Backlogs>();
  const passBacklogs = (shard: number, own: Backlogs) => {
    backlogs.set(shard, own);
    for (const [other, thread] of threads.entries()) {
      if (other !== shard) thread.notify('backlogsElsewhere', elsewhere(backlogs, other));
    }
  };

  const threads: ShardThread[] = paths.map((own, shard) =>
    superviseShard({
      ...options,
      start: { ...options.start, shard, shards: count, held, paths: own },
      worker: options.workers[shard],
      supervisor: {
        ...options.supervisor,
        tapped: (lines) => options.supervisor.tapped(lines, shard),
        backlogs: (own) => passBacklogs(shard, own),
        join: async (streams) => {
          await join(shard, streams);
          return [];
        },
        async listenAt() {
          // The system may choose the port of the first; the others take the same.
          if (shard !== 0) await firstListens.promise;
          const port = threads[0]!.address?.port;
          if (shard !== 0) return { port: port ?? 0, shared: 'further' };
          if (port !== undefined) return { port, shared: 'again' };
          return { port: options.start.config.ingest.port, shared: 'first' };
        },
      },
      places: (since) => ({ places: directory.since(since), size: directory.size }),
      onThread: () => introduce(shard),
      onState: (state, detail) => stateOf(shard, state, detail),
      diagnostics: count === 1 ? diagnostics : diagnostics.with({ shard }),
    }),
  );

  const start = async (): Promise<ShardReady> => {
    const starts = threads.map((thread) => thread.start());
    void starts[0]!.then(() => firstListens.resolve());
    const refused = new Promise<ShardReady>((resolve) => {
      for (const started of starts)
        void started.then((outcome) => outcome.kind === 'refused' && resolve(outcome));
    });
    const all = Promise.all(starts).then((outcomes) => outcomes.reduce(together));
    const outcome = await Promise.race([refused, all]);
    if (outcome.kind === 'refused') for (const thread of threads) thread.cutOff();
    return outcome;
  };

  /** Every shard's answer. Rejects when one does not answer. */
  const askAll = <T>(ask: (thread: ShardThread) => Promise<T>): Promise<T[]> =>
    Promise.all(threads.map((thread) => ask(thread)));
  const ownerOf = (stream: string): ShardThread => {
    const owner = count === 1 ? 0 : directory.ownerOf(stream);
    // Of a stream that nobody has, every shard knows as much.
    return threads[owner ?? firstRunning(threads)]!;
  };

  /** Which of the jobs a shard may have: those whose stream it owns, and those of which only the logs know. */
  const jobsFor = (jobs: readonly number[], shard: number): readonly number[] => {
    if (count === 1) return jobs;
    const streams = jobStreams(options.snapshot());
    return jobs.filter((job) => {
      const stream = streams.get(job);
      return stream === undefined || directory.ownerOf(stream) === shard;
    });
  };

  return {
    count,
    start,
    async publish(snapshot) {
      if (joined.size < count) early = snapshot;
      else if (count > 1) directory.assign(streamsOf(snapshot));
      await Promise.all(threads.map((thread) => thread.publish(snapshot)));
    },
    async cut(jobs, missing) {
      const asked = threads.map(async (thread, shard) => {
        const wanted = jobs && jobsFor(jobs, shard);
        const cut = await thread.ask((remote) => remote.cut(wanted), STATE_MS);
        return { ...cut, mark: { shard, ...cut.mark } };
      });
      const answers = await Promise.allSettled(asked);
      const cuts = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
      for (const [shard, answer] of answers.entries()) {
        if (answer.status === 'fulfilled') continue;
        const isNeeded = missing === 'refuse' && (!jobs || jobsFor(jobs, shard).length > 0);
        if (isNeeded || cuts.length === 0) throw answer.reason;
      }
      return { marks: cuts.map(({ mark }) => mark), jobs: cuts.flatMap((cut) => cut.jobs) };
    },
    sums: () =>
      askAll((thread) => thread.ask((remote) => remote.sums(), STATE_MS).catch(() => undefined)),
    stats: () =>
      askAll((thread) => thread.ask((remote) => remote.stats(), STATE_MS).catch(() => undefined)),
    setTls(files) {
      for (const thread of threads) thread.notify('setTls', files);
    },
    watch(watches) {
      for (const thread of threads) thread.notify('watch', watches);
    },
    tapTaken: (session, shard) => threads[shard]!.notify('tapTaken', session),
    pullReader: {
      window: (stream, ...wish) =>
        ownerOf(stream).ask((remote) => remote.pullWindow(stream, ...wish)),
      page: (stream, ...wish) => ownerOf(stream).ask((remote) => remote.pullPage(stream, ...wish)),
    },
    lines: {
      findPlace: (stream, asked) =>
        ownerOf(stream).ask((remote) => remote.findPlace(stream, asked)),
      erasable: async (reach) =>
        sumErasures(await askAll((thread) => thread.ask((remote) => remote.erasable(reach)))),
      erase: async (reach) => {
        const most = limits.control.erasureMs;
        return sumErasures(
          await askAll((thread) => thread.ask((remote) => remote.erase(reach), most)),
        );
      },
      erasing: async (reach) =>
        (await askAll((thread) => thread.ask((remote) => remote.erasing(reach)))).includes(true),
      async expire(mostLines) {
        const asks = await askAll((thread) => thread.ask((remote) => remote.expire(0)));
        const lines = asks.reduce((sum, each) => sum + each, 0);
        if (lines === 0 || lines > mostLines) return lines;
        // What each may drop more than it asks for now, so that together they stay within what was said.
        const more = Math.floor((mostLines - lines) / count);
        await Promise.all(
          threads.map((thread, shard) =>
            thread.ask((remote) => remote.expire(asks[shard]! + more)),
          ),
        );
        return lines;
      },
    },
    tryDestination: (trial) =>
      threads[firstRunning(threads)]!.ask((remote) => remote.tryDestination(trial)),
    tellLoss: (marker) => ownerOf(marker.stream).ask((remote) => remote.tellLoss(marker)),
    ready() {
      const down = threads.flatMap(({ reason }, shard) => {
        if (reason === undefined) return [];
        return [count === 1 || reason === 'starting' ? reason : `shard ${shard}: ${reason}`];
      });
      if (down.length === 0) return { ready: true };
      return { ready: down.length < count, reason: [...new Set(down)].join('; ') };
    },
    ingestAddress() {
      const address = threads.find((thread) => thread.address)?.address;
      if (!address) return undefined;
      const { host, port } = address;
      return `${host.includes(':') ? `[${host}]` : host}:${port}`;
    },
    drain: async (waitMs) => {
      await Promise.all(threads.map((thread) => thread.drain(waitMs)));
    },
  };
}

function firstRunning(threads: readonly ShardThread[]): number {
  return Math.max(
    0,
    threads.findIndex(({ reason }) => reason === undefined),
  );
}

/** What waits at all shards but one, by account. */
function elsewhere(backlogs: ReadonlyMap<number, Backlogs>, but: number): Backlogs {
  const sums = new Map<string, number>();
  for (const [shard, rows] of backlogs) {
    if (shard === but) continue;
    for (const [account, bytes] of rows) sums.set(account, (sums.get(account) ?? 0) + bytes);
  }
  return [...sums];
}

/** Two shards that have started, as one. */
function together(one: ShardReady, other: ShardReady): ShardReady {
  if (one.kind === 'refused' || other.kind === 'refused')
    return one.kind === 'refused' ? one : other;
  return { ...one, streams: one.streams + other.streams, jobs: one.jobs + other.jobs };
}
