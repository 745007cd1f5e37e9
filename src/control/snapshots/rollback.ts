/**
 * A roll-back worked out as a change like any other: from what is in force to what was, object by object. Pure.
 *
 * It brings no secret back unless it is asked to: tokens that were revoked stay so, destinations with other credentials stay as
 * they are. Orders that cannot be taken back (erasures, replays) are left alone. What a job delivers gets a new content version
 * of its own, since plans name those; and a job that goes is deleted like any other, with its lines held back.
 */
import type { Scope } from '../../model/scope.ts';
import type { Edited } from '../desk.ts';
import { deleteJob } from '../jobs/deleted.ts';
import { refuse } from '../refusal.ts';
import type { Sealer } from '../secrets/sealing.ts';
import { RECORDS } from '../store/records.ts';
import type { JobRecord, Kind, RecordOf, TokenRecord, ZoneRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import type { Edit, SealedSecret } from '../store/store.ts';
import type { Span } from './differences.ts';
import { inconsistencies } from './consistency.ts';

export interface RollbackWish {
  /** `before` of each object is what is to stand again. */
  readonly span: Span;
  /** The objects have to stand as the span left them: for a single change, which later ones may have built on. */
  readonly strict: boolean;
  readonly withSecrets: boolean;
  readonly sealer: Sealer;
  readonly by: string;
  readonly atMs: number;
  /** Contents kept of a job's past. */
  readonly olderContents: number;
}

/** Of a span, what belongs to one account: itself, its zones, and the jobs and tokens of both. */
export function partOf(span: Span, state: StateView, account: string): Span {
  const either = <T>({ before, after }: Span['objects'][number], is: (record: T) => boolean) =>
    [before, after].some((record) => record !== null && is(record as T));
  const zones = new Set(state.zonesOf(account).map(({ id }) => id));
  for (const one of span.objects) {
    if (one.kind === 'zone' && either<ZoneRecord>(one, (zone) => zone.account === account))
      zones.add(one.id);
  }
  const isOwn = ({ kind, id }: Scope): boolean =>
    kind === 'zone' ? zones.has(id) : id === account;
  const objects = span.objects.filter((one) => {
    switch (one.kind) {
      case 'account':
        return one.id === account;
      case 'zone':
        return zones.has(one.id);
      case 'job':
        return either<JobRecord>(one, ({ scope }) => isOwn(scope));
      case 'token':
        return either<TokenRecord>(one, ({ scopes }) => scopes !== 'all' && scopes.some(isOwn));
      default:
        return false;
    }
  });
  return { ...span, objects };
}

/** What stays as it is although it differs, and why. */
interface LeftOut {
  readonly kind: string;
  readonly id: string;
  readonly why: string;
}

export interface RollbackPlan {
  readonly edits: readonly Edit[];
  readonly left: readonly LeftOut[];
}

interface Making {
  readonly state: StateView;
  readonly version: number;
  readonly wish: RollbackWish;
  readonly edits: Edit[];
  readonly seal: SealedSecret[];
  readonly dropSecrets: string[];
  readonly left: LeftOut[];
  readonly conflicts: string[];
}

/** The change that brings back what stood before the span. */
export function rollBack(
  state: StateView,
  version: number,
  wish: RollbackWish,
): Edited<RollbackPlan> {
  const making: Making = {
    state,
    version,
    wish,
    edits: [],
    seal: [],
    dropSecrets: [],
    left: [],
    conflicts: [],
  };
  for (const { kind, id, before, after } of wish.span.objects) {
    if (!Object.hasOwn(RECORDS, kind)) continue;
    const target = before === null ? null : RECORDS[kind as Kind].parse(before);
    const current = currentOf(state, kind as Kind, id);
    if (alike(kind as Kind, current, target)) continue;
    const left = after === null ? null : RECORDS[kind as Kind].parse(after);
    if (wish.strict && !alike(kind as Kind, current, left)) {
      making.conflicts.push(`${kind} ${id} was changed since`);
      continue;
    }
    bringBack(making, kind as Kind, id, current, target);
  }
  making.conflicts.push(...inconsistencies(state, making.edits));
  const { edits, seal, dropSecrets, left, conflicts } = making;
  if (conflicts.length > 0) return refuse('rollback_conflict', conflictText(conflicts));
  const value = { edits, left };
  if (edits.length === 0) return { kind: 'unchanged', value };
  return { kind: 'draft', edits, seal, dropSecrets, value };
}

const SHOWN = 10;

function conflictText(conflicts: readonly string[]): string {
  const more = conflicts.length > SHOWN ? `; and ${conflicts.length - SHOWN} more` : '';
  return `It cannot be rolled back: ${conflicts.slice(0, SHOWN).join('; ')}${more}. Nothing was changed.`;
}

function bringBack(
  making: Making,
  kind: Kind,
  id: string,
  current: RecordOf<Kind> | null,
  target: RecordOf<Kind> | null,
): void {
  switch (kind) {
    case 'account':
    case 'zone':
    case 'dataset':
      making.edits.push({ kind, id, before: current, after: target } as Edit);
      return;
    case 'token':
      return bringTokenBack(
        making,
        id,
        current as TokenRecord | null,
        target as TokenRecord | null,
      );
    case 'job':
      return bringJobBack(making, current as JobRecord | null, target as JobRecord | null);
    case 'deleted_job':
      // Goes and comes with the job itself.
      return;
    case 'stage':
      // One that began since is no more; one that was open then is not opened again.
      if (target === null) making.edits.push({ kind, id, before: current, after: null } as Edit);
      return;
    case 'replay':
    case 'erasure':
      making.left.push({ kind, id, why: 'it is an order that cannot be taken back' });
      return;
  }
}

/** A token that was made since goes only when just that change is taken back: otherwise whoever rolls back locks people out. */
function bringTokenBack(
  { state, wish, edits, left, conflicts }: Making,
  id: string,
  before: TokenRecord | null,
  after: TokenRecord | null,
): void {
  if (after === null && !wish.strict)
    left.push({
      kind: 'token',
      id,
      why: 'tokens that were made since stay; revoke them by themselves',
    });
  else if (after !== null && !wish.withSecrets)
    left.push({ kind: 'token', id, why: 'tokens come back only when secrets are asked for' });
  else if (after === null && before?.kind === 'operator' && operators(state) === 1)
    conflicts.push(`token ${id} is the last operator token`);
  else edits.push({ kind: 'token', id, before, after });
}

function operators(state: StateView): number {
  return [...state.tokens.values()].filter(({ kind }) => kind === 'operator').length;
}

function bringJobBack(making: Making, current: JobRecord | null, target: JobRecord | null): void {
  const { state, version, wish, edits, seal, dropSecrets, left } = making;
  if (current && target) {
    const after = jobLike(making, current, target);
    if (!alike('job', after, current))
      edits.push({ kind: 'job', id: String(current.id), before: current, after });
    return;
  }
  if (current) {
    const gone = deleteJob(state, current, { by: wish.by, atMs: wish.atMs });
    if (gone.kind !== 'draft') return;
    edits.push(...gone.edits);
    dropSecrets.push(...(gone.dropSecrets ?? []));
    return;
  }
  if (!target) return;
  const id = String(target.id);
  const deleted = state.deletedJobs.get(target.id);
  if (deleted) {
    edits.push(
      {
        kind: 'job',
        id,
        before: null,
        after: { ...jobLike(making, deleted.job, target), version },
      },
      { kind: 'deleted_job', id, before: deleted, after: null },
    );
    return;
  }
  const conf = oldConf(making, target);
  if (conf === undefined) {
    left.push({ kind: 'job', id, why: `it is gone with its secret; ${howSecrets(wish)}` });
    return;
  }
  const secret = { id: target.secret.id, version: target.secret.version + 1 };
  seal.push(wish.sealer.seal(secret.id, secret.version, conf));
  edits.push({ kind: 'job', id, before: null, after: { ...target, secret, version } });
}

/** The job as it stands, with what the target says; under the next content version where that changes what it delivers. */
function jobLike(making: Making, current: JobRecord, target: JobRecord): JobRecord {
  const { version, wish, seal, left } = making;
  const { name, enabled, frequency, maxUploadBytes } = target;
  const { maxUploadRecords, maxUploadIntervalSeconds } = target;
  const settings = { name, enabled, frequency, maxUploadBytes, maxUploadRecords };
  let after: JobRecord = { ...current, ...settings, maxUploadIntervalSeconds, version };
  const { filter, outputOptions, logpullOptions } = target;
  const content = { filter, outputOptions, logpullOptions };
  const standing = {
    filter: current.filter,
    outputOptions: current.outputOptions,
    logpullOptions: current.logpullOptions,
  };
  if (!same(content, standing)) {
    const older = { contentVersion: current.contentVersion, ...standing };
    after = {
      ...after,
      ...content,
      contentVersion: current.contentVersion + 1,
      olderContents: [older, ...current.olderContents].slice(0, wish.olderContents),
    };
  }
  if (same(current.secret, target.secret)) return after;
  const conf = oldConf(making, target);
  if (conf === undefined) {
    left.push({
      kind: 'job',
      id: String(current.id),
      why: `its destination stays as it is; ${howSecrets(wish)}`,
    });
    return after;
  }
  const secret = {
    id: current.secret.id,
    version: Math.max(current.secret.version, target.secret.version) + 1,
  };
  seal.push(wish.sealer.seal(secret.id, secret.version, conf));
  return { ...after, secret, destination: target.destination, fingerprint: target.fingerprint };
}

/** The destination in full as it was sealed then; undefined when it is not asked for, or not to be had. */
function oldConf({ state, wish }: Making, target: JobRecord): string | undefined {
  if (!wish.withSecrets) return undefined;
  const { id, version } = target.secret;
  const touched = wish.span.secretsBefore.has(id);
  const sealed = touched ? wish.span.secretsBefore.get(id) : state.secret(id);
  return sealed && sealed.version === version ? wish.sealer.open(sealed) : undefined;
}

function howSecrets({ withSecrets }: RollbackWish): string {
  return withSecrets
    ? 'its old secret cannot be opened any more'
    : 'secrets come back only when they are asked for';
}

function currentOf(state: StateView, kind: Kind, id: string): RecordOf<Kind> | null {
  const found = {
    account: () => state.accounts.get(id),
    zone: () => state.zones.get(id),
    dataset: () => state.datasets.get(id),
    job: () => state.jobs.get(Number(id)),
    token: () => state.tokens.get(id),
    deleted_job: () => state.deletedJobs.get(Number(id)),
    replay: () => state.replays.get(Number(id)),
    erasure: () => state.erasures.get(id),
    stage: () => state.stage,
  }[kind]();
  return found ?? null;
}

/** Whether two records of a kind say the same; of a job, apart from how often it was changed on the way. */
function alike(kind: Kind, a: RecordOf<Kind> | null, b: RecordOf<Kind> | null): boolean {
  if (kind !== 'job' || a === null || b === null) return same(a, b);
  const course = { version: 0, contentVersion: 0, olderContents: [] };
  return same({ ...a, ...course }, { ...b, ...course });
}

/** Whether two records say the same, in whatever order of keys. */
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(
    entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, sorted(one)]),
  );
}
