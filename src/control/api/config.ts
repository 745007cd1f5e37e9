/** The configuration's own history: what each version changed, what lies between two, and the way back. */
import { z } from 'zod';
import { SCOPE_ID } from '../../model/scope.ts';
import type { Actor } from '../desk.ts';
import { DOCUMENT } from '../guard/voice.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import { entryOf } from '../snapshots/copied-store.ts';
import { fieldsBetween, spanBetween, spanOf } from '../snapshots/differences.ts';
import type { ObjectDifference, Span } from '../snapshots/differences.ts';
import { partOf, rollBack } from '../snapshots/rollback.ts';
import { configAnswer, diffAnswer, rollbackAnswer, versionAnswer } from './config-answers.ts';
import type { Context } from './context.ts';
import { wholeNumber } from './pages.ts';
import { json, route } from './route.ts';
import type { Answer, Route } from './route.ts';

const version = z.int().min(0);
const versionQuery = wholeNumber(0, Number.MAX_SAFE_INTEGER);
const diffQuery = z.strictObject({ from: versionQuery, to: versionQuery.optional() });

const rollbackBody = z
  .strictObject({
    change: version.min(1).optional().describe('Takes back what this version changed.'),
    version: version.optional().describe('Goes back to what this version held.'),
    account: z
      .string()
      .regex(SCOPE_ID)
      .optional()
      .describe('With `version`: only this account, its zones, jobs and tokens.'),
    withSecrets: z
      .boolean()
      .default(false)
      .describe(
        'Also brings back secrets as they were: destinations with their credentials, and revoked tokens.',
      ),
    dryRun: z.boolean().default(false).describe('Says what it would do, and does nothing.'),
  })
  .superRefine((body, check) => {
    const ways = Number(body.change !== undefined) + Number(body.version !== undefined);
    if (ways !== 1) {
      check.addIssue({
        code: 'custom',
        path: ['version'],
        message: 'give either `change` or `version`',
      });
    } else if (body.account !== undefined && body.version === undefined) {
      check.addIssue({ code: 'custom', path: ['account'], message: 'goes with `version`' });
    }
  });

type RollbackBody = z.infer<typeof rollbackBody>;

export function configRoutes(context: Context): readonly Route[] {
  const { desk, store } = context;
  return [
    route({
      method: 'GET',
      path: '/v1/config',
      access: 'operator',
      answer: configAnswer,
      help: 'Shows which version of the configuration is in force, and how far its history reaches back.',
      async handle() {
        const { sum, readOnly } = store.standing;
        const oldest = await store.history.oldest();
        const { version: now } = desk.state;
        return json({
          version: now,
          checksum: sum,
          oldest: oldest - 1,
          readOnly: readOnly !== undefined,
        });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/config/versions/:version',
      access: 'operator',
      answer: versionAnswer,
      help: 'Shows one change: who, when, why, and every field before and after, without secrets.',
      handle: ({ params }) => show(context, params['version'] ?? ''),
    }),
    route({
      method: 'GET',
      path: '/v1/config/diff',
      access: 'operator',
      answer: diffAnswer,
      help: 'Shows what differs between two versions, object by object and field by field, without secrets.',
      query: diffQuery,
      handle: ({ query }) => diff(context, query.from, query.to ?? desk.state.version),
    }),
    route({
      method: 'POST',
      path: '/v1/config/rollback',
      access: 'operator',
      answer: rollbackAnswer,
      help: 'Takes back one change, or brings an account or everything back to a version, as a change of its own that passes the guard.',
      body: rollbackBody,
      handle: ({ actor, body }) => rollback(context, actor, body),
    }),
  ];
}

async function show({ store }: Context, text: string): Promise<Answer> {
  if (!/^\d{1,15}$/.test(text)) return refuse('not_found');
  const line = await store.history.change(Number(text));
  if (!line) return await gone({ store });
  const { edits, atMs, ...entry } = entryOf(line);
  const touched = new Set(line.secrets.map(({ id }) => id));
  return json({
    ...entry,
    at: new Date(atMs).toISOString(),
    objects: line.edits.map((edit) => objectView(edit)),
    secrets: touched.size,
    concerns: [...new Set(edits.flatMap(({ concerns }) => concerns))],
  });
}

async function diff(context: Context, from: number, to: number): Promise<Answer> {
  const span = await spanFrom(context, Math.min(from, to), Math.max(from, to));
  if (span.kind === 'refused') return span;
  const objects = span.span.objects.map((one) =>
    objectView(from <= to ? one : { ...one, before: one.after, after: one.before }),
  );
  return json({
    from,
    to,
    objects: objects.slice(0, context.bounds.diffObjects),
    more: Math.max(0, objects.length - context.bounds.diffObjects),
  });
}

/** How often a roll-back is worked out anew because another change came between. */
const ROLLBACK_TRIES = 5;

async function rollback(context: Context, speaker: Actor, body: RollbackBody): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    const answer = await rollbackOnce(context, speaker, body);
    if (answer !== 'overtaken') return answer;
    if (tries === ROLLBACK_TRIES) return refuse('conflict');
  }
}

async function rollbackOnce(
  context: Context,
  speaker: Actor,
  body: RollbackBody,
): Promise<Answer | 'overtaken'> {
  const { desk, rules, clock } = context;
  let isOvertaken = false;
  const now = desk.state.version;
  const found = await spanFor(context, body, now);
  if (found.kind === 'refused') return found;
  const actor: Actor = { ...speaker, voice: DOCUMENT };
  const what = body.change === undefined ? 'config.rollback' : 'config.rollback.change';
  const wish = {
    strict: body.change !== undefined,
    withSecrets: body.withSecrets,
    sealer: rules.sealer,
    by: speaker.who,
    atMs: Math.floor(clock.wallMs()),
    olderContents: rules.bounds.olderContents,
  };
  const edit = (state: typeof desk.state, next: number) => {
    // The span was read up to here: what came since is not in it.
    isOvertaken = state.version !== now;
    if (isOvertaken) return refuse('conflict');
    const span = body.account === undefined ? found.span : partOf(found.span, state, body.account);
    return rollBack(state, next, { ...wish, span });
  };
  if (body.dryRun) {
    const { edited, refusal } = await desk.preview(actor, what, edit);
    if (edited.kind === 'refused') return isOvertaken ? 'overtaken' : edited;
    return json({
      ...planView(context, edited.value),
      dryRun: true,
      version: now,
      guard: refusal ? { code: refusal.code, message: refusal.message } : null,
    });
  }
  const made = await desk.change(actor, what, edit);
  if (made.kind === 'refused') return isOvertaken ? 'overtaken' : made;
  return json({
    ...planView(context, made.value),
    dryRun: false,
    version: desk.state.version,
    guard: null,
  });
}

function planView(
  { bounds }: Context,
  {
    edits,
    left,
  }: { readonly edits: readonly ObjectDifference[]; readonly left: readonly object[] },
): object {
  return {
    objects: edits.slice(0, bounds.diffObjects).map(objectView),
    left: left.slice(0, bounds.diffObjects),
    more:
      Math.max(0, edits.length - bounds.diffObjects) +
      Math.max(0, left.length - bounds.diffObjects),
  };
}

function objectView({ kind, id, before, after }: ObjectDifference): object {
  const how = before === null ? 'added' : after === null ? 'removed' : 'changed';
  return { kind, id, how, fields: fieldsBetween(before, after) };
}

type Found = { readonly kind: 'span'; readonly span: Span } | Refusal;

async function spanFor(context: Context, body: RollbackBody, now: number): Promise<Found> {
  if (body.change === undefined) return await spanFrom(context, body.version ?? 0, now);
  const line = await context.store.history.change(body.change);
  return line ? { kind: 'span', span: spanOf(line) } : await gone(context);
}

async function spanFrom({ store, desk }: Context, from: number, to: number): Promise<Found> {
  const now = desk.state.version;
  const latest = Math.max(from, to);
  if (latest > now)
    return refuse('history_gone', `There is no version ${latest} yet; ${now} is in force.`);
  const read = await spanBetween(store.history, from, to);
  if (read.kind === 'span') return read;
  return refuse(
    'history_gone',
    `The history reaches back to version ${read.oldest}; what was before it cannot be told.`,
  );
}

async function gone({ store }: Pick<Context, 'store'>): Promise<Refusal> {
  const oldest = await store.history.oldest();
  return refuse(
    'history_gone',
    `There is no change of this version; the history holds ${oldest} to ${store.standing.version}.`,
  );
}
