/** Which jobs a change of their dataset would break, or silently give another meaning. */
import { isTimestampField } from '../../model/dataset-fields.ts';
import { parseFilter } from '../../model/filter.ts';
import { parseLogpullOptions, parseOutputOptions } from '../../model/output-options.ts';
import type { OutputOptions } from '../../model/snapshot.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { DatasetRecord, JobRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';

/** Jobs named in one refusal; the rest are counted. */
const NAMED = 10;

/** The jobs that deliver a dataset, also those that are switched off. */
export function jobsOfDataset(
  state: StateView,
  { id, scope }: Pick<DatasetRecord, 'id' | 'scope'>,
): readonly JobRecord[] {
  return [...state.jobs.values()].filter((job) => job.dataset === id && job.scope.kind === scope);
}

/**
 * Refuses a change of a dataset that a job could not go on with: a field is gone that its filter or options name, or has
 * become of a type that makes the same words mean something else. Names the jobs.
 */
export function refusedForJobs(
  state: StateView,
  before: DatasetRecord | undefined,
  after: DatasetRecord,
): Refusal | undefined {
  const broken = jobsOfDataset(state, after).flatMap((job) => {
    const why = brokenBy(job, before, after);
    return why === undefined ? [] : [{ id: job.id, why }];
  });
  const [first] = broken;
  if (!first) return undefined;
  const named = broken.slice(0, NAMED).map(({ id }) => id);
  const more = broken.length > NAMED ? ` and ${broken.length - NAMED} more` : '';
  const jobs = `${broken.length === 1 ? 'Job' : 'Jobs'} ${named.join(', ')}${more}`;
  return refuse(
    'in_use',
    `${jobs} could not go on as before: ${first.why} (job ${first.id}). Change the jobs first.`,
  );
}

function brokenBy(
  job: JobRecord,
  before: DatasetRecord | undefined,
  after: DatasetRecord,
): string | undefined {
  const filter = parseFilter(job.filter, after);
  const output = parseOutputOptions(job.outputOptions, after);
  const logpull = parseLogpullOptions(job.logpullOptions, after);
  for (const [field, judged] of Object.entries({
    filter,
    output_options: output,
    logpull_options: logpull,
  })) {
    if (judged.kind === 'invalid') {
      return `${judged.path === '' ? field : `${field}.${judged.path}`} ${judged.message}`;
    }
  }
  if (!before) return undefined;
  const filterBefore = parseFilter(job.filter, before);
  if (filterBefore.kind === 'filter' && JSON.stringify(filter) !== JSON.stringify(filterBefore)) {
    return 'its filter would compare in another way, because a field has another type';
  }
  const options = job.outputOptions === null ? logpull : output;
  const field = options.kind === 'options' ? otherTime(options.options, before, after) : undefined;
  return field === undefined
    ? undefined
    : `${field} would ${isTimestampField(after, field) ? 'become' : 'no longer be'} a time that timestamp_format speaks of`;
}

/** A field that would be written in another form. */
function otherTime(
  options: OutputOptions,
  before: DatasetRecord,
  after: DatasetRecord,
): string | undefined {
  if (options.timestamp_format === undefined) return undefined;
  const listed = [...before.fields, ...after.fields].map(({ name }) => name);
  return (options.field_names ?? listed).find(
    (name) => isTimestampField(before, name) !== isTimestampField(after, name),
  );
}
