/** From the state to what the data plane runs on: whole, immutable, with secrets opened. */
import { assert } from '../lib/assert.ts';
import type { Diagnostics } from '../lib/diagnostics.ts';
import { parseLogpullOptions, parseOutputOptions } from '../model/output-options.ts';
import { streamKey } from '../model/scope.ts';
import type {
  AccountConfig,
  DatasetConfig,
  JobConfig,
  OutputOptions,
  Snapshot,
} from '../model/snapshot.ts';
import { allDatasets } from './datasets/catalog.ts';
import type { Sealer } from './secrets/sealing.ts';
import type { AccountRecord, DatasetRecord, JobRecord } from './store/records.ts';
import type { StateView } from './store/state.ts';

/** Makes snapshots. What did not change since the last one is taken from there. */
export class Snapshots {
  readonly #sealer: Sealer;
  readonly #diagnostics: Diagnostics;
  readonly #jobs = new WeakMap<JobRecord, JobConfig>();
  readonly #datasets = new WeakMap<DatasetRecord, DatasetConfig>();

  constructor(sealer: Sealer, diagnostics: Diagnostics) {
    this.#sealer = sealer;
    this.#diagnostics = diagnostics;
  }

  of(state: StateView): Snapshot {
    return {
      version: state.version,
      accounts: [...state.accounts.values()].map(accountConfig),
      zones: [...state.zones.values()].map(({ id, account, name, retention }) => ({
        id,
        account,
        name,
        ...(retention ? { retention } : {}),
      })),
      datasets: allDatasets(state.datasets).map((dataset) => this.#dataset(dataset)),
      jobs: [...state.jobs.values()].map((job) => this.#job(state, job)),
      tokens: [...state.tokens.values()]
        .filter(({ kind }) => kind === 'ingest')
        .map(({ id, hash, scopes }) => ({ id, hash, scopes })),
    };
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
  #open(state: StateView, job: JobRecord): string {
    const sealed = state.secret(job.secret.id);
    const conf = sealed && this.#sealer.open(sealed);
    if (conf === undefined)
      this.#diagnostics.alarm('a stored destination_conf cannot be opened', { job: job.id });
    return conf ?? '';
  }
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
