/** From the state to what the data plane runs on: whole, immutable, with secrets opened. */
import { assert } from '../lib/assert.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import { parseLogpullOptions, parseOutputOptions } from '../model/output-options.ts';
import { streamKey } from '../model/scope.ts';
import type {
  AccountConfig,
  DatasetConfig,
  IngestTokenConfig,
  JobConfig,
  OutputOptions,
  Snapshot,
  ZoneConfig,
} from '../model/snapshot.ts';
import { allDatasets } from './datasets/catalog.ts';
import type { Sealer } from './secrets/sealing.ts';
import type {
  AccountRecord,
  DatasetRecord,
  JobRecord,
  ReplayRecord,
  TokenRecord,
  ZoneRecord,
} from './store/records.ts';
import type { StateView } from './store/state.ts';

/** Makes snapshots. What did not change since the last one is taken from there. */
export class Snapshots {
  readonly #sealer: Sealer;
  readonly #diagnostics: Diagnostics;
  readonly #jobs = new WeakMap<JobRecord, JobConfig>();
  readonly #replayConfigs = new WeakMap<
    ReplayRecord,
    { readonly job: JobRecord | undefined; readonly config: JobConfig }
  >();
  readonly #datasets = new WeakMap<DatasetRecord, DatasetConfig>();
  readonly #others = new WeakMap<object, object>();

  constructor(sealer: Sealer, diagnostics: Diagnostics) {
    this.#sealer = sealer;
    this.#diagnostics = diagnostics;
  }

  of(state: StateView): Snapshot {
    return {
      version: state.version,
      accounts: [...state.accounts.values()].map((account) => this.#once(account, accountConfig)),
      zones: [...state.zones.values()].map((zone) => this.#once(zone, zoneConfig)),
      datasets: allDatasets(state.datasets).map((dataset) => this.#dataset(dataset)),
      jobs: [...state.jobs.values()].map((job) => this.#job(state, job)),
      ...this.#replays(state),
      tokens: [...state.tokens.values()]
        .filter(({ kind }) => kind === 'ingest')
        .map((token) => this.#once(token, tokenConfig)),
    };
  }

  /** Those under way; the member is left out when there are none, as most of the time. */
  #replays(state: StateView): Pick<Snapshot, 'replays'> {
    const running = [...state.replays.values()].filter((replay) => replay.state === 'running');
    return running.length === 0
      ? {}
      : { replays: running.map((replay) => this.#replay(state, replay)) };
  }

  /** Without a destination of its own it goes where its job goes, with the job's newest credentials. */
  #replay(state: StateView, replay: ReplayRecord): JobConfig {
    const job = replay.secret === null ? state.jobs.get(replay.job) : undefined;
    const known = this.#replayConfigs.get(replay);
    if (known && known.job === job) return known.config;
    const config = this.#makeReplay(state, replay, job);
    this.#replayConfigs.set(replay, { job, config });
    return config;
  }

  #makeReplay(state: StateView, replay: ReplayRecord, job: JobRecord | undefined): JobConfig {
    const { content, dataset, epoch, from, id, scope, to, version } = replay;
    const account = state.accountOf(scope);
    assert(account !== undefined, 'a replay belongs to an account');
    const secret = replay.secret ?? job?.secret;
    return {
      id,
      name: '',
      account,
      scope,
      dataset,
      stream: streamKey(scope, dataset),
      enabled: true,
      destinationConf: secret === undefined ? '' : this.#open(state, { id, secret }),
      filter: content.filter,
      outputOptions: outputOptions(content),
      maxUploadBytes: content.maxUploadBytes,
      maxUploadRecords: content.maxUploadRecords,
      maxUploadIntervalMs: content.maxUploadIntervalSeconds * 1000,
      contentVersion: content.contentVersion,
      version: Math.max(version, job?.version ?? 0),
      replay: { of: replay.job, epoch, from, to },
    };
  }

  /** The same object for the same record, so that what did not change is seen at once. */
  #once<Record extends object, Config extends object>(
    record: Record,
    make: (record: Record) => Config,
  ): Config {
    let config = this.#others.get(record) as Config | undefined;
    if (!config) this.#others.set(record, (config = make(record)));
    return config;
  }

  #dataset(record: DatasetRecord): DatasetConfig {
    let config = this.#datasets.get(record);
    if (!config) {
      const { id, scope, fields, strict } = record;
      this.#datasets.set(record, (config = { id, scope, fields, strict }));
    }
    return config;
  }

  #job(state: StateView, job: JobRecord): JobConfig {
    let config = this.#jobs.get(job);
    if (!config) this.#jobs.set(job, (config = this.#make(state, job)));
    return config;
  }

  #make(state: StateView, job: JobRecord): JobConfig {
    const account = state.accountOf(job.scope);
    assert(account !== undefined, 'a job belongs to an account');
    return {
      id: job.id,
      name: job.name,
      account,
      scope: job.scope,
      dataset: job.dataset,
      stream: streamKey(job.scope, job.dataset),
      enabled: job.enabled,
      destinationConf: this.#open(state, job),
      filter: job.filter,
      outputOptions: outputOptions(job),
      maxUploadBytes: job.maxUploadBytes,
      maxUploadRecords: job.maxUploadRecords,
      maxUploadIntervalMs: job.maxUploadIntervalSeconds * 1000,
      contentVersion: job.contentVersion,
      olderContents: job.olderContents.map((content) => ({
        contentVersion: content.contentVersion,
        filter: content.filter,
        outputOptions: outputOptions(content),
      })),
      version: job.version,
      ...(job.start ? { start: job.start } : {}),
      ...(job.skipTo ? { skipTo: job.skipTo } : {}),
    };
  }

  /** A secret that cannot be opened costs its job the way out, not its lines: they wait, and an empty conf is told. */
  #open(state: StateView, job: Pick<JobRecord, 'id' | 'secret'>): string {
    const sealed = state.secret(job.secret.id);
    const conf = sealed && this.#sealer.open(sealed);
    if (conf === undefined)
      this.#diagnostics.alarm('a stored destination_conf cannot be opened', { job: job.id });
    return conf ?? '';
  }
}

function zoneConfig({ id, account, name, retention }: ZoneRecord): ZoneConfig {
  return { id, account, name, ...(retention ? { retention } : {}) };
}

function tokenConfig({ id, hash, scopes }: TokenRecord): IngestTokenConfig {
  return { id, hash, scopes };
}

function accountConfig({ id, name, ambientCredentials, limits }: AccountRecord): AccountConfig {
  const { weight, diskShare } = limits;
  return {
    id,
    name,
    ambientCredentials,
    ...(weight === undefined ? {} : { weight }),
    ...(diskShare === undefined ? {} : { diskShare }),
  };
}

/** Output options as the data plane takes them; the deprecated form counts only where there are none of the newer one. */
function outputOptions(
  job: Pick<JobRecord, 'outputOptions' | 'logpullOptions'>,
): OutputOptions | null {
  const parsed =
    job.outputOptions === null
      ? parseLogpullOptions(job.logpullOptions)
      : parseOutputOptions(job.outputOptions, undefined);
  // Both were judged when the job was made; a rule that has become stricter since must not stop what runs.
  if (parsed.kind === 'invalid') return job.outputOptions;
  return parsed.kind === 'options' ? parsed.options : null;
}
