/**
 * A shard's thread: one log, its buffer, delivery, and its own ingest listener. The way of a line, put together.
 *
 *   request ─▶ ingest ─▶ buffer (log) ─▶ answer
 *                           └─▶ delivery ─▶ destination ─▶ waybill (log) ─▶ archive
 */
import { parentPort } from 'node:worker_threads';
import { inflateBlock } from '../../buffer/index.ts';
import type { ShardBuffer } from '../../buffer/index.ts';
import { compileContent, createDelivery } from '../../deliver/index.ts';
import type { Delivery } from '../../deliver/index.ts';
import { createIngest } from '../../ingest/index.ts';
import type { IngestDeps } from '../../ingest/index.ts';
import { assert } from '../../lib/assert.ts';
import { systemClock as clock } from '../../lib/clock.ts';
import { threadBusy } from '../../lib/busy.ts';
import { HeldElsewhere } from '../../lib/held-elsewhere.ts';
import { LongestTurns } from '../../lib/longest-turns.ts';
import { nodeFileSystem } from '../../lib/fs/node.ts';
import { systemRandom as random } from '../../lib/random.ts';
import { connect } from '../../lib/rpc.ts';
import { Tap } from '../../live/index.ts';
import { limits } from '../../model/limits.ts';
import type { JobConfig } from '../../model/snapshot.ts';
import { Peers } from '../../peers/index.ts';
import { pullReader } from '../../pull/index.ts';
import type { PullReader } from '../../pull/index.ts';
import { crashAt } from '../crash-point.ts';
import { giveBackAfterStart } from '../heap.ts';
import { appendBehindCursors } from './append.ts';
import { storeHanded } from './handed-lines.ts';
import { InForce } from './in-force.ts';
import { sendLossMarker } from './loss-sender.ts';
import { preparer } from '../helpers/preparer.ts';
import type { Preparer } from '../helpers/preparer.ts';
import { openKept } from './opening.ts';
import type { Kept } from './opening.ts';
import { quarantined } from './quarantined.ts';
import { senders } from './senders.ts';
import type { Senders } from './senders.ts';
import { jobSums } from './job-sums.ts';
import type { JobSums } from './job-sums.ts';
import { listenForIngest } from './ingest-listener.ts';
import type { ListenWhere, ShardMethods, ShardReady, SupervisorMethods } from '../link/link.ts';
import { processDiagnostics, telling } from '../report.ts';
import { boundsOfShard } from './bounds.ts';
import { shardCut } from './cut.ts';
import { keepCompiledCode, shardOrder } from './order.ts';
import { handOverAttempts, showSignsOfLife, tendEvery } from './chores.ts';
import { shareTexts } from './shared-texts.ts';
import { ambientOf, contentOf, diskSharesOf, weightsOf } from './snapshot-parts.ts';
import { erasable, erase, findPlace, isErasing } from './lines.ts';
import { tryDestination } from './trial.ts';

const start = await shardOrder();
shareTexts(start.snapshot);
const { config } = start;
const diagnostics = telling(
  processDiagnostics(config.process.logLevel).with({ shard: start.shard }),
  (event, detail) => supervisor.notify('alarm', event, detail),
);
const files = nodeFileSystem();
const onStep = crashAt(process.env['WAYBILL_CRASH_AT']);

assert(parentPort, 'a shard runs in a thread of its own');

/** Several: streams of others are handed over. */
const isAlone = start.shards === 1;
const bounds = boundsOfShard(start.shards, config);
const peers = new Peers({
  store: (...handed) =>
    storeHanded(
      {
        shard: () => running && ingest && { ...running, ingest: ingest.ingest },
        wants: (stream) => inForce.wants(stream),
        inForce: () => inForce.settled(),
        diagnostics,
      },
      ...handed,
    ),
  regain: (memory) => ingest?.ingest.regain(memory),
  mostBytes: limits.shards.handedBytes,
  atTurnEnd: (work) => void setImmediate(work),
});
let ingest: Awaited<ReturnType<typeof listenForIngest>> | undefined;
let weights = weightsOf(start.snapshot);
let diskShares = diskSharesOf(start.snapshot);
let ambient = ambientOf(start.snapshot);
let running:
  | (Kept & {
      delivery: Delivery;
      openSender: Senders['openSender'];
      passedThrough: Senders['passedThrough'];
      apart: Preparer;
      pull: PullReader;
    })
  | undefined;
/** What waits on disk at the other shards, for accounts that are bounded to a share of it. */
let backlogsElsewhere: ReadonlyMap<string, number> = new Map();
/** However many scrapes there are at once, they share one sum. */
let summing: Promise<JobSums> | undefined;
const turns = new LongestTurns(threadBusy());
const inForce = new InForce({
  start,
  delivery: () => running?.delivery,
  came(snapshot) {
    weights = weightsOf(snapshot);
    diskShares = diskSharesOf(snapshot);
    ambient = ambientOf(snapshot);
  },
  clock,
});
/** Stands in the way of lines for Instant Logs. */
const tap = new Tap({
  clock,
  random,
  limits: limits.live,
  hand: (lines) => supervisor.notify('tapped', lines),
});

const supervisor = connect<ShardMethods, SupervisorMethods>(parentPort, {
  apply: (...newer) => inForce.apply(...newer),
  applyDelta: (...delta) => inForce.applyDelta(...delta),
  peer: (shard, port) => peers.join(shard, port),
  backlogsElsewhere(backlogs) {
    backlogsElsewhere = new Map(backlogs);
  },
  peerHangs: (shard, hangs) => peers.hangs(shard, hangs),
  sums: () =>
    (summing ??= jobSums({
      buffer: parts().buffer,
      clock,
      most: limits.ledger.jobSeries,
      nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
    }).finally(() => {
      summing = undefined;
    })),
  cut: (jobs) => shardCut(parts().buffer, parts().delivery, parts().archive, jobs),
  stats: () => ({
    buffer: parts().buffer.stats(),
    ingest: parts().ingest.stats(),
    delivery: parts().delivery.stats(),
    durability: parts().buffer.durability,
    heapBytes: process.memoryUsage().heapUsed,
    turns: turns.times(),
  }),
  setTls: (tls) => ingest?.setTls(tls),
  tryDestination: (trial) =>
    tryDestination(trial, {
      openSender: parts().openSender,
      clock,
      diagnostics,
      trialMs: limits.control.trialMs,
    }),
  tellLoss: (marker) => sendLossMarker(marker, { ...parts(), clock }),
  watch: (watches) => tap.watch(watches),
  tapTaken: (session) => tap.taken(session),
  pullWindow: (...wish) => parts().pull.window(...wish),
  pullPage: (...wish) => parts().pull.page(...wish),
  findPlace: (...wish) => findPlace({ ...parts(), clock }, ...wish),
  erasable: (reach) => erasable({ ...parts(), clock }, reach),
  erase: (reach) => erase({ ...parts(), clock }, reach),
  erasing: (reach) => isErasing(parts().buffer, reach),
  expire: (mostLines) => parts().buffer.expire(mostLines),
  drain: (waitMs) => drain(waitMs),
});

function parts() {
  assert(running && ingest, 'the shard was asked something before it had started');
  return { ...running, ingest: ingest.ingest };
}

async function run(): Promise<void> {
  const started = (outcome: ShardReady) => supervisor.notify('started', outcome);
  const opened = await openKept({
    start,
    bounds,
    onStep,
    files,
    clock,
    random,
    diagnostics,
    weightOf: (account) => weights.get(account) ?? 1,
    diskShares: () => diskShares,
    diskSharers: {
      shards: start.shards,
      backlogOf: (account) => backlogsElsewhere.get(account) ?? 0,
      tell(backlogs) {
        if (!isAlone) supervisor.notify('backlogs', [...backlogs]);
      },
    },
  });
  if (opened.kind !== 'open') return started(opened);
  const { kept } = opened;
  const { buffer, archive } = kept;
  const outgoing = senders({
    config,
    instance: start.instance,
    files,
    clock,
    diagnostics,
    ambientCredentials: (id) => ambient.has(id),
  });
  const apart = preparer({ clock, diagnostics, silentMs: limits.deliver.apartSilentMs });
  const delivery = createDelivery({
    buffer,
    ...outgoing,
    prepareApart: apart.prepare,
    inflateBlock,
    compileContent: (job: JobConfig, epoch: string) =>
      compileContent(
        job,
        inForce.snapshot.datasets.find(
          (dataset) => dataset.id === job.dataset && dataset.scope === job.scope.kind,
        ),
        epoch,
      ),
    keepLines: async (entries) => {
      const atMs = clock.wallMs();
      await supervisor.remote.keepNewest(entries.map((entry) => ({ ...entry, atMs })));
    },
    contentOf: (id, contentVersion) => contentOf(inForce.snapshot, id, contentVersion),
    onAttempt: handOverAttempts(clock, (attempts) => supervisor.notify('attempts', attempts)),
    clock,
    random,
    diagnostics,
    limits: { ...bounds.deliver, openPlans: limits.buffer.openPlans },
    intervalMs: config.deliver.intervalMs,
  });
  running = {
    ...kept,
    delivery,
    openSender: outgoing.openSender,
    passedThrough: outgoing.passedThrough,
    apart,
    pull: pullReader(buffer),
  };
  if (!isAlone) {
    const joined = await joinOthers(buffer);
    if (joined !== undefined) return started({ kind: 'refused', detail: joined });
  }
  await inForce.begin();
  giveBackAfterStart();
  tendEvery({ buffer, delivery, archive, clock, diagnostics });
  showSignsOfLife({
    shard: start.shard,
    buffer,
    delivery,
    version: () => inForce.snapshot.version,
    turns,
    clock,
    tell: (beat) => supervisor.notify('beat', beat),
  });
  const door = createIngest({
    route: () => inForce.route,
    fair: { busyShare: threadBusy(), weightOf: (account) => weights.get(account) ?? 1 },
    append: (request) => appendBehindCursors({ buffer, delivery }, request),
    cut: (lines) => buffer.cut(lines),
    ...(isAlone ? {} : foreignShards()),
    countRefusal: (entry) => buffer.countRefusal(entry),
    keepLines: (entry) => supervisor.remote.keep(quarantined(entry, clock.wallMs())),
    durability: buffer.durability,
    instance: start.instance,
    passedThrough: outgoing.passedThrough,
    tap,
    keysReachBackMs: () => limits.buffer.keyMs,
    clock,
    random,
    diagnostics,
    limits: bounds.ingest,
  });
  ingest = await listenForIngest(door, config, diagnostics, await whereToListen());
  started({
    kind: 'ready',
    host: ingest.host,
    port: ingest.port,
    streams: buffer.stats().streams,
    jobs: buffer.stats().jobs,
    durability: buffer.durability,
  });
  keepCompiledCode();
}

/** Says what this shard has, and learns who owns what. @returns why it cannot; undefined when all is well */
async function joinOthers(buffer: ShardBuffer): Promise<string | undefined> {
  const own = [...buffer.streams()].map(({ stream }) => stream);
  try {
    inForce.owners.learn(await supervisor.remote.join(own));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function foreignShards(): Pick<IngestDeps, 'foreign' | 'heldElsewhere'> {
  return {
    foreign: {
      ownerOf: (stream) => inForce.owners.foreignOwner(stream),
      append: (owner, handed) => peers.append(owner, handed),
    },
    heldElsewhere: new HeldElsewhere(start.held, start.shard),
  };
}

function whereToListen(): ListenWhere | Promise<ListenWhere> {
  if (isAlone) return { port: config.ingest.port, shared: 'no' };
  return supervisor.remote.listenAt();
}

async function drain(waitMs: number): Promise<void> {
  const giveUp = new AbortController();
  const stopTimer = clock.after(waitMs, () => giveUp.abort());
  if (running && ingest) {
    const { buffer, delivery, apart, smallBlocks, archive } = running;
    buffer.drain();
    await ingest.drain(giveUp.signal);
    await delivery.drain(giveUp.signal);
    // What it still prepares is not waited for: the next start prepares it anew.
    await apart.close();
    await delivery.close();
    await buffer.close();
    await smallBlocks.close();
    await archive.close();
  }
  peers.flush();
  stopTimer();
  diagnostics.info('shard closed');
  process.exit(0);
}

await run();
