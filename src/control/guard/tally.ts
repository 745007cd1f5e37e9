/**
 * What is delivered, as counts that are kept up to date with every change, so that a change is judged in O(change) however
 * large the configuration is: per stream its enabled jobs, per account its streams.
 */
import { streamKey } from '../../model/scope.ts';
import type { Scope } from '../../model/scope.ts';
import type { JobRecord, ZoneRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import type { Edit } from '../store/store.ts';

/** The dataset that Logpull's flag keeps without a job. */
const PULLED = 'http_requests';

/** A stream with the account that it belongs to. */
export interface StreamOf {
  readonly stream: string;
  readonly account: string;
}

/** What a change would do to what is delivered: sets, never totals. */
export interface Effect {
  /** Streams that would lose their last enabled job. */
  readonly ended: readonly StreamOf[];
  /** Streams that had no enabled job and would have one. */
  readonly started: readonly StreamOf[];
  /** Jobs enabled before and after whose content or destination would be another. */
  readonly jobsChanged: number;
  /** Accounts of which anything would change. */
  readonly accounts: ReadonlySet<string>;
  /** Streams wanted afterwards: by a job, or by Logpull's flag. */
  readonly wanted: number;
}

interface Entry {
  readonly account: string;
  jobs: number;
  pulled: boolean;
}

type Lookup = (scope: Scope) => string | undefined;

export class Tally {
  readonly #streams = new Map<string, Entry>();
  readonly #delivered = new Map<string, number>();
  #deliveredStreams = 0;

  constructor(state?: Pick<StateView, 'jobs' | 'zones' | 'accountOf'>) {
    for (const job of state?.jobs.values() ?? [])
      this.#add(jobStream(job), state?.accountOf(job.scope), 1);
    for (const zone of state?.zones.values() ?? [])
      if (zone.retention) this.#pull(pulledStream(zone), zone.account, true);
  }

  /** Streams with an enabled job. */
  get delivered(): number {
    return this.#deliveredStreams;
  }

  /** How many accounts these and those with a delivered stream are together. */
  accountsWith(others: Iterable<string>): number {
    let count = this.#delivered.size;
    for (const account of others) if (!this.#delivered.has(account)) count++;
    return count;
  }

  isDelivered(stream: string): boolean {
    return (this.#streams.get(stream)?.jobs ?? 0) > 0;
  }

  /** Names of the streams with an enabled job. */
  *streams(): Generator<string, void, void> {
    for (const [stream, { jobs }] of this.#streams) if (jobs > 0) yield stream;
  }

  /** What edits would do, in O(edits). `accountOf` knows the scopes that stand. */
  effectOf(edits: readonly Edit[], accountOf: Lookup): Effect {
    const owner = ownersIn(edits, accountOf);
    const deltas = new Map<string, { by: number; readonly account: string }>();
    const pulled = new Map<string, boolean>();
    const accounts = new Set<string>();
    let jobsChanged = 0;
    for (const edit of edits) {
      const account = accountTouched(edit, owner);
      if (account !== undefined) accounts.add(account);
      if (edit.kind === 'zone') pulled.set(zoneStream(edit.id), edit.after?.retention === true);
      if (edit.kind !== 'job') continue;
      if (isChanged(edit.before, edit.after)) jobsChanged++;
      for (const [job, by] of [
        [edit.before, -1],
        [edit.after, 1],
      ] as const) {
        const stream = job && jobStream(job);
        if (!stream) continue;
        const delta = deltas.get(stream) ?? { by: 0, account: account ?? '' };
        delta.by += by;
        deltas.set(stream, delta);
      }
    }
    const ended: StreamOf[] = [];
    const started: StreamOf[] = [];
    let wanted = this.#streams.size;
    for (const [stream, { by, account }] of deltas) {
      const entry = this.#streams.get(stream);
      const jobs = entry?.jobs ?? 0;
      if (jobs > 0 && jobs + by <= 0) ended.push({ stream, account });
      if (jobs <= 0 && jobs + by > 0) started.push({ stream, account });
    }
    for (const stream of new Set([...deltas.keys(), ...pulled.keys()])) {
      const entry = this.#streams.get(stream);
      const jobs = (entry?.jobs ?? 0) + (deltas.get(stream)?.by ?? 0);
      const isPulled = pulled.get(stream) ?? entry?.pulled ?? false;
      wanted += Number(jobs > 0 || isPulled) - Number(entry !== undefined);
    }
    return { ended, started, jobsChanged, accounts, wanted };
  }

  /** Takes over a change that has been made. */
  apply(edits: readonly Edit[], accountOf: Lookup): void {
    const owner = ownersIn(edits, accountOf);
    for (const edit of edits) {
      if (edit.kind === 'zone' && (edit.before?.retention || edit.after?.retention)) {
        const account = (edit.after ?? edit.before)?.account ?? '';
        this.#pull(zoneStream(edit.id), account, edit.after?.retention === true);
      }
      if (edit.kind !== 'job') continue;
      if (edit.before) this.#add(jobStream(edit.before), owner(edit.before.scope), -1);
      if (edit.after) this.#add(jobStream(edit.after), owner(edit.after.scope), 1);
    }
  }

  #add(stream: string | null, account: string | undefined, by: 1 | -1): void {
    if (stream === null) return;
    const entry = this.#entry(stream, account ?? '');
    const before = entry.jobs > 0;
    entry.jobs += by;
    const after = entry.jobs > 0;
    if (before !== after) this.#count(entry.account, after ? 1 : -1);
    this.#tidy(stream, entry);
  }

  #pull(stream: string, account: string, pulled: boolean): void {
    const entry = this.#entry(stream, account);
    entry.pulled = pulled;
    this.#tidy(stream, entry);
  }

  #entry(stream: string, account: string): Entry {
    let entry = this.#streams.get(stream);
    if (!entry) this.#streams.set(stream, (entry = { account, jobs: 0, pulled: false }));
    return entry;
  }

  #tidy(stream: string, { jobs, pulled }: Entry): void {
    if (jobs === 0 && !pulled) this.#streams.delete(stream);
  }

  #count(account: string, by: 1 | -1): void {
    this.#deliveredStreams += by;
    const left = (this.#delivered.get(account) ?? 0) + by;
    if (left > 0) this.#delivered.set(account, left);
    else this.#delivered.delete(account);
  }
}

/** The stream of an enabled job; null: none is delivered by it. */
function jobStream(job: Pick<JobRecord, 'enabled' | 'scope' | 'dataset'>): string | null {
  return job.enabled ? streamKey(job.scope, job.dataset) : null;
}

function pulledStream(zone: ZoneRecord): string {
  return zoneStream(zone.id);
}

function zoneStream(id: string): string {
  return streamKey({ kind: 'zone', id }, PULLED);
}

/** Whether a job that goes on would deliver something else, or somewhere else. */
function isChanged(before: JobRecord | null, after: JobRecord | null): boolean {
  if (!before?.enabled || !after?.enabled) return false;
  return (
    before.contentVersion !== after.contentVersion ||
    before.destination !== after.destination ||
    before.secret.version !== after.secret.version
  );
}

/** Accounts of scopes: a zone that the same change makes or deletes counts too. */
function ownersIn(edits: readonly Edit[], accountOf: Lookup): Lookup {
  const zones = new Map<string, string>();
  for (const edit of edits) {
    const zone = edit.kind === 'zone' ? (edit.after ?? edit.before) : null;
    if (zone) zones.set(zone.id, zone.account);
  }
  return (scope) =>
    scope.kind === 'account' ? scope.id : (zones.get(scope.id) ?? accountOf(scope));
}

function accountTouched(edit: Edit, owner: Lookup): string | undefined {
  switch (edit.kind) {
    case 'account':
      return edit.id;
    case 'zone':
      return (edit.after ?? edit.before)?.account;
    case 'job': {
      const scope = (edit.after ?? edit.before)?.scope;
      return scope && owner(scope);
    }
    case 'replay':
    case 'erasure': {
      const scope = (edit.after ?? edit.before)?.scope;
      return scope && owner(scope);
    }
    // Always beside the job's own edit.
    case 'deleted_job':
    case 'dataset':
    case 'token':
    case 'stage':
      return undefined;
  }
}
