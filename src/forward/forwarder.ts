/** Puts a forwarder together: spool, door, wanted set, receivers, followed files, status. */
import { Receivers, waybillSender } from '../destinations/index.ts';
import type { WaybillReceiver } from '../destinations/index.ts';
import type { AppendRequest, AppendResult } from '../buffer/index.ts';
import { createIngest } from '../ingest/index.ts';
import type { IngestDeps } from '../ingest/index.ts';
import type { KeptLines } from '../ledger/index.ts';
import type { Clock } from '../lib/clock.ts';
import { PassedThrough } from '../lib/via.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import type { FollowedFiles } from '../lib/fs/followed.ts';
import type { GuardedDialler } from '../lib/net/dialler.ts';
import type { Random } from '../lib/random.ts';
import { limits } from '../model/limits.ts';
import type { RouteTable } from '../route/index.ts';
import { openDoor } from './door.ts';
import { StreamJobs } from './jobs.ts';
import { forwardRoute } from './route.ts';
import type { ForwardConfig, TailSource } from '../model/forward-settings.ts';
import { openSpool } from './spool.ts';
import type { Spool, SpoolDeps, SpoolStep } from './spool.ts';
import { serveStatus, waitingOf } from './status.ts';
import type { ForwardFacts } from './status.ts';
import { fileTextStore } from './tail/registry.ts';
import { Tailer } from './tail/tailer.ts';
import type { Source } from './tail/contract.ts';
import { WantedKeeper } from './wanted/keeper.ts';
import { httpWantedSource } from './wanted/source.ts';

export interface ForwarderDeps {
  readonly config: ForwardConfig;
  /** Folders that are there. */
  readonly paths: SpoolDeps['paths'] & { readonly wanted: string; readonly tail: string };
  readonly files: FileSystem;
  readonly followed: FollowedFiles;
  readonly dialler: GuardedDialler;
  readonly keptLines: KeptLines;
  /** The ingest token, as it is now. */
  readonly token: () => string;
  /** Hex SHA-256 of the tokens that producers may send; undefined: none is asked for. */
  readonly producerTokens: ReadonlySet<string> | undefined;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly onStep?: (step: SpoolStep) => void;
}

export interface Forwarder {
  readonly ingestUrl: string;
  readonly statusUrl: string;
  /** Stops in order, within `drainMs`. */
  stop(): Promise<void>;
}

export type StartForwarder =
  | { readonly kind: 'running'; readonly forwarder: Forwarder }
  | { readonly kind: 'refused'; readonly detail: string };

/** How soon a producer should come again when its stream's job could not be made durable. */
const JOB_RETRY_MS = 1_000;

export async function startForwarder(deps: ForwarderDeps): Promise<StartForwarder> {
  const { config, clock, diagnostics, files } = deps;
  const startedMs = clock.wallMs();
  const passedThrough = new PassedThrough(clock, limits.via);
  const receivers = new Receivers(config.receiver.urls.map(receiverOf), clock);
  const opened = await openSpool({
    ...deps,
    fingerprint: config.receiver.urls.join(' '),
    openSender: () => Promise.resolve(senderOf(deps, receivers, passedThrough)),
  });
  if (opened.kind === 'refused') return opened;
  const { spool } = opened;
  const { buffer, delivery } = spool;
  if (buffer.durability === 'memory')
    diagnostics.warn(
      'the data folder lies in memory: what is accepted is gone with the machine’s power',
    );
  const jobs = new StreamJobs({ buffer, delivery });
  const way: { route: RouteTable } = { route: forwardRoute(undefined, deps.producerTokens) };
  const applied = (work: Promise<void>): void =>
    void work.catch((error: unknown) =>
      diagnostics.error('the wanted set could not be applied', { error: String(error) }),
    );
  const keeper = await WantedKeeper.open({
    ...deps,
    directory: deps.paths.wanted,
    source: sourceOf(deps),
    waitMs: config.wanted.waitMs,
    onSet: (set) => {
      way.route = forwardRoute(set, deps.producerTokens);
      applied(jobs.use(set));
    },
  });
  if (keeper.current !== undefined) {
    way.route = forwardRoute(keeper.current, deps.producerTokens);
    await jobs.use(keeper.current);
  }
  const append = appendTo(spool, jobs);
  const doorDeps = ingestDeps(deps, spool, append, passedThrough);
  const ingest = createIngest({ ...doorDeps, route: () => way.route });
  const door = openDoor({
    ingest,
    notYet: createIngest({ ...doorDeps, route: () => undefined }),
    canSort: () => keeper.current !== undefined,
    asksForToken: deps.producerTokens !== undefined,
    limits: limits.ingest,
    files,
    diagnostics,
  });
  const tailer = await openTailer(deps, spool, append, {
    route: () => way.route,
    canSort: () => keeper.current !== undefined,
  });
  if (typeof tailer === 'string') return { kind: 'refused', detail: tailer };
  const stopAll = new AbortController();
  let draining = false;
  const facts = (): ForwardFacts => ({
    version: deps.version,
    startedMs,
    nowMs: clock.wallMs(),
    draining,
    wanted: keeper.state(),
    ingest: ingest.stats(),
    buffer: buffer.stats(),
    durability: buffer.durability,
    spoolBytes: config.buffer.spoolBytes,
    waiting: waitingOf(buffer),
    receivers: receivers.states(),
    maybeTwice: receivers.mayBeTwice,
    tail: tailer?.stats(),
  });
  const status = await serveStatus(config.status.host, config.status.port, facts);
  const address = await door.listen(config.listen.host, config.listen.port);
  if (config.listen.socket !== '') await door.listenAt(config.listen.socket);
  const asking = keeper.run(stopAll.signal);
  const following = tailer?.run(stopAll.signal);
  diagnostics.info('forwarding', {
    version: deps.version,
    streams: buffer.stats().streams,
    wanted: keeper.current?.version ?? null,
    durability: buffer.durability,
  });
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    draining = true;
    diagnostics.info('draining', { atMostMs: config.process.drainMs });
    const giveUp = new AbortController();
    const cancel = clock.after(config.process.drainMs, () => giveUp.abort());
    await door.drain(giveUp.signal);
    stopAll.abort();
    await Promise.all([asking, following]);
    await spool.close(giveUp.signal);
    status.close();
    cancel();
    diagnostics.info('stopped');
  };
  return {
    kind: 'running',
    forwarder: {
      ingestUrl: `http://${address}`,
      statusUrl: status.url,
      stop: () => (stopped ??= stop()),
    },
  };
}

function receiverOf(text: string): WaybillReceiver {
  const url = new URL(text);
  const secure = url.protocol === 'https:';
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  return { name: url.host, secure, hostname: url.hostname, port };
}

function senderOf(
  { dialler, clock, token }: ForwarderDeps,
  receivers: Receivers,
  passedThrough: PassedThrough,
) {
  const { attemptMs, stallMs, responseBytes } = limits.deliver;
  return waybillSender({
    receivers,
    token,
    tools: { dialler, clock, attemptMs, stallMs, responseBytes },
    // Not its own name: nothing leads back to a forwarder but through a server.
    via: (batch) => passedThrough.names(batch.stream, batch),
  });
}

function sourceOf({ config, dialler, clock, token }: ForwarderDeps) {
  return httpWantedSource({
    url: config.wanted.url,
    token,
    tools: { dialler, clock },
    answerMs: limits.forward.wantedAnswerMs,
    documentBytes: limits.forward.wantedBytes,
  });
}

/** @returns undefined when no files are followed, or why they cannot be */
async function openTailer(
  deps: ForwarderDeps,
  { buffer }: Spool,
  append: Append,
  way: { readonly route: () => RouteTable; readonly canSort: () => boolean },
): Promise<Tailer | string | undefined> {
  const { config, clock, random, diagnostics } = deps;
  if (config.tail.length === 0) return undefined;
  const { files, readBytes, pollMs, scanMs } = limits.forward;
  return Tailer.open({
    sources: config.tail.map(sourceNamed),
    files: deps.followed,
    registry: fileTextStore(deps.files, deps.paths.tail, 'followed.json'),
    append,
    lastOf: (stream, producer) => buffer.lastOf(stream, producer),
    ...way,
    clock,
    random,
    diagnostics,
    limits: { files, readBytes, pollMs, scanMs, lineBytes: limits.ingest.lineBytesMax },
  });
}

function sourceNamed({ paths, exclude, stream, by, dataset, from }: TailSource): Source {
  if (stream !== undefined)
    return { name: stream, paths, exclude, from, to: { kind: 'stream', stream } };
  const [field, of] = [by ?? '', dataset ?? ''];
  return {
    name: `by ${field} ${of}`,
    paths,
    exclude,
    from,
    to: { kind: 'by', field, dataset: of },
  };
}

type Append = (request: AppendRequest) => Promise<AppendResult>;

/** Lines are taken only when there is a job that keeps them until a receiver has them. */
function appendTo({ buffer }: Spool, jobs: StreamJobs): Append {
  return async (request) => {
    const ready = jobs.ensure(request.stream, request.account);
    if (ready === true || (await ready)) return buffer.append(request);
    return { kind: 'refused', reason: 'not_durable', retryAfterMs: JOB_RETRY_MS };
  };
}

function ingestDeps(
  { clock, random, diagnostics }: ForwarderDeps,
  { buffer }: Spool,
  append: Append,
  passedThrough: PassedThrough,
): Omit<IngestDeps, 'route'> {
  return {
    append,
    countRefusal: (entry) => buffer.countRefusal(entry),
    // Bad lines travel with the others: the receiver keeps them apart, where their owner can fetch them.
    keepLines: async ({ stream, account, lines }) => {
      const parts = lines.map(({ bytes }) => Buffer.concat([bytes, Buffer.from('\n')]));
      const ends = new Uint32Array(parts.length);
      let end = 0;
      for (const [index, part] of parts.entries()) ends[index] = end += part.length;
      const kept = await append({ stream, account, lines: { bytes: Buffer.concat(parts), ends } });
      return kept.kind === 'stored' ? 'kept' : 'failed';
    },
    durability: buffer.durability,
    passedThrough,
    keysReachBackMs: () => limits.buffer.keyMs,
    clock,
    random,
    diagnostics,
    limits: limits.ingest,
  };
}
