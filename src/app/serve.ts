import { readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openControl } from '../control/index.ts';
import type { Control, OwnershipChallenge } from '../control/index.ts';
import type { Books } from '../ledger/index.ts';
import { openAttemptStore, openBooks } from '../ledger/index.ts';
import { openOrSetAside } from './set-aside.ts';
import { keptLinesIn } from './kept-lines.ts';
import { systemClock as clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import { nodeFileSystem } from '../lib/fs/node.ts';
import { isNameServer } from '../lib/net/resolver.ts';
import { parseOpenedRange } from '../lib/net/addresses.ts';
import { systemRandom as random } from '../lib/random.ts';
import type { Config } from '../model/settings.ts';
import { limits } from '../model/limits.ts';
import { prepareDataFolder, shardPaths } from './data-folder.ts';
import { dataPlane } from './shards/data-plane.ts';
import { giveBackAfterStart } from './heap.ts';
import { keySource } from './key-source.ts';
import type { ShardPaths } from './link/link.ts';
import { losses as openLosses } from './losses.ts';
import { onlookers } from './shards/onlookers.ts';
import { processDiagnostics, telling } from './report.ts';
import { guardedDialler } from './shard/senders.ts';
import type { ShardWorker } from './shard/order.ts';
import { superviseShards } from './shards/shards.ts';
import { readTls, watchTls } from './tls.ts';
import { watching } from './watching.ts';
import type { Watching, WatchingOptions } from './watching.ts';
import { VERSION } from '../lib/version.ts';

export type ServeOutcome =
  | { readonly kind: 'serving'; readonly served: Served }
  /** It cannot start; `detail` says why and what to do. */
  | { readonly kind: 'refused'; readonly detail: string };

export interface Served {
  /** Where producers and people reach it, as URLs. */
  readonly ingestUrl: string;
  readonly controlUrl: string;
  /** Where the operator token lies; `made` when this start made it. */
  readonly operatorToken: { readonly path: string; readonly made: boolean };
  /** Stops in order within `drainMs`. */
  stop(): Promise<void>;
}

/** How often the sums are brought up to date without being asked. */
const CATCH_UP_MS = 5_000;

/**
 * Starts a server and resolves when it accepts lines.
 *
 * @param workers the shards' threads, one each
 */
export async function serve(
  config: Config,
  workers: readonly ShardWorker[],
): Promise<ServeOutcome> {
  const heard: { watch?: Watching } = {};
  const diagnostics = telling(processDiagnostics(config.process.logLevel), (event, detail) =>
    heard.watch?.alarm(event, detail),
  );
  const files = nodeFileSystem();
  const directory = resolve(config.data.dir);
  const at = (...names: string[]) => join(directory, ...names);
  const refused = (detail: string): ServeOutcome => ({ kind: 'refused', detail });
  const { allowAddresses, denyAddresses } = config.destinations;
  const badRange = [...allowAddresses, ...denyAddresses].find((text) => !parseOpenedRange(text));
  if (badRange !== undefined) {
    return refused(
      `destinations.allowAddresses or denyAddresses: ${badRange} is no address range; write 10.0.0.0/8 or fd00::/8`,
    );
  }
  const badServer = config.destinations.nameServers.find((text) => !isNameServer(text));
  if (badServer !== undefined) {
    return refused(
      `destinations.nameServers: ${badServer} is no name server; write 10.0.0.2 or 10.0.0.2:5353`,
    );
  }

  const unusable = await prepareDataFolder(files, directory, config.process.shards);
  if (unusable !== undefined) return refused(unusable);
  const lock = await files.lock(at('lock'));
  if (lock === 'held')
    return refused(
      `another Waybill uses the data folder ${directory}; give this one its own with --data-dir`,
    );

  // Lines of earlier runs: a configuration that is missing beside them is a loss, not a first start.
  const paths = shardPaths(directory, config.process.shards);
  const hasLines = paths.some(({ log }) => readdirSync(log).length > 0);
  const tls = { ingest: tlsOf(config.ingest), control: tlsOf(config.control) };
  const parts: { control?: Control; books?: Books } = {};
  const stores = await openStores(at('ledger'), paths, files, diagnostics, {
    folder: at('ledger'),
    config,
    control: () => parts.control,
    books: () => parts.books,
    shards: () => shards,
    clock,
    random,
    diagnostics,
    dialler: guardedDialler({ config, clock, diagnostics }),
  });
  if (typeof stores === 'string') return refused(stores);
  const { books, attempts, keptLines, watch, losses } = stores;
  parts.books = books;
  heard.watch = watch;
  const { live, pull } = onlookers({ shards: () => shards, clock, random, diagnostics });
  const shards = superviseShards({
    start: {
      instance: random.bytes(8).toString('hex'),
      config: { ...config, data: { ...config.data, dir: directory } },
    },
    paths,
    workers,
    snapshot: () => parts.control!.snapshot(),
    tls: () => tls.ingest(),
    watches: () => live.watches(),
    onState: (...state) => watch.shardState(...state),
    supervisor: {
      beat: (beat) => watch.beat(beat),
      alarm: (event, detail) => watch.alarm(event, detail),
      tapped: (...lines) => live.tapped(...lines),
      attempts: (list) => {
        try {
          attempts.add(list);
        } catch (error) {
          // They are only listed: a full disk must not cost the control thread for it (I9).
          diagnostics.warn('attempts could not be listed', { error: String(error) });
        }
      },
      keep: (entries) => {
        try {
          return keptLines.keep(entries);
        } catch (error) {
          diagnostics.warn('bad lines could not be kept apart', { error: String(error) });
          return 'failed';
        }
      },
      keepNewest: (entries) => void keptLines.keepNewest(entries),
    },
    clock,
    diagnostics,
  });
  const opened = await openControl({
    files,
    directory,
    keys: keySource(config.control, at('secrets.key')),
    clock,
    random,
    diagnostics,
    policy: { allowHttp: config.destinations.allowHttp, fileRoots: config.destinations.fileRoots },
    holdbackMs: config.buffer.holdbackMs,
    ownershipChallenge: config.destinations.ownershipChallenge as OwnershipChallenge,
    publish: (snapshot) => {
      watch.published(snapshot.version);
      return shards.publish(snapshot);
    },
    dataPlane: dataPlane({
      shards,
      books,
      attempts,
      keptLines,
      live,
      pull,
      version: VERSION,
      startedMs: clock.wallMs(),
      clock,
      alerts: watch,
      alertMetrics: () => watch.metrics(),
    }),
    version: VERSION,
    mustExist: hasLines,
  });
  if (opened.kind === 'unreadable') return refused(opened.detail);
  const { control } = opened;
  giveBackAfterStart();
  parts.control = control;
  watch.openWebhooks(control);
  const operatorToken = await keepOperatorToken(control, at('operator.token'));

  const started = await shards.start();
  if (started.kind === 'refused') return refused(started.detail);
  losses.start();
  const controlTls = tls.control();
  const controlAddress = await control.listen({
    host: config.control.host,
    port: config.control.port,
    ...(controlTls ? { tls: controlTls } : {}),
  });
  const stopWatching = watchCertificates(
    config,
    diagnostics,
    (files) => shards.setTls(files),
    (files) => control.setTls(files),
  );
  const stopCatchingUp = clock.every(CATCH_UP_MS, () => {
    void books
      .catchUp()
      .catch((error: unknown) =>
        diagnostics.error('ledger sums fell behind', { error: String(error) }),
      );
  });

  const ingestUrl = `${config.ingest.tlsCert === '' ? 'http' : 'https'}://${shards.ingestAddress() ?? ''}`;
  const controlUrl = controlAddress;
  diagnostics.info('serving', {
    version: VERSION,
    ingestUrl,
    controlUrl,
    data: directory,
    streams: started.streams,
    jobs: started.jobs,
    durability: started.durability,
  });

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    diagnostics.info('draining', { atMostMs: config.process.drainMs });
    await shards.drain(config.process.drainMs);
    stopWatching();
    stopCatchingUp();
    live.close();
    await control.close();
    await books.catchUp().catch(() => {});
    books.close();
    losses.close();
    watch.close();
    attempts.close();
    keptLines.close();
    await lock.release();
    diagnostics.info('stopped');
  };
  return {
    kind: 'serving',
    served: { ingestUrl, controlUrl, operatorToken, stop: () => (stopped ??= stop()) },
  };
}

/** What the ledger keeps on the control thread's side; or why it cannot be opened, a full disk for one. */
async function openStores(
  folder: string,
  paths: readonly ShardPaths[],
  files: FileSystem,
  diagnostics: Diagnostics,
  watchingOptions: WatchingOptions,
) {
  try {
    const watch = watching(watchingOptions);
    const losses = openLosses({
      ...watchingOptions,
      path: join(folder, 'losses.db'),
      isOn: watchingOptions.config.deliver.lossMarkers,
    });
    return {
      watch,
      losses,
      books: await openBooks({
        files,
        archives: paths.map(({ archive }) => archive),
        path: join(folder, 'books.db'),
        diagnostics,
        onDropped(waybill) {
          watch.dropped(waybill);
          losses.heard(waybill);
        },
        keepDropped() {
          watch.keepDropped();
          losses.keep();
        },
      }),
      attempts: openOrSetAside(
        join(folder, 'attempts.db'),
        (path) => openAttemptStore(path, limits.deliver.attemptsListed),
        diagnostics,
      ),
      keptLines: keptLinesIn(folder, diagnostics),
    };
  } catch (error) {
    return `the ledger's files in ${folder} cannot be opened: ${error instanceof Error ? error.message : String(error)}`;
  }
}

type TlsSettings = { readonly tlsCert: string; readonly tlsKey: string };

/** Reads the pair at each call, so that a restarted shard gets today's; undefined without TLS. */
function tlsOf({ tlsCert, tlsKey }: TlsSettings) {
  return () => (tlsCert === '' ? undefined : readTls(tlsCert, tlsKey));
}

function watchCertificates(
  config: Config,
  diagnostics: Diagnostics,
  ingest: Parameters<typeof watchTls>[3],
  control: Parameters<typeof watchTls>[3],
): () => void {
  const stops = [
    { settings: config.ingest, reload: ingest },
    { settings: config.control, reload: control },
  ]
    .filter(({ settings }) => settings.tlsCert !== '')
    .map(({ settings, reload }) =>
      watchTls(settings.tlsCert, settings.tlsKey, diagnostics, reload),
    );
  return () => stops.forEach((stop) => stop());
}

/** The first start makes an operator token and leaves it where only this user can read it. */
async function keepOperatorToken(control: Control, path: string): Promise<Served['operatorToken']> {
  // Written before the token counts: a crash in between leaves a file that opens nothing, and the next start writes it anew.
  const token = await control.ensureOperatorToken((made) =>
    writeFileSync(path, `${made}\n`, { mode: 0o600, flush: true }),
  );
  return { path, made: token !== undefined };
}
