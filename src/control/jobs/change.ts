/** The rules of making, changing and deleting a job: from the state and what was sent to a draft of the change. Pure. */
import { parseFilter } from '../../model/filter.ts';
import { limits } from '../../model/limits.ts';
import { parseLogpullOptions, parseOutputOptions } from '../../model/output-options.ts';
import type { Scope } from '../../model/scope.ts';
import type { StreamPlace } from '../../model/snapshot.ts';
import { datasetOf } from '../datasets/catalog.ts';
import type { Edited } from '../desk.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { DatasetRecord, JobRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import { notOffered } from './body.ts';
import type { JobBody } from './body.ts';
import { judgeDestination, ownershipRefusal } from './destination.ts';
import type { DestinationRules } from './destination.ts';

const DEFAULT_DATASET = 'http_requests';

/** What the rules need besides state and body. */
export interface JobRules extends DestinationRules {
  readonly bounds: {
    readonly jobs: number;
    readonly jobsPerScope: number;
    readonly repeatedCreateMs: number;
    readonly olderContents: number;
  };
}

export interface NewJob {
  readonly scope: Scope;
  readonly body: JobBody;
  readonly atMs: number;
  /** Recognises the same request when it comes again. */
  readonly mark: string;
  /** Whether the client says that it sends this again. */
  readonly repeated: boolean;
  /** Where it begins, when not with the next line. */
  readonly start?: StreamPlace;
}

/** Makes a job, or answers with the one that the same request has made already. */
export function createJob(
  state: StateView,
  version: number,
  rules: JobRules,
  wish: NewJob,
): Edited<JobRecord> {
  const { scope, body } = wish;
  const first = wish.repeated ? madeBefore(state, rules, wish) : undefined;
  if (first) return { kind: 'unchanged', value: first };
  const refused = notOffered(body);
  if (refused) return refused;
  const name = body.dataset || DEFAULT_DATASET;
  const dataset = datasetOf(state.datasets, scope.kind, name);
  if (!dataset) return refuse('body_invalid', unknownDataset(scope, name), 'dataset');
  const full = tooMany(state, rules, scope, name);
  if (full) return full;
  if (!body.destination_conf) {
    return refuse('body_invalid', '`destination_conf` is required', 'destination_conf');
  }
  const destination = judgeDestination(body.destination_conf, state, scope, rules);
  if (destination.kind === 'refused') return destination;
  const wrong =
    checkContent(body, dataset) ??
    ownershipRefusal(rules, scope, destination, body.ownership_challenge, wish.atMs);
  if (wrong) return wrong;

  const id = state.nextJob;
  const secret = { id: `job-${id}`, version: 1 };
  const after: JobRecord = {
    ...settingsOf(body, undefined),
    id,
    scope,
    dataset: name,
    destination: destination.redacted,
    secret,
    fingerprint: destination.fingerprint,
    contentVersion: 1,
    olderContents: [],
    version,
    ...(wish.start ? { start: wish.start } : {}),
    created: { atMs: wish.atMs, mark: wish.mark },
  };
  return {
    kind: 'draft',
    edits: [{ kind: 'job', id: String(id), before: null, after }],
    seal: [rules.sealer.seal(secret.id, secret.version, body.destination_conf)],
    value: after,
  };
}

/** Changes what the body names and nothing else. A destination that is not touched is not looked at. */
export function updateJob(
  state: StateView,
  version: number,
  rules: JobRules,
  before: JobRecord,
  body: JobBody,
  nowMs: number,
): Edited<JobRecord> {
  const refused = notOffered(body) ?? immutable(body, before);
  if (refused) return refused;
  const dataset = datasetOf(state.datasets, before.scope.kind, before.dataset);
  const wrong = checkContent(touchedContent(body, before), dataset);
  if (wrong) return wrong;

  const settings = settingsOf(body, before);
  const moved = moveOf(state, rules, before, body, nowMs);
  if (moved?.kind === 'refused') return moved;
  const after: JobRecord = {
    ...before,
    ...settings,
    ...(moved ? moved.destination : {}),
    ...contentsOf(before, settings, rules.bounds.olderContents),
  };
  if (JSON.stringify(after) === JSON.stringify(before)) return { kind: 'unchanged', value: before };
  const changed = { ...after, version };
  return {
    kind: 'draft',
    edits: [{ kind: 'job', id: String(before.id), before, after: changed }],
    ...(moved
      ? { seal: [rules.sealer.seal(changed.secret.id, changed.secret.version, moved.conf)] }
      : {}),
    value: changed,
  };
}

type Move =
  | {
      readonly kind: 'move';
      readonly conf: string;
      readonly destination: Pick<JobRecord, 'destination' | 'secret' | 'fingerprint'>;
    }
  | Refusal
  | undefined;

/** The destination that the body names, when it is another one (if only by its credentials). */
function moveOf(
  state: StateView,
  rules: JobRules,
  before: JobRecord,
  body: JobBody,
  nowMs: number,
): Move {
  const conf = body.destination_conf;
  if (conf === undefined) return undefined;
  if (conf === null || conf === '') {
    return refuse('body_invalid', '`destination_conf` cannot be taken away', 'destination_conf');
  }
  const sealed = state.secret(before.secret.id);
  const current = sealed && rules.sealer.open(sealed);
  if (conf === current) return undefined;
  const judged = judgeDestination(conf, state, before.scope, rules);
  if (judged.kind === 'refused') return judged;
  if (conf === judged.redacted && conf === before.destination && conf.includes('***')) {
    return refuse(
      'body_invalid',
      '`destination_conf` holds `***`, which only stands for a secret where it is shown',
      'destination_conf',
    );
  }
  // New credentials for a place that has been proven need no new proof.
  const standing = judgeDestination(current ?? '', state, before.scope, rules);
  const isProven =
    standing.kind === 'destination' &&
    standing.needsProof &&
    standing.fingerprint === judged.fingerprint;
  const refused = isProven
    ? undefined
    : ownershipRefusal(rules, before.scope, judged, body.ownership_challenge, nowMs);
  if (refused) return refused;
  return {
    kind: 'move',
    conf,
    destination: {
      destination: judged.redacted,
      secret: { ...before.secret, version: before.secret.version + 1 },
      fingerprint: judged.fingerprint,
    },
  };
}

/** The content's next version when it changes, with the one before put away for the plans that were made with it. */
function contentsOf(
  before: JobRecord,
  after: Settings,
  kept: number,
): Pick<JobRecord, 'contentVersion' | 'olderContents'> {
  const { contentVersion, olderContents, filter, outputOptions, logpullOptions } = before;
  if (
    after.filter === filter &&
    after.logpullOptions === logpullOptions &&
    JSON.stringify(after.outputOptions) === JSON.stringify(outputOptions)
  ) {
    return { contentVersion, olderContents };
  }
  const older = { contentVersion, filter, outputOptions, logpullOptions };
  return {
    contentVersion: contentVersion + 1,
    olderContents: [older, ...olderContents].slice(0, kept),
  };
}

function madeBefore(state: StateView, rules: JobRules, wish: NewJob): JobRecord | undefined {
  return state
    .jobsOf(wish.scope)
    .find(
      ({ created }) =>
        created.mark === wish.mark &&
        Math.abs(wish.atMs - created.atMs) <= rules.bounds.repeatedCreateMs,
    );
}

/** A refusal when a scope may have no more jobs. */
export function tooMany(
  state: StateView,
  { bounds }: Pick<JobRules, 'bounds'>,
  scope: Scope,
  dataset: string,
): Refusal | undefined {
  const account = state.accounts.get(state.accountOf(scope) ?? '');
  const perScope = account?.limits.jobsPerScope ?? bounds.jobsPerScope;
  if (state.jobs.size < bounds.jobs && state.jobsOf(scope).length < perScope) return undefined;
  return refuse(
    'limit_reached',
    `creating a new job (for ${dataset} dataset) is not allowed: exceeded max jobs allowed`,
  );
}

function immutable(body: JobBody, before: JobRecord): Refusal | undefined {
  if (!body.dataset || body.dataset === before.dataset) return undefined;
  return refuse(
    'body_invalid',
    `\`dataset\` of a job cannot be changed (it is ${before.dataset}); make another job`,
    'dataset',
  );
}

type Settings = Pick<
  JobRecord,
  | 'name'
  | 'enabled'
  | 'filter'
  | 'outputOptions'
  | 'logpullOptions'
  | 'frequency'
  | 'maxUploadBytes'
  | 'maxUploadRecords'
  | 'maxUploadIntervalSeconds'
>;

/** What was sent; else what stands; else the default, to which null goes back as well. */
function settingsOf(body: JobBody, before: Settings | undefined): Settings {
  const pick = <T>(sent: T | null | undefined, standing: T | undefined, fallback: T): T =>
    sent === undefined ? (standing ?? fallback) : (sent ?? fallback);
  const options = body.output_options;
  return {
    name: pick(body.name, before?.name, ''),
    enabled: pick(body.enabled, before?.enabled, false),
    filter: pick(body.filter, before?.filter, ''),
    outputOptions:
      options === undefined ? (before?.outputOptions ?? null) : optionsAsStored(options),
    logpullOptions: pick(body.logpull_options, before?.logpullOptions, ''),
    frequency: pick(body.frequency, before?.frequency, 'high'),
    maxUploadBytes: pick(body.max_upload_bytes, before?.maxUploadBytes, 0),
    maxUploadRecords: pick(body.max_upload_records, before?.maxUploadRecords, 0),
    maxUploadIntervalSeconds: pick(
      body.max_upload_interval_seconds,
      before?.maxUploadIntervalSeconds,
      0,
    ),
  };
}

/** Options that were null are as good as not sent. */
function optionsAsStored(options: Record<string, unknown> | null): Record<string, unknown> | null {
  const set = Object.entries(options ?? {}).filter(([, value]) => value !== null);
  return set.length === 0 ? null : Object.fromEntries(set);
}

/** Only what differs from what stands: a stored filter that a newer rule would refuse does not fail an unrelated change. */
function touchedContent(body: JobBody, before: JobRecord): JobBody {
  const touched: JobBody = {};
  if (body.filter !== before.filter) touched.filter = body.filter;
  if (JSON.stringify(body.output_options) !== JSON.stringify(before.outputOptions)) {
    touched.output_options = body.output_options;
  }
  if (body.logpull_options !== before.logpullOptions)
    touched.logpull_options = body.logpull_options;
  return touched;
}

function checkContent(body: JobBody, dataset: DatasetRecord | undefined): Refusal | undefined {
  const filter = parseFilter(body.filter ?? '', dataset);
  if (filter.kind === 'invalid') return contentRefusal('filter', filter);
  const output = parseOutputOptions(body.output_options ?? null, dataset);
  if (output.kind === 'invalid') return contentRefusal('output_options', output);
  const logpull = parseLogpullOptions(body.logpull_options ?? '', dataset);
  if (logpull.kind === 'invalid') return contentRefusal('logpull_options', logpull);
  return undefined;
}

function contentRefusal(
  field: string,
  wrong: { readonly path: string; readonly message: string },
): Refusal {
  const path = wrong.path === '' ? field : `${field}.${wrong.path}`;
  return refuse('body_invalid', `\`${path}\` ${wrong.message}`, path);
}

function unknownDataset(scope: Scope, name: string): string {
  const other = scope.kind === 'zone' ? 'account' : 'zone';
  const hint = datasetOf(new Map(), other, name) ? `; it is one of ${other}s` : '';
  return `\`dataset\`: there is no dataset ${name} for ${scope.kind}s${hint}`;
}

/** What a list of jobs may hold at most, for handing in. */
export const JOB_BOUNDS = {
  jobs: limits.control.jobs,
  jobsPerScope: limits.control.jobsPerScope,
  repeatedCreateMs: limits.control.repeatedCreateMs,
  olderContents: limits.control.olderContents,
};
