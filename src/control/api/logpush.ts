/** Logpush's own API below `/client/v4`: jobs and datasets, as its official clients call them. */
import { z } from 'zod';
import type { Scope } from '../../model/scope.ts';
import type { FieldConfig } from '../../model/snapshot.ts';
import { datasetOf, defaultFields } from '../datasets/catalog.ts';
import { jobBody } from '../jobs/body.ts';
import { createJob, updateJob } from '../jobs/change.ts';
import { deleteJob } from '../jobs/deleted.ts';
import { logpushJob } from '../jobs/view.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { DatasetRecord, JobRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import { statuses } from './context.ts';
import { fieldsAnswer, jobAnswer, jobIdAnswer } from './answers/logpush.ts';
import type { Context } from './context.ts';
import { json, scoped } from './route.ts';
import type { Answer, Call, Route } from './route.ts';

const WRITE = { scope: 'logs_write' } as const;

export function logpushRoutes(context: Context): readonly Route[] {
  return [...jobRoutes(context), ...datasetRoutes(context)];
}

function jobRoutes(context: Context): readonly Route[] {
  const { desk, rules, clock } = context;
  const jobs = '/client/v4/{scope}/logpush/jobs';
  return [
    ...scoped({
      method: 'GET',
      path: jobs,
      access: WRITE,
      answer: z.array(jobAnswer),
      help: 'Lists the jobs of an account or zone.',
      handle: ({ scope }) => answerJobs(context, desk.state.jobsOf(scope)),
    }),
    ...scoped({
      method: 'POST',
      path: jobs,
      access: WRITE,
      answer: jobAnswer,
      statuses: [201],
      help: 'Makes a job. It is disabled unless the body says otherwise.',
      body: jobBody,
      async handle(call) {
        const wish = {
          scope: call.scope,
          body: call.body,
          atMs: Math.floor(clock.wallMs()),
          mark: rules.sealer.mark(`${call.token.id}\n${call.path}\n${JSON.stringify(call.body)}`),
          repeated: call.retries > 0,
        };
        const made = await desk.change(call.actor, 'job.create', (state, version) =>
          // The scope may be gone since the request was let in.
          state.accountOf(call.scope) === undefined
            ? refuse('scope_unknown')
            : createJob(state, version, rules, wish),
        );
        return made.kind === 'refused' ? made : await answerJob(context, made.value, 201);
      },
    }),
    ...scoped({
      method: 'GET',
      path: `${jobs}/:job`,
      access: WRITE,
      answer: jobAnswer,
      help: 'Shows a job.',
      async handle(call) {
        const job = jobOf(desk.state, call.scope, call.params['job']);
        return job.kind === 'refused' ? job : await answerJob(context, job.job);
      },
    }),
    ...scoped({
      method: 'PUT',
      path: `${jobs}/:job`,
      access: WRITE,
      answer: jobAnswer,
      help: 'Changes the fields of a job that the body names.',
      body: jobBody,
      async handle(call) {
        const changed = await desk.change(call.actor, 'job.update', (state, version) => {
          const job = jobOf(state, call.scope, call.params['job']);
          return job.kind === 'refused'
            ? job
            : updateJob(state, version, rules, job.job, call.body, Math.floor(clock.wallMs()));
        });
        return changed.kind === 'refused' ? changed : await answerJob(context, changed.value);
      },
    }),
    ...scoped({
      method: 'DELETE',
      path: `${jobs}/:job`,
      access: WRITE,
      answer: jobIdAnswer,
      help: 'Deletes a job.',
      handle: (call) => remove(context, call),
    }),
  ];
}

function datasetRoutes(context: Context): readonly Route[] {
  const { desk } = context;
  const datasets = '/client/v4/{scope}/logpush/datasets/:dataset';
  return [
    ...scoped({
      method: 'GET',
      path: `${datasets}/jobs`,
      access: WRITE,
      answer: z.array(jobAnswer),
      help: 'Lists the jobs of an account or zone that deliver one dataset.',
      handle(call) {
        const dataset = datasetIn(desk.state, call);
        if (dataset.kind === 'refused') return dataset;
        const jobs = desk.state
          .jobsOf(call.scope)
          .filter((job) => job.dataset === dataset.dataset.id);
        return answerJobs(context, jobs);
      },
    }),
    ...scoped({
      method: 'GET',
      path: `${datasets}/fields`,
      access: { scope: 'logs_read' },
      answer: fieldsAnswer,
      help: "Lists a dataset's fields with what they hold.",
      handle(call) {
        const found = datasetIn(desk.state, call);
        return found.kind === 'refused' ? found : json(described(found.dataset.fields));
      },
    }),
    ...scoped({
      method: 'GET',
      path: `${datasets}/fields/default`,
      access: { scope: 'logs_read' },
      answer: fieldsAnswer,
      help: 'Lists the fields of a dataset that Logpull gives when none are asked for.',
      handle(call) {
        const found = datasetIn(desk.state, call);
        return found.kind === 'refused' ? found : json(described(defaultFields(found.dataset)));
      },
    }),
  ];
}

async function remove(context: Context, call: Call): Promise<Answer> {
  const deleted = await context.desk.change(call.actor, 'job.delete', (state) => {
    const job = jobOf(state, call.scope, call.params['job']);
    const deletion = { by: call.token.id, atMs: Math.floor(context.clock.wallMs()) };
    return job.kind === 'refused' ? job : deleteJob(state, job.job, deletion);
  });
  return deleted.kind === 'refused' ? deleted : json({ id: deleted.value.id });
}

async function answerJob(context: Context, job: JobRecord, status = 200): Promise<Answer> {
  const known = await statuses(context, [job.id]);
  return json(logpushJob(context.desk.state, context.rules.sealer, job, known.get(job.id)), status);
}

async function answerJobs(context: Context, jobs: readonly JobRecord[]): Promise<Answer> {
  const known = await statuses(
    context,
    jobs.map(({ id }) => id),
  );
  const { state } = context.desk;
  return json(jobs.map((job) => logpushJob(state, context.rules.sealer, job, known.get(job.id))));
}

/** A job of the scope; one of another scope is as unknown as one that never was. */
function jobOf(
  state: StateView,
  scope: Scope,
  text: string | undefined,
): { readonly kind: 'job'; readonly job: JobRecord } | Refusal {
  const id = /^[1-9]\d{0,14}$/.test(text ?? '') ? Number(text) : 0;
  const job = state.jobs.get(id);
  if (!job || job.scope.kind !== scope.kind || job.scope.id !== scope.id) {
    return refuse('not_found', 'job not found');
  }
  return { kind: 'job', job };
}

/** Logpush's form of a list of fields: descriptions by name. */
function described(fields: readonly FieldConfig[]): Readonly<Record<string, string>> {
  return Object.fromEntries(fields.map(({ name, description }) => [name, description]));
}

function datasetIn(
  state: StateView,
  call: Call,
): { readonly kind: 'dataset'; readonly dataset: DatasetRecord } | Refusal {
  const dataset = datasetOf(state.datasets, call.scope.kind, call.params['dataset'] ?? '');
  return dataset ? { kind: 'dataset', dataset } : refuse('dataset_unknown');
}
