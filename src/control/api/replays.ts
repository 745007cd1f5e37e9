/** Replays: lines that are still held, delivered once more, to their job's destination or another one. */
import { z } from 'zod';
import { limits } from '../../model/limits.ts';
import { NO_LINES, settledLines } from '../../model/delivery.ts';
import { DATASET_ID, SCOPE_ID, streamKey } from '../../model/scope.ts';
import { may } from '../auth/access.ts';
import { locate, placeText } from '../held/place.ts';
import { cancelReplay, createReplay } from '../jobs/replay.ts';
import type { JobHold } from '../lines-desk.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { Permission, ReplayRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import { jobLedgerAnswer } from './answers/books.ts';
import { attemptsAnswer } from './answers/jobs.ts';
import { replayAnswer } from './answers/lines.ts';
import { page } from './answers/shapes.ts';
import { ask } from './context.ts';
import type { Context } from './context.ts';
import { jobFor } from './jobs.ts';
import { hoursQuery } from './ledger.ts';
import { pageOf, pageQuery } from './pages.ts';
import { json, route } from './route.ts';
import type { Answer, Call, Checked, Route } from './route.ts';

const listQuery = pageQuery.extend({
  job: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
  account: z.string().regex(SCOPE_ID).optional(),
  zone: z.string().regex(SCOPE_ID).optional(),
  dataset: z.string().regex(DATASET_ID).optional(),
  state: z.enum(['running', 'done', 'cancelled']).optional(),
});

const replayBody = z.strictObject({
  from: placeText.describe(
    'The first line: `oldest`, a time of reception as RFC 3339, or an offset.',
  ),
  to: placeText
    .default('now')
    .describe('Behind the last line: `now`, a time of reception as RFC 3339, or an offset.'),
  destination_conf: z
    .string()
    .max(limits.control.destinationConfBytes)
    .optional()
    .describe("Another place; the job's own when left out, with its newest credentials."),
  ownership_challenge: z.string().max(4096).optional(),
  allow_gap: z
    .boolean()
    .default(false)
    .describe('Begin with the oldest line that is held when older ones were asked for.'),
});
type ReplayBody = z.infer<typeof replayBody>;

const ATTEMPTS = 100;

export function replayRoutes(context: Context): readonly Route[] {
  const { desk } = context;
  return [
    route({
      method: 'POST',
      path: '/v1/jobs/:job/replays',
      access: 'token',
      answer: replayAnswer,
      statuses: [201],
      help: "Delivers a range of a job's stream once more, with the job's content as it is now, behind live delivery.",
      body: replayBody,
      handle: (call) => create(context, call),
    }),
    route({
      method: 'GET',
      path: '/v1/replays',
      access: 'token',
      answer: page('replays', replayAnswer),
      help: 'Lists replays with how far they are.',
      query: listQuery,
      async handle({ token, query }) {
        const { state } = desk;
        const seen = [...state.replays.values()].filter(
          (replay) =>
            may(state, token, 'logs_read', replay.scope) && isWanted(state, query, replay),
        );
        const { items, next } = pageOf(seen, ({ id }) => String(id), query);
        const holds = await holdsOf(context, items);
        return json({ replays: items.map((replay) => show(replay, holds)), next });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/replays/:replay',
      access: 'token',
      answer: replayAnswer,
      help: 'Shows how far a replay is.',
      async handle(call) {
        const found = replayFor(desk.state, call, 'logs_read');
        if (found.kind === 'refused') return found;
        return json(show(found.replay, await holdsOf(context, [found.replay])));
      },
    }),
    route({
      method: 'POST',
      path: '/v1/replays/:replay/cancel',
      access: 'token',
      answer: replayAnswer,
      help: 'Ends a replay before it is done; the rest of its lines is settled as skipped by their owner.',
      async handle(call) {
        const atMs = Math.floor(context.clock.wallMs());
        const changed = await desk.change(call.actor, 'replay.cancel', (state) => {
          const found = replayFor(state, call, 'logs_write');
          return found.kind === 'refused' ? found : cancelReplay(found.replay, atMs);
        });
        if (changed.kind === 'refused') return changed;
        return json(show(changed.value, await holdsOf(context, [changed.value])));
      },
    }),
    route({
      method: 'GET',
      path: '/v1/replays/:replay/attempts',
      access: 'token',
      answer: attemptsAnswer,
      help: "Lists a replay's last attempts, newest first.",
      async handle(call) {
        const found = replayFor(desk.state, call, 'logs_read');
        if (found.kind === 'refused') return found;
        const attempts = await ask(context, 'attempts', () =>
          context.dataPlane.attempts(found.replay.id, ATTEMPTS),
        );
        return attempts.kind === 'refused' ? attempts : json({ attempts: attempts.value });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/replays/:replay/ledger',
      access: 'token',
      answer: jobLedgerAnswer,
      help: "Shows a replay's books, which are its own.",
      query: hoursQuery,
      async handle(call) {
        const found = replayFor(desk.state, call, 'logs_read');
        if (found.kind === 'refused') return found;
        const { id } = found.replay;
        const asked = await ask(context, 'jobLedger', () =>
          context.dataPlane.jobLedger(id, call.query.hours),
        );
        if (asked.kind === 'refused') return asked;
        return asked.value ? json({ ...asked.value, deleted: false }) : refuse('not_found');
      },
    }),
  ];
}

async function create(context: Context, call: Checked<ReplayBody, undefined>): Promise<Answer> {
  const { clock, desk, rules } = context;
  const job = jobFor(desk.state, call, 'logs_write');
  if (job.kind === 'refused') return job;
  const { body } = call;
  const stream = streamKey(job.job.scope, job.job.dataset);
  const from = await locate(context, stream, body.from, 'from');
  if (from.kind === 'refused') return from;
  if (from.kind === 'gone' && !body.allow_gap) return from.refusal;
  const to = await locate(context, stream, body.to, 'to');
  if (to.kind === 'refused') return to;
  if (to.kind === 'gone') return to.refusal;
  if (from.place === null || to.place === null) {
    return refuse('body_invalid', 'The stream has no lines yet.', 'from');
  }
  const atMs = Math.floor(clock.wallMs());
  const wish = {
    from: from.place,
    to: to.place,
    goneSinceMs: from.kind === 'gone' ? (from.sinceMs ?? atMs) : null,
    destinationConf: body.destination_conf,
    ownershipChallenge: body.ownership_challenge,
    by: call.token.id,
    atMs,
  };
  const made = await desk.change(call.actor, 'replay.create', (state, version) => {
    const again = jobFor(state, call, 'logs_write');
    return again.kind === 'refused' ? again : createReplay(state, version, rules, again.job, wish);
  });
  if (made.kind === 'refused') return made;
  return json(show(made.value, await holdsOf(context, [made.value])), 201);
}

/** What the data plane says of replays under way; nothing when it does not say it in time. */
async function holdsOf(
  context: Context,
  replays: readonly ReplayRecord[],
): Promise<ReadonlyMap<number, JobHold>> {
  const ids = replays.filter(({ result }) => result === null).map(({ id }) => id);
  if (ids.length === 0) return new Map();
  const asked = await ask(context, 'holds', () => context.dataPlane.lines.holds(ids));
  return new Map(asked.kind === 'answer' ? asked.value.map((hold) => [hold.job, hold]) : []);
}

function show(replay: ReplayRecord, holds: ReadonlyMap<number, JobHold>): object {
  const hold = holds.get(replay.id);
  // The record's once it has ended, until then the shard's.
  const counts = replay.result ?? hold?.totals ?? NO_LINES;
  const { delivered, dropped, excluded } = counts;
  const lines = replay.to - replay.from;
  const isRunning = replay.state === 'running';
  const waiting = isRunning ? (hold?.waitingLines ?? lines) : 0;
  const time = (ms: number | null): string | null =>
    ms === null ? null : new Date(ms).toISOString();
  return {
    id: replay.id,
    job: replay.job,
    scope: replay.scope,
    dataset: replay.dataset,
    stream: streamKey(replay.scope, replay.dataset),
    state: replay.state,
    activity: isRunning ? (hold?.activity ?? null) : null,
    from: replay.from,
    to: replay.to,
    lines,
    waiting,
    gone: replay.result || hold ? Math.max(0, lines - waiting - settledLines(counts)) : 0,
    delivered,
    excluded,
    dropped,
    goneSince: time(replay.goneSinceMs),
    destination: replay.destination,
    contentVersion: replay.content.contentVersion,
    created: time(replay.createdMs),
    by: replay.by,
    ended: time(replay.endedMs),
    errorMessage: hold?.errorMessage ?? null,
  };
}

function isWanted(
  state: StateView,
  query: z.infer<typeof listQuery>,
  { dataset, job, scope, state: stands }: ReplayRecord,
): boolean {
  if (query.job !== undefined && job !== Number(query.job)) return false;
  if (query.dataset !== undefined && dataset !== query.dataset) return false;
  if (query.state !== undefined && stands !== query.state) return false;
  if (query.zone !== undefined && (scope.kind !== 'zone' || scope.id !== query.zone)) return false;
  return query.account === undefined || state.accountOf(scope) === query.account;
}

/** The path's replay; to a token that does not reach it, it is as unknown as one that never was. */
function replayFor(
  state: StateView,
  call: Call,
  permission: Permission,
): { readonly kind: 'replay'; readonly replay: ReplayRecord } | Refusal {
  const text = call.params['replay'] ?? '';
  const replay = state.replays.get(/^[1-9]\d{0,14}$/.test(text) ? Number(text) : 0);
  if (!replay || !may(state, call.token, 'logs_read', replay.scope)) {
    return refuse('not_found', 'There is no replay with this id.');
  }
  if (!may(state, call.token, permission, replay.scope)) {
    return refuse(
      'permission_missing',
      `The token lacks the permission \`${permission}\`, which this needs.`,
    );
  }
  return { kind: 'replay', replay };
}
