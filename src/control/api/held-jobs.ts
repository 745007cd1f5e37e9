/** Jobs that were deleted and can be brought back, and new jobs that begin in the past: nothing narrows at once. */
import { z } from 'zod';
import { SCOPE_ID, streamKey } from '../../model/scope.ts';
import { may } from '../auth/access.ts';
import { locate, placeText } from '../held/place.ts';
import { jobBody } from '../jobs/body.ts';
import { createJob, tooMany } from '../jobs/change.ts';
import { restoreJob } from '../jobs/deleted.ts';
import type { RestoreFrom } from '../jobs/deleted.ts';
import { jobStatus } from '../jobs/view.ts';
import type { JobHold } from '../lines-desk.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { DeletedJobRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import { deletedJobAnswer, jobStatusAnswer } from './answers/jobs.ts';
import { page } from './answers/shapes.ts';
import { ask, statuses } from './context.ts';
import type { Context } from './context.ts';
import { jobId } from './jobs.ts';
import { pageOf, pageQuery } from './pages.ts';
import { json, route, scoped } from './route.ts';
import type { Answer, Call, Checked, Route } from './route.ts';

const listQuery = pageQuery.extend({
  account: z.string().regex(SCOPE_ID).optional(),
  zone: z.string().regex(SCOPE_ID).optional(),
});

const restoreBody = z.strictObject({
  from: z
    .enum(['stopped', 'now'])
    .default('stopped')
    .describe(
      '`stopped`: it goes on where it stopped. `now`: what is not settled is not wanted, and a waybill says so.',
    ),
});
type RestoreBody = z.infer<typeof restoreBody>;

const newJobBody = jobBody.extend({
  start: placeText.optional().describe('Where it begins; with the next line when left out.'),
});
type NewJobBody = z.infer<typeof newJobBody>;

export function heldJobRoutes(context: Context): readonly Route[] {
  const { desk } = context;
  return [
    route({
      method: 'GET',
      path: '/v1/deleted-jobs',
      access: 'token',
      answer: page('jobs', deletedJobAnswer),
      help: 'Lists deleted jobs that can be restored, and until when what they had not delivered is held.',
      query: listQuery,
      async handle({ token, query }) {
        const { state } = desk;
        const seen = [...state.deletedJobs.values()].filter(
          ({ job: { scope } }) =>
            may(state, token, 'logs_read', scope) &&
            (query.zone === undefined || (scope.kind === 'zone' && scope.id === query.zone)) &&
            (query.account === undefined || state.accountOf(scope) === query.account),
        );
        const { items, next } = pageOf(seen, ({ id }) => String(id), query);
        const holds = await holdsOf(
          context,
          items.map(({ id }) => id),
        );
        return json({
          jobs: items.map((deleted) => showDeleted(context, deleted, holds)),
          next,
        });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/jobs/:job/restore',
      access: 'token',
      answer: jobStatusAnswer,
      help: 'Brings a deleted job back under its id.',
      body: restoreBody,
      handle: (call) => restore(context, call),
    }),
    ...scoped({
      method: 'POST',
      path: '/v1/{scope}/jobs',
      access: { scope: 'logs_write' },
      answer: jobStatusAnswer,
      statuses: [201],
      help: "Makes a job as Logpush's API does, and may let it begin in the past, within what is still held.",
      body: newJobBody,
      handle: (call) => create(context, call),
    }),
  ];
}

async function create(context: Context, call: Checked<NewJobBody, undefined>): Promise<Answer> {
  const { desk, rules, clock } = context;
  const { start: startText, ...body } = call.body;
  const stream = streamKey(call.scope, body.dataset || 'http_requests');
  const start =
    startText === undefined ? undefined : await locate(context, stream, startText, 'start');
  if (start?.kind === 'refused') return start;
  if (start?.kind === 'gone') return start.refusal;
  const place = start?.place ?? undefined;
  const wish = {
    scope: call.scope,
    body,
    atMs: Math.floor(clock.wallMs()),
    mark: rules.sealer.mark(`${call.token.id}\n${call.path}\n${JSON.stringify(call.body)}`),
    repeated: call.retries > 0,
    ...(place ? { start: place } : {}),
  };
  const made = await desk.change(call.actor, 'job.create', (state, version) =>
    state.accountOf(call.scope) === undefined
      ? refuse('scope_unknown')
      : createJob(state, version, rules, wish),
  );
  if (made.kind === 'refused') return made;
  const known = await statuses(context, [made.value.id]);
  return json(jobStatus(desk.state, made.value, known.get(made.value.id)), 201);
}

async function restore(context: Context, call: Checked<RestoreBody, undefined>): Promise<Answer> {
  const { desk, rules } = context;
  const found = deletedFor(desk.state, call);
  if (found.kind === 'refused') return found;
  const from = await restoreFrom(context, found.deleted, call.body);
  if (from.kind === 'refused') return from;
  const changed = await desk.change(call.actor, 'job.restore', (state, version) => {
    const again = deletedFor(state, call);
    if (again.kind === 'refused') return again;
    const { scope, dataset } = again.deleted.job;
    const full = tooMany(state, rules, scope, dataset);
    return full ?? restoreJob(state, version, again.deleted, from, true);
  });
  if (changed.kind === 'refused') return changed;
  const known = await statuses(context, [changed.value.id]);
  return json(jobStatus(desk.state, changed.value, known.get(changed.value.id)));
}

async function restoreFrom(
  context: Context,
  { id, job }: DeletedJobRecord,
  { from }: RestoreBody,
): Promise<RestoreFrom | Refusal> {
  if (from === 'now') {
    const now = await locate(context, streamKey(job.scope, job.dataset), 'now', 'from');
    if (now.kind === 'refused') return now;
    return { kind: 'now', place: now.kind === 'located' ? now.place : null };
  }
  const holds = await ask(context, 'holds', () => context.dataPlane.lines.holds([id]));
  if (holds.kind === 'refused') return holds;
  return { kind: 'stopped', isHeld: holds.value.length > 0 };
}

/** What the data plane holds of jobs, by id; nothing when it does not say it in time. */
async function holdsOf(
  context: Context,
  ids: readonly number[],
): Promise<ReadonlyMap<number, JobHold> | undefined> {
  if (ids.length === 0) return new Map();
  const asked = await ask(context, 'holds', () => context.dataPlane.lines.holds(ids));
  return asked.kind === 'answer' ? new Map(asked.value.map((hold) => [hold.job, hold])) : undefined;
}

function showDeleted(
  { clock, desk }: Context,
  { by, deletedMs, id, job }: DeletedJobRecord,
  holds: ReadonlyMap<number, JobHold> | undefined,
): object {
  const hold = holds?.get(id);
  const {
    version: _version,
    contentVersion: _content,
    status: _status,
    ...shown
  } = jobStatus(desk.state, job, undefined);
  const leftMs = hold?.heldForMs ?? null;
  return {
    ...shown,
    deleted: new Date(deletedMs).toISOString(),
    by,
    held: hold
      ? {
          cursor: hold.cursor,
          head: hold.head,
          waitingLines: hold.waitingLines,
          // Time in service: later by as long as the server is switched off.
          until: leftMs === null ? null : new Date(clock.wallMs() + leftMs).toISOString(),
        }
      : null,
  };
}

/** The path's deleted job; to a token that does not reach it, it is as unknown as one that never was. */
function deletedFor(
  state: StateView,
  call: Call,
): { readonly kind: 'deleted'; readonly deleted: DeletedJobRecord } | Refusal {
  const id = jobId(call);
  const standing = state.jobs.get(id);
  if (standing && may(state, call.token, 'logs_read', standing.scope)) {
    return refuse('already_exists', 'The job is not deleted.');
  }
  const deleted = state.deletedJobs.get(id);
  if (!deleted || !may(state, call.token, 'logs_read', deleted.job.scope)) {
    return refuse('not_found', 'There is no deleted job with this id that can be restored.');
  }
  if (!may(state, call.token, 'logs_write', deleted.job.scope)) {
    return refuse(
      'permission_missing',
      'The token lacks the permission `logs_write`, which this needs.',
    );
  }
  return { kind: 'deleted', deleted };
}
