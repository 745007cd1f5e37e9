/**
 * The configuration in memory, with the ways to look things up. It always equals one version of the store: a committed
 * change is applied in one turn, so that no reader sees half of it.
 */
import type { Scope } from '../../model/scope.ts';
import { Groups } from './groups.ts';
import { datasetKey } from './records.ts';
import type {
  AccountRecord,
  DatasetRecord,
  DeletedJobRecord,
  ErasureRecord,
  JobRecord,
  ReplayRecord,
  StageRecord,
  TokenRecord,
  ZoneRecord,
} from './records.ts';
import type { Change, Contents, Edit, SealedSecret } from './store.ts';

/** What readers may ask. */
export interface StateView {
  readonly version: number;
  readonly nextJob: number;
  readonly accounts: ReadonlyMap<string, AccountRecord>;
  readonly zones: ReadonlyMap<string, ZoneRecord>;
  /** Those that operators defined, by store id; built-in ones are elsewhere. */
  readonly datasets: ReadonlyMap<string, DatasetRecord>;
  readonly jobs: ReadonlyMap<number, JobRecord>;
  readonly tokens: ReadonlyMap<string, TokenRecord>;
  /** Jobs that were deleted and can be restored. */
  readonly deletedJobs: ReadonlyMap<number, DeletedJobRecord>;
  readonly replays: ReadonlyMap<number, ReplayRecord>;
  readonly erasures: ReadonlyMap<string, ErasureRecord>;
  /** The staged apply that is open. */
  readonly stage: StageRecord | undefined;
  token(hash: string): TokenRecord | undefined;
  zoneByName(name: string): ZoneRecord | undefined;
  zonesOf(account: string): readonly ZoneRecord[];
  jobsOf(scope: Scope): readonly JobRecord[];
  /** The account that a scope belongs to; undefined when there is no such scope. */
  accountOf(scope: Scope): string | undefined;
  secret(id: string): SealedSecret | undefined;
}

export class State implements StateView {
  version: number;
  nextJob: number;
  readonly accounts = new Map<string, AccountRecord>();
  readonly zones = new Map<string, ZoneRecord>();
  readonly datasets = new Map<string, DatasetRecord>();
  readonly jobs = new Map<number, JobRecord>();
  readonly tokens = new Map<string, TokenRecord>();
  readonly deletedJobs = new Map<number, DeletedJobRecord>();
  readonly replays = new Map<number, ReplayRecord>();
  readonly erasures = new Map<string, ErasureRecord>();
  stage: StageRecord | undefined;
  readonly #tokensByHash = new Map<string, TokenRecord>();
  readonly #zonesByName = new Map<string, ZoneRecord>();
  readonly #zonesByAccount = new Groups<string, ZoneRecord>();
  readonly #jobsByScope = new Groups<number, JobRecord>();
  readonly #secrets = new Map<string, SealedSecret>();

  constructor(contents: Contents) {
    this.version = contents.version;
    this.nextJob = contents.nextJob;
    const { records } = contents;
    for (const account of records.account) this.accounts.set(account.id, account);
    for (const zone of records.zone) this.#putZone(zone);
    for (const dataset of records.dataset)
      this.datasets.set(datasetKey(dataset.scope, dataset.id), dataset);
    for (const job of records.job) this.#putJob(job);
    for (const token of records.token) this.#putToken(token);
    for (const one of records.deleted_job) this.deletedJobs.set(one.id, one);
    for (const one of records.replay) this.replays.set(one.id, one);
    for (const one of records.erasure) this.erasures.set(one.id, one);
    this.stage = records.stage[0];
    for (const secret of contents.secrets) this.#secrets.set(secret.id, secret);
  }

  token(hash: string): TokenRecord | undefined {
    return this.#tokensByHash.get(hash);
  }

  zoneByName(name: string): ZoneRecord | undefined {
    return this.#zonesByName.get(name);
  }

  zonesOf(account: string): readonly ZoneRecord[] {
    return this.#zonesByAccount.of(account);
  }

  jobsOf(scope: Scope): readonly JobRecord[] {
    return this.#jobsByScope.of(scopeText(scope));
  }

  accountOf(scope: Scope): string | undefined {
    if (scope.kind === 'zone') return this.zones.get(scope.id)?.account;
    return this.accounts.has(scope.id) ? scope.id : undefined;
  }

  secret(id: string): SealedSecret | undefined {
    return this.#secrets.get(id);
  }

  /** Takes over a change that the store has committed as `version`. */
  apply(change: Pick<Change, 'edits' | 'seal' | 'dropSecrets'>, version: number): void {
    for (const edit of change.edits) this.#apply(edit);
    for (const id of change.dropSecrets) this.#secrets.delete(id);
    for (const secret of change.seal) this.#secrets.set(secret.id, secret);
    this.version = version;
  }

  #apply(edit: Edit): void {
    switch (edit.kind) {
      case 'account':
        if (edit.after) this.accounts.set(edit.id, edit.after);
        else this.accounts.delete(edit.id);
        return;
      case 'dataset':
        if (edit.after) this.datasets.set(edit.id, edit.after);
        else this.datasets.delete(edit.id);
        return;
      case 'zone':
        this.#removeZone(edit.id);
        if (edit.after) this.#putZone(edit.after);
        return;
      case 'token':
        this.#removeToken(edit.id);
        if (edit.after) this.#putToken(edit.after);
        return;
      case 'job':
        if (edit.after) this.#putJob(edit.after);
        else this.#removeJob(Number(edit.id));
        return;
      case 'deleted_job':
        if (edit.after) this.deletedJobs.set(edit.after.id, edit.after);
        else this.deletedJobs.delete(Number(edit.id));
        return;
      case 'replay':
        if (edit.after) this.replays.set(edit.after.id, edit.after);
        else this.replays.delete(Number(edit.id));
        // Replays and jobs are numbered together.
        this.nextJob = Math.max(this.nextJob, Number(edit.id) + 1);
        return;
      case 'erasure':
        if (edit.after) this.erasures.set(edit.id, edit.after);
        else this.erasures.delete(edit.id);
        return;
      case 'stage':
        this.stage = edit.after ?? undefined;
        return;
    }
  }

  #putZone(zone: ZoneRecord): void {
    this.zones.set(zone.id, zone);
    this.#zonesByName.set(zone.name, zone);
    this.#zonesByAccount.put(zone.account, zone);
  }

  #removeZone(id: string): void {
    const zone = this.zones.get(id);
    if (!zone) return;
    this.zones.delete(id);
    this.#zonesByName.delete(zone.name);
    this.#zonesByAccount.remove(zone.account, id);
  }

  #putToken(token: TokenRecord): void {
    this.tokens.set(token.id, token);
    this.#tokensByHash.set(token.hash, token);
  }

  #removeToken(id: string): void {
    const token = this.tokens.get(id);
    if (!token) return;
    this.tokens.delete(id);
    this.#tokensByHash.delete(token.hash);
  }

  #putJob(job: JobRecord): void {
    this.jobs.set(job.id, job);
    this.#jobsByScope.put(scopeText(job.scope), job);
    this.nextJob = Math.max(this.nextJob, job.id + 1);
  }

  #removeJob(id: number): void {
    const job = this.jobs.get(id);
    if (!job) return;
    this.jobs.delete(id);
    this.#jobsByScope.remove(scopeText(job.scope), id);
  }
}

function scopeText(scope: Scope): string {
  return `${scope.kind}/${scope.id}`;
}
