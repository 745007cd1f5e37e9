/** Jobs in our own words: status, attempts, books; pause and resume. Nothing here shows a secret. */
import { z } from 'zod';
import { limits } from '../../model/limits.ts';
import { DATASET_ID, parseStreamKey, SCOPE_ID } from '../../model/scope.ts';
import type { Scope } from '../../model/scope.ts';
import { may } from '../auth/access.ts';
import { updateJob } from '../jobs/change.ts';
import { jobStatus } from '../jobs/view.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { JobRecord, Permission, TokenRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import { ask, statuses } from './context.ts';
import { jobLedgerAnswer } from './answers/books.ts';
import { attemptsAnswer, jobDetailAnswer, jobStatusAnswer } from './answers/jobs.ts';
import { page } from './answers/shapes.ts';
import type { Context } from './context.ts';
import { hoursQuery } from './ledger.ts';
import { pageOf, pageQuery, wholeNumber } from './pages.ts';
import { json, route } from './route.ts';
import type { Answer, Call, Route } from './route.ts';

const jobsQuery = pageQuery.extend({
  account: z.string().regex(SCOPE_ID).optional(),
  zone: z.string().regex(SCOPE_ID).optional(),
  dataset: z.string().regex(DATASET_ID).optional(),
  enabled: z.enum(['true', 'false']).optional(),
});
const attemptsQuery = z.strictObject({
  limit: wholeNumber(1, limits.deliver.attemptsListed).optional(),
});

const ATTEMPTS = 100;
/** How many of the last attempts a job's status sums up. */
const SUMMED = 100;

export function jobRoutes(context: Context): readonly Route[] {
  const { desk } = context;
  return [
    route({
      method: 'GET',
      path: '/v1/jobs',
      access: 'token',
      answer: page('jobs', jobStatusAnswer),
      help: 'Lists jobs with what they are doing; `account` includes the zones of the account.',
      query: jobsQuery,
      async handle({ token, query }) {
        const { state } = desk;
        const seen = [...state.jobs.values()].filter((job) => wanted(state, token, query, job));
        const { items, next } = pageOf(seen, (job) => String(job.id), query);
        const known = await statuses(
          context,
          items.map(({ id }) => id),
        );
        return json({
          jobs: items.map((job) => jobStatus(desk.state, job, known.get(job.id))),
          next,
        });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job',
      access: 'token',
      answer: jobDetailAnswer,
      help: 'Shows what a job is doing, with a summary of its last attempts.',
      query: z.strictObject({}),
      async handle(call) {
        const job = jobFor(desk.state, call, 'logs_read');
        if (job.kind === 'refused') return job;
        const { id } = job.job;
        const [known, attempts] = await Promise.all([
          statuses(context, [id]),
          ask(context, 'attempts', () => context.dataPlane.attempts(id, SUMMED)),
        ]);
        const body = jobStatus(desk.state, job.job, known.get(id));
        if (attempts.kind === 'refused') return json({ ...body, attempts: null });
        const accepted = attempts.value.filter(({ outcome }) => outcome === 'accepted').length;
        const summary = {
          recent: attempts.value.length,
          accepted,
          failed: attempts.value.length - accepted,
          last: attempts.value[0] ?? null,
        };
        return json({ ...body, attempts: summary });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/attempts',
      access: 'token',
      answer: attemptsAnswer,
      help: "Lists a job's last attempts, newest first.",
      query: attemptsQuery,
      async handle(call) {
        const job = jobFor(desk.state, call, 'logs_read');
        if (job.kind === 'refused') return job;
        const attempts = await ask(context, 'attempts', () =>
          context.dataPlane.attempts(job.job.id, call.query.limit ?? ATTEMPTS),
        );
        return attempts.kind === 'refused' ? attempts : json({ attempts: attempts.value });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/jobs/:job/ledger',
      access: 'token',
      answer: jobLedgerAnswer,
      help: "Shows a job's books: what came in, what became of it, and whether they balance. Also for deleted jobs.",
      query: hoursQuery,
      handle: (call) => jobLedger(context, call, call.query.hours),
    }),
    switchRoute(context, 'pause', false, 'Switches a job off; cursor and lines are held back.'),
    switchRoute(context, 'resume', true, 'Switches a job on; it goes on where it stopped.'),
  ];
}

function switchRoute(
  context: Context,
  verb: 'pause' | 'resume',
  enabled: boolean,
  help: string,
): Route {
  const { desk, rules } = context;
  return route({
    method: 'POST',
    path: `/v1/jobs/:job/${verb}`,
    access: 'token',
    answer: jobStatusAnswer,
    help,
    async handle(call) {
      const changed = await desk.change(call.actor, `job.${verb}`, (state, version) => {
        const job = jobFor(state, call, 'logs_write');
        return job.kind === 'refused'
          ? job
          : updateJob(state, version, rules, job.job, { enabled }, context.clock.wallMs());
      });
      if (changed.kind === 'refused') return changed;
      const known = await statuses(context, [changed.value.id]);
      return json(jobStatus(desk.state, changed.value, known.get(changed.value.id)));
    },
  });
}

async function jobLedger(context: Context, call: Call, hours: number): Promise<Answer> {
  const { state } = context.desk;
  const id = jobId(call);
  const standing = jobFor(state, call, 'logs_read');
  const gone = !state.jobs.has(id);
  if (id === 0 || (standing.kind === 'refused' && !gone))
    return standing.kind === 'refused' ? standing : refuse('not_found');
  const asked = await ask(context, 'jobLedger', () => context.dataPlane.jobLedger(id, hours));
  if (asked.kind === 'refused') return asked;
  const ledger = asked.value;
  // Of a deleted job only the books know to whom it belonged.
  const scope = ledger && parseStreamKey(ledger.stream)?.scope;
  if (
    !ledger ||
    !scope ||
    !(call.token.kind === 'operator' || may(state, call.token, 'logs_read', scope))
  ) {
    return refuse('not_found', 'There is no job with this id.');
  }
  return json({ ...ledger, deleted: gone });
}

function wanted(
  state: StateView,
  token: TokenRecord,
  query: z.infer<typeof jobsQuery>,
  job: JobRecord,
): boolean {
  if (!may(state, token, 'logs_read', job.scope)) return false;
  if (query.dataset !== undefined && job.dataset !== query.dataset) return false;
  if (query.enabled !== undefined && job.enabled !== (query.enabled === 'true')) return false;
  if (query.zone !== undefined && !isScope(job.scope, 'zone', query.zone)) return false;
  return query.account === undefined || state.accountOf(job.scope) === query.account;
}

function isScope(scope: Scope, kind: Scope['kind'], id: string): boolean {
  return scope.kind === kind && scope.id === id;
}

/** The path's job id; 0 when it is none. */
export function jobId(call: Call): number {
  const text = call.params['job'] ?? '';
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : 0;
}

/** The path's job; to a token that does not reach it, it is as unknown as one that never was. */
export function jobFor(
  state: StateView,
  call: Call,
  permission: Permission,
): { readonly kind: 'job'; readonly job: JobRecord } | Refusal {
  const job = state.jobs.get(jobId(call));
  if (!job || !may(state, call.token, 'logs_read', job.scope)) {
    return refuse('not_found', 'There is no job with this id.');
  }
  if (!may(state, call.token, permission, job.scope)) {
    return refuse(
      'permission_missing',
      `The token lacks the permission \`${permission}\`, which this needs.`,
    );
  }
  return { kind: 'job', job };
}
