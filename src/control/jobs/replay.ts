/** The rules of making and ending a replay. Pure. */
import type { StreamPlace } from '../../model/snapshot.ts';
import { limits } from '../../model/limits.ts';
import type { Edited } from '../desk.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { JobRecord, ReplayRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import type { Edit } from '../store/store.ts';
import type { JobRules } from './change.ts';
import { ended } from './deleted.ts';
import { judgeDestination, ownershipRefusal } from './destination.ts';

export interface NewReplay {
  readonly from: StreamPlace;
  /** Behind the last line. */
  readonly to: StreamPlace;
  /** Lines that were asked for before `from` are gone: all are there since then. */
  readonly goneSinceMs: number | null;
  /** Another place than the job's; undefined: the job's own. */
  readonly destinationConf: string | undefined;
  readonly ownershipChallenge: string | undefined;
  readonly by: string;
  readonly atMs: number;
}

export interface ReplayBounds {
  readonly replays: number;
  readonly replaysPerAccount: number;
  readonly endedPerAccount: number;
}

/** Makes a replay of a range of a job's stream, with the job's content as it is now. */
export function createReplay(
  state: StateView,
  version: number,
  rules: JobRules,
  job: JobRecord,
  wish: NewReplay,
  bounds: ReplayBounds = limits.control,
): Edited<ReplayRecord> {
  const { atMs, by, destinationConf, from, goneSinceMs, to } = wish;
  if (from.epoch !== to.epoch || from.offset >= to.offset) {
    return refuse('body_invalid', 'There are no lines between `from` and `to`.', 'to');
  }
  const account = state.accountOf(job.scope);
  const own = [...state.replays.values()].filter((one) => state.accountOf(one.scope) === account);
  const full = tooMany(state, own, bounds);
  if (full) return full;
  const elsewhere = elsewhereOf(state, rules, job, wish);
  if (elsewhere?.kind === 'refused') return elsewhere;
  const id = state.nextJob;
  const secret = elsewhere ? { id: `replay-${id}`, version: 1 } : null;
  const after: ReplayRecord = {
    id,
    job: job.id,
    scope: job.scope,
    dataset: job.dataset,
    epoch: from.epoch,
    from: from.offset,
    to: to.offset,
    goneSinceMs,
    destination: elsewhere?.redacted ?? null,
    secret,
    fingerprint: elsewhere?.fingerprint ?? job.fingerprint,
    content: contentOf(job),
    version,
    createdMs: atMs,
    by,
    state: 'running',
    endedMs: null,
    result: null,
  };
  return {
    kind: 'draft',
    edits: [{ kind: 'replay', id: String(id), before: null, after }, ...forgotten(own, bounds)],
    ...(secret && destinationConf !== undefined
      ? { seal: [rules.sealer.seal(secret.id, secret.version, destinationConf)] }
      : {}),
    value: after,
  };
}

/** Ends a replay before it is done; what it has delivered stays delivered. */
export function cancelReplay(before: ReplayRecord, atMs: number): Edited<ReplayRecord> {
  if (before.state !== 'running') return { kind: 'unchanged', value: before };
  const edit = ended(before, 'cancelled', atMs);
  return {
    kind: 'draft',
    edits: [edit],
    dropSecrets: before.secret ? [before.secret.id] : [],
    value: { ...before, state: 'cancelled', endedMs: atMs, secret: null },
  };
}

function contentOf(job: JobRecord): ReplayRecord['content'] {
  const { contentVersion, filter, logpullOptions, outputOptions } = job;
  const { maxUploadBytes, maxUploadIntervalSeconds, maxUploadRecords } = job;
  const bounds = { maxUploadBytes, maxUploadRecords, maxUploadIntervalSeconds };
  return { contentVersion, filter, outputOptions, logpullOptions, ...bounds };
}

/** Another destination passes the checks that a job's does. */
function elsewhereOf(
  state: StateView,
  rules: JobRules,
  job: JobRecord,
  { atMs, destinationConf, ownershipChallenge }: NewReplay,
): Exclude<ReturnType<typeof judgeDestination>, Refusal> | Refusal | undefined {
  if (destinationConf === undefined) return undefined;
  const judged = judgeDestination(destinationConf, state, job.scope, rules);
  if (judged.kind === 'refused') return judged;
  return ownershipRefusal(rules, job.scope, judged, ownershipChallenge, atMs) ?? judged;
}

function tooMany(
  state: StateView,
  own: readonly ReplayRecord[],
  bounds: ReplayBounds,
): Refusal | undefined {
  const running = (all: Iterable<ReplayRecord>): number =>
    [...all].filter((one) => one.state === 'running').length;
  if (running(own) >= bounds.replaysPerAccount) {
    return refuse(
      'limit_reached',
      `As many replays are under way as one account may have (${bounds.replaysPerAccount}). Wait for one, or cancel it.`,
    );
  }
  if (running(state.replays.values()) < bounds.replays) return undefined;
  return refuse('limit_reached', 'As many replays are under way as this server bears.');
}

/** The oldest ended ones make room. */
function forgotten(own: readonly ReplayRecord[], bounds: ReplayBounds): readonly Edit[] {
  return own
    .filter((one) => one.state !== 'running')
    .toSorted((a, b) => b.id - a.id)
    .slice(Math.max(0, bounds.endedPerAccount - 1))
    .map((before) => ({ kind: 'replay', id: String(before.id), before, after: null }));
}
