/**
 * From a document and what stands to the change that makes one of the other: in the order in which one builds on the other,
 * each step by the same rules as if it were sent alone. Pure but for the seals of new secrets. Done in turns, since ten thousand
 * jobs take seconds and the control API answers others meanwhile (I9).
 */
import type { TurnSlices } from '../../lib/turn-slices.ts';
import type { ConfigDocument, DocumentAccount, DocumentJob } from '../../model/config-document.ts';
import { notWhole } from '../../model/config-document.ts';
import { scopePath } from '../../model/scope.ts';
import type { Scope } from '../../model/scope.ts';
import type { Edited } from '../desk.ts';
import { recordsOf } from '../guard/differences.ts';
import { jobBody } from '../jobs/body.ts';
import type { JobBody } from '../jobs/body.ts';
import { createJob, updateJob } from '../jobs/change.ts';
import type { JobRules } from '../jobs/change.ts';
import { deleteJob } from '../jobs/deleted.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { JobRecord } from '../store/records.ts';
import { State } from '../store/state.ts';
import type { StateView } from '../store/state.ts';
import type { Edit, SealedSecret } from '../store/store.ts';

/** The rules of accounts, zones and datasets, which live beside their routes. */
export interface DirectoryRules {
  putAccount(state: StateView, account: DocumentAccount): Edited<unknown>;
  putZone(state: StateView, account: string, id: string, name: string | undefined): Edited<unknown>;
  putDataset(state: StateView, dataset: ConfigDocument['datasets'][number]): Edited<unknown>;
  deleteAccount(state: StateView, id: string): Edited<unknown>;
  deleteZone(state: StateView, id: string): Edited<unknown>;
  deleteDataset(state: StateView, id: string, scope: 'account' | 'zone'): Edited<unknown>;
}

export interface PlanRules {
  readonly jobs: JobRules;
  readonly directory: DirectoryRules;
  readonly by: string;
  readonly atMs: number;
}

/** One thing that a document would change. */
export interface Step {
  readonly action: 'create' | 'update' | 'delete';
  readonly edits: readonly Edit[];
  readonly seal: readonly SealedSecret[];
  readonly dropSecrets: readonly string[];
}

export type Planned =
  | { readonly kind: 'planned'; readonly steps: readonly Step[]; readonly unchanged: number }
  | Refusal;

/** Which job changes a stage takes; undefined: all. Whatever else is not a job's creation or change waits for the last stage. */
export type Chosen = (job: { readonly scope: Scope; readonly name: string }) => boolean;

/** Works out what a document would change of the state as it is now. The path of a refusal leads into the document. */
export async function planDocument(
  state: StateView,
  document: ConfigDocument,
  rules: PlanRules,
  slices: TurnSlices,
  chosen?: Chosen,
): Promise<Planned> {
  const wrong = notWhole(document);
  if (wrong !== undefined)
    return refuse('document_refused', `${wrong}. Nothing was changed.`, 'expect');
  const planner = new Planner(state, rules, slices, chosen);
  return await planner.run(document);
}

class Planner {
  readonly #state: State;
  readonly #rules: PlanRules;
  readonly #slices: TurnSlices;
  readonly #chosen: Chosen | undefined;
  readonly #version: number;
  readonly #steps: Step[] = [];
  #unchanged = 0;
  #refusal: Refusal | undefined;

  constructor(state: StateView, rules: PlanRules, slices: TurnSlices, chosen: Chosen | undefined) {
    this.#slices = slices;
    this.#state = copyOf(state);
    this.#version = state.version + 1;
    this.#rules = rules;
    this.#chosen = chosen;
  }

  async run(document: ConfigDocument): Promise<Planned> {
    const { directory } = this.#rules;
    document.datasets.forEach((dataset, index) =>
      this.#take(`datasets.${index}`, () => directory.putDataset(this.#state, dataset)),
    );
    this.#twice(
      'accounts',
      document.accounts.map(({ id }) => id),
    );
    for (const [index, account] of document.accounts.entries())
      await this.#account(account, `accounts.${index}`);
    if (!this.#chosen) await this.#clear(document);
    if (this.#refusal) return this.#refusal;
    return { kind: 'planned', steps: this.#steps, unchanged: this.#unchanged };
  }

  async #account(account: DocumentAccount, path: string): Promise<void> {
    const { directory } = this.#rules;
    this.#take(path, () => directory.putAccount(this.#state, account));
    await this.#jobs({ kind: 'account', id: account.id }, account.jobs, `${path}.jobs`);
    this.#twice(
      `${path}.zones`,
      account.zones.map(({ id }) => id),
    );
    for (const [index, zone] of account.zones.entries()) {
      const at = `${path}.zones.${index}`;
      this.#take(at, () => directory.putZone(this.#state, account.id, zone.id, zone.name));
      await this.#jobs({ kind: 'zone', id: zone.id }, zone.jobs, `${at}.jobs`);
    }
  }

  async #jobs(scope: Scope, jobs: readonly DocumentJob[], path: string): Promise<void> {
    this.#twice(
      path,
      jobs.map(({ name }) => name),
    );
    if (this.#refusal) return;
    const standing = new Map<string, JobRecord[]>();
    for (const one of this.#state.jobsOf(scope))
      standing.set(one.name, [...(standing.get(one.name) ?? []), one]);
    for (const [index, job] of jobs.entries()) {
      if (this.#slices.isDue()) await this.#slices.next();
      if (this.#chosen && !this.#chosen({ scope, name: job.name })) continue;
      this.#take(`${path}.${index}`, () => this.#job(scope, job, standing.get(job.name) ?? []));
    }
  }

  #job(scope: Scope, job: DocumentJob, standing: readonly JobRecord[]): Edited<unknown> {
    const { jobs: rules, atMs } = this.#rules;
    if (standing.length > 1) {
      const ids = standing.map(({ id }) => id).join(', ');
      return refuse(
        'body_invalid',
        `${scopePath(scope)} has ${standing.length} jobs of this name (${ids}); rename all but one`,
        'name',
      );
    }
    const body = bodyOf(job);
    if ('kind' in body && body.kind === 'refused') return body as Refusal;
    const [before] = standing;
    if (before) return updateJob(this.#state, this.#version, rules, before, body as JobBody, atMs);
    const mark = rules.sealer.mark(`document\n${scopePath(scope)}\n${job.name}`);
    return createJob(this.#state, this.#version, rules, {
      scope,
      body: body as JobBody,
      atMs,
      mark,
      repeated: false,
    });
  }

  /** Deletes what a complete document, or the complete part of one, does not name: jobs first, then what held them. */
  async #clear(document: ConfigDocument): Promise<void> {
    const { directory, by, atMs } = this.#rules;
    const named = new Map(document.accounts.map((account) => [account.id, account]));
    for (const { id } of this.#state.accounts.values()) {
      if (this.#slices.isDue()) await this.#slices.next();
      const account = named.get(id);
      if (account ? !(document.complete || account.complete) : !document.complete) continue;
      const zones = new Map(account?.zones.map((zone) => [zone.id, zone]));
      const scopes = [
        { scope: { kind: 'account', id } as const, jobs: account?.jobs ?? [] },
        ...this.#state.zonesOf(id).map((zone) => ({
          scope: { kind: 'zone', id: zone.id } as const,
          jobs: zones.get(zone.id)?.jobs ?? [],
        })),
      ];
      for (const { scope, jobs } of scopes) {
        const names = new Set(jobs.map(({ name }) => name));
        for (const job of this.#state.jobsOf(scope))
          if (!names.has(job.name)) this.#take('', () => deleteJob(this.#state, job, { by, atMs }));
      }
      for (const zone of this.#state.zonesOf(id))
        if (!zones.has(zone.id)) this.#take('', () => directory.deleteZone(this.#state, zone.id));
      if (!account) this.#take('', () => directory.deleteAccount(this.#state, id));
    }
    if (!document.complete) return;
    const datasets = new Set(document.datasets.map(({ scope, id }) => `${scope}/${id}`));
    for (const [key, { id, scope }] of this.#state.datasets)
      if (!datasets.has(key)) this.#take('', () => directory.deleteDataset(this.#state, id, scope));
  }

  #take(path: string, work: () => Edited<unknown>): void {
    if (this.#refusal) return;
    const edited = work();
    switch (edited.kind) {
      case 'refused': {
        const inner = edited.path === 'destination_conf' ? 'destination' : edited.path;
        const at = [path, inner].filter(Boolean).join('.');
        this.#refusal = at === '' ? edited : { ...edited, path: at };
        return;
      }
      case 'unchanged':
        this.#unchanged++;
        return;
      case 'draft': {
        const [first] = edited.edits.filter(({ kind }) => kind !== 'deleted_job');
        const action = !first?.before ? 'create' : first.after ? 'update' : 'delete';
        const { edits, seal = [], dropSecrets = [] } = edited;
        this.#steps.push({ action, edits, seal, dropSecrets });
        this.#state.apply({ edits, seal, dropSecrets }, this.#state.version);
      }
    }
  }

  #twice(path: string, names: readonly string[]): void {
    const seen = new Set<string>();
    names.forEach((name, index) => {
      if (seen.has(name))
        this.#refusal ??= refuse('body_invalid', `${name} stands there twice`, `${path}.${index}`);
      seen.add(name);
    });
  }
}

/** What a document says of a job is all of it: what it leaves out goes back to its default. */
function bodyOf({ destination, filter, ...rest }: DocumentJob): JobBody | Refusal {
  const text = typeof filter === 'string' ? filter : filter ? JSON.stringify(filter) : '';
  const body = jobBody.safeParse({
    output_options: null,
    logpull_options: null,
    frequency: null,
    max_upload_bytes: null,
    max_upload_records: null,
    max_upload_interval_seconds: null,
    ...rest,
    filter: text,
    destination_conf: destination,
  });
  if (body.success) return body.data;
  const [issue] = body.error.issues;
  return refuse('body_invalid', issue?.message ?? 'is not valid', issue?.path.join('.'));
}

function copyOf(state: StateView): State {
  const secrets = [...state.jobs.values(), ...[...state.deletedJobs.values()].map(({ job }) => job)]
    .map(({ secret }) => state.secret(secret.id))
    .filter((secret) => secret !== undefined);
  const { version, nextJob } = state;
  return new State({ version, nextJob, records: recordsOf(state), secrets });
}
