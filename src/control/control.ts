/** Puts the room together: store, key, desk, snapshots, API. */
import type { FastifyInstance } from 'fastify';
import type { Cancel, Clock } from '../lib/clock.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { FileSystem } from '../lib/fs/file-system.ts';
import type { Random } from '../lib/random.ts';
import type { DestinationPolicy } from '../destinations/index.ts';
import { limits } from '../model/limits.ts';
import { parseStreamKey } from '../model/scope.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { accountRoutes, zoneRoutes } from './api/accounts.ts';
import { alertRoutes } from './api/alerts.ts';
import { changeRoutes } from './api/changes.ts';
import { applyRoutes } from './api/apply.ts';
import { configRoutes } from './api/config.ts';
import type { Context } from './api/context.ts';
import { datasetRoutes } from './api/datasets.ts';
import { described } from './api/description-routes.ts';
import { erasureRoutes } from './api/erasures.ts';
import { retentionRoutes } from './api/retention.ts';
import { heldJobRoutes } from './api/held-jobs.ts';
import { replayRoutes } from './api/replays.ts';
import { instantLogsRoutes } from './api/instant-logs.ts';
import { jobRoutes } from './api/jobs.ts';
import { jobTestRoutes } from './api/job-test.ts';
import { ledgerRoutes } from './api/ledger.ts';
import { logpullRoutes } from './api/logpull.ts';
import { logpushRoutes } from './api/logpush.ts';
import { logpushCheckRoutes } from './api/logpush-checks.ts';
import { logsControlRoutes } from './api/logs-control.ts';
import { notOfferedRoutes } from './api/not-offered.ts';
import { makeServer } from './api/server.ts';
import type { TlsFiles } from './api/server.ts';
import { serverRoutes } from './api/server-routes.ts';
import { storeRoutes } from './api/store.ts';
import { tokenRoutes } from './api/tokens.ts';
import { wantedRoutes } from './api/wanted.ts';
import type { Route } from './api/route.ts';
import { newToken } from './auth/tokens.ts';
import type { DataPlane } from './data-plane.ts';
import { Desk } from './desk.ts';
import { Guard } from './guard/guard.ts';
import { openStore } from './opening.ts';
import type { CopiedStore } from './snapshots/copied-store.ts';
import { Erasures } from './held/erasures.ts';
import { HeldSweep } from './held/sweep.ts';
import { JOB_BOUNDS } from './jobs/change.ts';
import type { OwnershipChallenge } from './jobs/destination.ts';
import { Trials } from './jobs/trials.ts';
import { openKeys } from './secrets/key-keeper.ts';
import type { KeyKeeper, KeySource } from './secrets/key-keeper.ts';
import { Rotation } from './secrets/rotation.ts';
import { Snapshots } from './snapshot.ts';
import { WantedDesk } from './wanted/index.ts';
import { State } from './store/state.ts';
import type { Contents } from './store/store.ts';

export interface ControlDeps {
  readonly files: FileSystem;
  /** Folder of the control store; it exists. */
  readonly directory: string;
  /** Where the key that seals secrets comes from; a file is made at the first start. */
  readonly keys: KeySource;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly policy: DestinationPolicy;
  /** For which destinations jobs need a proof of ownership; absent: `ambient`. */
  readonly ownershipChallenge?: OwnershipChallenge;
  /** Puts a snapshot in force; resolves when it is. Called once per change (or once for several), versions rising. */
  readonly publish: (snapshot: Snapshot) => Promise<void>;
  readonly dataPlane: DataPlane;
  /** How long what deleted jobs left is held; absent: the default. */
  readonly holdbackMs?: number;
  /** The program's version. */
  readonly version: string;
  /** Earlier runs left lines behind: a missing store is then a loss and refused, never taken for a first start. */
  readonly mustExist?: boolean;
}

interface ListenOptions {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly tls?: TlsFiles;
}

export interface Control {
  /** Starts to answer; resolves with the URL. Rejects when the address cannot be had. */
  listen(options: ListenOptions): Promise<string>;
  /** Takes a new certificate for connections from now on. */
  setTls(files: TlsFiles): void;
  /** The configuration of now, whole. Each call makes a new one of the newest state. */
  snapshot(): Snapshot;
  /** What the newest configuration says of a job, and whether it has a job that wants a stream; for the watchdogs. */
  jobStanding(job: number): 'on' | 'off' | 'gone';
  streamWanted(stream: string): boolean;
  accountOfStream(stream: string): string | undefined;
  /** Seals a text under the server's key, and opens it; undefined when its key is gone. */
  sealText(text: string): string;
  openText(sealed: string): string | undefined;
  /**
   * Makes an operator token when there is none.
   *
   * @param keep puts the token where its owner finds it, before it counts: a crash between the two leaves no lost token
   * @returns the token, which is not to be had again; undefined when there was one already
   */
  ensureOperatorToken(keep?: (token: string) => void | Promise<void>): Promise<string | undefined>;
  /** Stops answering, finishes what is under way, closes the store. */
  close(): Promise<void>;
}

type OpenControlResult =
  | { readonly kind: 'open'; readonly control: Control }
  /** The store or its key cannot be used; `detail` says where it lies and what to do. Nothing was changed. */
  | { readonly kind: 'unreadable'; readonly detail: string };

/** Opens the control room of a data folder. */
export async function openControl(deps: ControlDeps): Promise<OpenControlResult> {
  const { files, directory, clock, diagnostics, mustExist = false } = deps;
  const opened = await openStore({ files, directory, clock, diagnostics, mustExist });
  if (opened.kind === 'unreadable') return opened;
  const { store } = opened;
  const contents = store.journal.holdings.contents();
  const { random, keys: source } = deps;
  const result = await openKeys({ files, random, source }, contents.secrets, directory);
  if (result.kind === 'unreadable') {
    await store.close();
    return result;
  }
  return { kind: 'open', control: new OpenControl(deps, store, contents, result.keeper) };
}

/** What texts that lie outside the store are sealed as. */
const TEXT_ID = 'text outside the store';

class OpenControl implements Control {
  readonly #context: Context;
  readonly #store: CopiedStore;
  readonly #rotation: Rotation;
  readonly #stopLooking: readonly Cancel[];
  readonly #snapshots: Snapshots;
  readonly #guard: Guard;
  readonly #sweep: HeldSweep;
  #app: FastifyInstance | undefined;

  constructor(deps: ControlDeps, store: CopiedStore, contents: Contents, keeper: KeyKeeper) {
    const { clock, random, diagnostics, policy, dataPlane, version } = deps;
    const sealer = keeper.ring;
    this.#store = store;
    this.#snapshots = new Snapshots(sealer, diagnostics);
    const state = new State(contents);
    this.#guard = new Guard(state, {
      clock,
      random,
      diagnostics,
      busyHours: (streams) => dataPlane.busyHours?.(streams) ?? Promise.resolve(new Map()),
    });
    const wanted = new WantedDesk({ store, clock, diagnostics, bounds: limits.forward });
    const desk = new Desk({
      guard: this.#guard,
      store,
      state,
      clock,
      diagnostics,
      publish: async (state) => {
        const snapshot = this.#snapshots.of(state);
        await deps.publish(snapshot);
        await wanted.inForce(snapshot);
      },
      publishWaitMs: limits.control.publishWaitMs,
    });
    const challenge = deps.ownershipChallenge ?? 'ambient';
    const rules = { sealer, policy, challenge, bounds: JOB_BOUNDS };
    const holdbackMs = deps.holdbackMs ?? limits.buffer.holdbackMs;
    const bounds = { ...limits.control, holdbackMs };
    const trials = new Trials({ clock, bounds });
    const outside = { dataPlane, clock, random, diagnostics };
    const erasures = new Erasures({ ...outside, desk });
    const rotation = new Rotation({ keeper, store, desk, diagnostics });
    this.#rotation = rotation;
    rotation.resume();
    this.#context = {
      ...outside,
      rotation,
      desk,
      store,
      rules,
      version,
      trials,
      bounds,
      erasures,
      wanted,
    };
    this.#sweep = new HeldSweep({ ...outside, desk, erasures, bounds });
    const { lookMs, lookWholeMs } = limits.snapshots;
    this.#stopLooking = [
      clock.every(lookMs, () => void store.look(false)),
      clock.every(lookWholeMs, () => void store.look(true)),
    ];
  }

  async listen({ host, port, tls }: ListenOptions): Promise<string> {
    const { dataPlane, desk, clock, random, diagnostics } = this.#context;
    const options = {
      routes: allRoutes(this.#context),
      state: () => desk.state,
      clock,
      random,
      diagnostics,
      live: dataPlane.live,
      headers: () => (this.#store.readOnly() === undefined ? {} : READ_ONLY_HEADER),
      bounds: {
        ...limits.control,
        stallMs: limits.pull.stallMs,
        incomingBytes: limits.live.incomingBytes,
      },
    };
    this.#app = makeServer(options, tls);
    this.#sweep.start();
    await this.#context.wanted.inForce(this.snapshot());
    return await this.#app.listen({ host, port });
  }

  setTls(files: TlsFiles): void {
    const server = this.#app?.server;
    if (server && 'setSecureContext' in server) {
      (server as unknown as { setSecureContext(options: TlsFiles): void }).setSecureContext(files);
    }
  }

  snapshot(): Snapshot {
    return this.#snapshots.of(this.#context.desk.state);
  }

  jobStanding(id: number): 'on' | 'off' | 'gone' {
    const job = this.#context.desk.state.jobs.get(id);
    if (!job) return 'gone';
    return job.enabled ? 'on' : 'off';
  }

  accountOfStream(stream: string): string | undefined {
    const parsed = parseStreamKey(stream);
    return parsed && this.#context.desk.state.accountOf(parsed.scope);
  }

  sealText(text: string): string {
    const { keyId, sealed } = this.#context.rules.sealer.seal(TEXT_ID, 1, text);
    return JSON.stringify({ keyId, sealed });
  }

  openText(text: string): string | undefined {
    const { keyId, sealed } = JSON.parse(text) as { keyId: string; sealed: string };
    return this.#context.rules.sealer.open({ id: TEXT_ID, version: 1, keyId, sealed });
  }

  streamWanted(stream: string): boolean {
    const parsed = parseStreamKey(stream);
    if (!parsed) return false;
    const jobs = this.#context.desk.state.jobsOf(parsed.scope);
    return jobs.some(({ enabled, dataset }) => enabled && dataset === parsed.dataset);
  }

  async ensureOperatorToken(
    keep?: (token: string) => void | Promise<void>,
  ): Promise<string | undefined> {
    const { desk, random, clock } = this.#context;
    const exists = (): boolean =>
      [...desk.state.tokens.values()].some(({ kind }) => kind === 'operator');
    // Read-only, the tokens that are in force go on; there is nobody to whom another could be given.
    if (exists() || this.#store.readOnly() !== undefined) return undefined;
    const { id, secret, hash } = newToken('operator', random);
    await keep?.(secret);
    const made = await desk.change({ who: 'server', address: null }, 'token.create', () => ({
      kind: 'draft',
      edits: [
        {
          kind: 'token',
          id,
          before: null,
          after: {
            id,
            kind: 'operator',
            name: 'first operator',
            hash,
            permissions: [],
            scopes: 'all',
            createdMs: Math.floor(clock.wallMs()),
          },
        },
      ],
      value: secret,
    }));
    if (made.kind === 'refused') throw new Error(made.message);
    return made.value;
  }

  async close(): Promise<void> {
    this.#context.wanted.close();
    await this.#app?.close();
    await this.#sweep.close();
    await this.#context.desk.settled();
    this.#guard.close();
    for (const stop of this.#stopLooking) stop();
    await this.#rotation.settled();
    await this.#store.close();
  }
}

/** On every answer while nothing can be changed, so that no client has to ask for it. */
const READ_ONLY_HEADER = { 'x-waybill-control': 'read-only' };

/** Every route of the API. */
export function allRoutes(context: Context): readonly Route[] {
  const routes = [
    ...logpushRoutes(context),
    ...logpushCheckRoutes(context),
    ...logsControlRoutes(context),
    ...notOfferedRoutes(),
    ...instantLogsRoutes(context),
    ...logpullRoutes(context),
    ...accountRoutes(context),
    ...zoneRoutes(context),
    ...datasetRoutes(context),
    ...tokenRoutes(context),
    ...jobRoutes(context),
    ...jobTestRoutes(context),
    ...heldJobRoutes(context),
    ...erasureRoutes(context),
    ...retentionRoutes(context),
    ...replayRoutes(context),
    ...ledgerRoutes(context),
    ...changeRoutes(context),
    ...configRoutes(context),
    ...applyRoutes(context),
    ...storeRoutes(context),
    ...wantedRoutes(context),
    ...alertRoutes(context),
    ...serverRoutes(context),
  ];
  return described(routes, context.version);
}
