/** A configuration as a document: what it would change, and making it so, at once or in two stages. For operators. */
import { z } from 'zod';
import type { Clock } from '../../lib/clock.ts';
import { configDocument, documentChecksum } from '../../model/config-document.ts';
import type { ConfigDocument } from '../../model/config-document.ts';
import { TurnSlices } from '../../lib/turn-slices.ts';
import { limits } from '../../model/limits.ts';
import { scopePath, streamKey } from '../../model/scope.ts';
import { planDocument } from '../apply/plan.ts';
import type { Chosen, DirectoryRules, Planned, PlanRules, Step } from '../apply/plan.ts';
import { beginStage, endStage, firstTenth, isOf, jobKey } from '../apply/stage.ts';
import type { Actor, Edited } from '../desk.ts';
import { candidateOf } from '../guard/insist.ts';
import { DOCUMENT } from '../guard/voice.ts';
import { radiusAnswer } from '../guard/refusal.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import { fieldsBetween } from '../snapshots/differences.ts';
import type { StageRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import type { Edit } from '../store/store.ts';
import { deleteAccount, deleteZone, limitsBody, putAccount, putZone } from './accounts.ts';
import { time } from './answers/shapes.ts';
import { objectDifference } from './config-answers.ts';
import type { Context } from './context.ts';
import { datasetBody, deleteDataset, putDataset } from './datasets.ts';
import { json, route } from './route.ts';
import type { Answer, Route } from './route.ts';

const whole = z.int().min(0);
const sent = {
  document: configDocument,
  checksum: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('Hex SHA-256 of the document as compact JSON.'),
  stage: z
    .enum(['first', 'rest'])
    .optional()
    .describe('A tenth of the jobs, those with the least traffic; then the rest.'),
};
const planBody = z.strictObject(sent);
const applyBody = z.strictObject({
  ...sent,
  planned: z
    .string()
    .optional()
    .describe('The `planned` of a plan: refused when it would be another change now.'),
});
type PlanBody = z.infer<typeof planBody>;

const counts = z.strictObject({ create: whole, update: whole, delete: whole, unchanged: whole });
const radius = z
  .record(z.string(), z.unknown())
  .describe('What it does to what is delivered; see docs/guard.md.');
const stageAnswer = z
  .strictObject({
    who: z.string(),
    at: time,
    version: whole,
    jobsDone: whole,
    jobsLeft: whole,
  })
  .nullable();
const planAnswer = z.strictObject({
  version: whole.describe(
    'Of the configuration that it was worked out from; after apply, that holds it.',
  ),
  counts,
  objects: z.array(objectDifference),
  more: whole.describe('Objects beyond those listed.'),
  radius,
  guard: z
    .strictObject({ code: z.string(), message: z.string(), token: z.string().nullable() })
    .nullable()
    .describe('Why the guard would refuse it; null: it passes.'),
  planned: z.string(),
  stage: stageAnswer,
});

interface Work {
  readonly steps: readonly Step[];
  readonly unchanged: number;
  /** Checksum of what the steps make of the configuration. */
  readonly candidate: string;
}

export function applyRoutes(context: Context): readonly Route[] {
  const { desk } = context;
  return [
    route({
      method: 'POST',
      path: '/v1/plan',
      access: 'operator',
      answer: planAnswer,
      help: 'Tells what a document would change, and what the guard says of it. Changes nothing.',
      body: planBody,
      bodyBytes: limits.control.documentBytes,
      async handle({ actor, body, raw }) {
        const wrong = notAsSent(body, raw);
        if (wrong) return wrong;
        const { base, edited, refusal } = await desk.preview(
          { ...actor, voice: DOCUMENT },
          'config.plan',
          worker(context, actor, body),
        );
        if (edited.kind === 'refused') return edited;
        return await shown(context, edited, refusal, base, desk.state.stage);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/apply',
      access: 'operator',
      answer: planAnswer,
      help: 'Makes the configuration what a document says, in one change that passes the guard.',
      body: applyBody,
      bodyBytes: limits.control.documentBytes,
      async handle({ actor, body, raw }) {
        const wrong = notAsSent(body, raw);
        if (wrong) return wrong;
        const work = worker(context, actor, body);
        let made: Edited<Work> | undefined;
        const changed = await desk.change(
          { ...actor, voice: DOCUMENT },
          'config.apply',
          async (state, version) => {
            made = await work(state, version);
            if (
              made.kind !== 'refused' &&
              body.planned !== undefined &&
              made.value.candidate !== body.planned
            )
              return refuse(
                'conflict',
                'The configuration has changed since the plan: what was shown is not what would be made. Plan again.',
              );
            return made;
          },
        );
        if (changed.kind === 'refused') return changed;
        return await shown(context, made!, undefined, desk.state.version, desk.state.stage);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/apply',
      access: 'operator',
      answer: z.strictObject({ stage: stageAnswer }),
      help: 'Shows the staged apply whose rest is still waiting.',
      handle: () => json({ stage: stageView(desk.state.stage) }),
    }),
    route({
      method: 'DELETE',
      path: '/v1/apply',
      access: 'operator',
      answer: z.strictObject({ stage: stageAnswer }),
      help: 'Drops the rest of a staged apply. What its first stage changed stays.',
      async handle({ actor }): Promise<Answer> {
        const ended = await desk.change(
          actor,
          'config.apply.drop',
          ({ stage }): Edited<StageRecord> =>
            stage
              ? { kind: 'draft', edits: [endStage(stage)], value: stage }
              : refuse('not_found', 'No staged apply is open.'),
        );
        return ended.kind === 'refused' ? ended : json({ stage: stageView(ended.value) });
      },
    }),
  ];
}

/** Another document than was sent, before it is looked into. */
function notAsSent({ checksum }: PlanBody, raw: Buffer): Refusal | undefined {
  // Over what was sent, before defaults were put in.
  const { document } = JSON.parse(raw.toString('utf8')) as { document: unknown };
  if (documentChecksum(document) === checksum) return undefined;
  return refuse(
    'document_refused',
    'The document does not have the checksum that came with it: it was cut off or changed on the way. Nothing was changed.',
    'checksum',
  );
}

/** A stage that does not fit what is open. */
function outOfTurn(
  { checksum, stage }: PlanBody,
  open: StageRecord | undefined,
  { rules }: Context,
): Refusal | undefined {
  if (stage !== 'rest') {
    if (!open) return undefined;
    return refuse(
      'conflict',
      `A staged apply is open: ${open.jobsLeft} jobs wait. Go on with --rest, or --drop it.`,
    );
  }
  if (!open)
    return refuse(
      'conflict',
      'No staged apply is open. Apply the document whole, or begin with --stage.',
    );
  if (isOf(open, checksum, rules.sealer)) return undefined;
  return refuse(
    'conflict',
    'The staged apply that is open is of another document (or another secret in it). Drop it, or go on with its own.',
  );
}

/** Works out what a document, or a stage of it, would change; in turns, since that may take seconds. */
function worker(context: Context, actor: Actor, body: PlanBody) {
  const { document, stage, checksum } = body;
  const { clock, desk } = context;
  const atMs = Math.floor(clock.wallMs());
  const rules: PlanRules = {
    jobs: context.rules,
    directory: directoryRules(context),
    by: actor.who,
    atMs,
  };
  return async (state: StateView, version: number): Promise<Edited<Work>> => {
    const open = state.stage;
    const wrong = outOfTurn(body, open, context);
    if (wrong) return wrong;
    const slices = new TurnSlices(clock);
    const all = await planDocument(state, document, rules, slices);
    if (all.kind === 'refused') return all;
    if (stage !== 'first') return await draftOf(clock, all, open ? [endStage(open)] : []);
    const first = firstTenth(all.steps, (stream) => desk.busyLines(stream));
    const chosen: Chosen = ({ scope, name }) => first.keys.has(jobKey(scopePath(scope), name));
    const some = await planDocument(state, document, rules, slices, chosen);
    if (some.kind === 'refused') return some;
    const jobsDone = first.keys.size;
    const jobsLeft = first.of - jobsDone;
    const { who } = actor;
    const begun = { checksum, who, atMs, version, jobsDone, jobsLeft };
    const begins = jobsLeft > 0 ? [beginStage(open, begun, context.rules.sealer)] : [];
    return await draftOf(clock, some, begins);
  };
}

/** @param beside what becomes of the staged apply */
async function draftOf(
  clock: Clock,
  { steps, unchanged }: Extract<Planned, { kind: 'planned' }>,
  beside: readonly Edit[],
): Promise<Edited<Work>> {
  const edits = [...steps.flatMap((step) => step.edits), ...beside];
  const value = { steps, unchanged, candidate: await candidateOf(edits, clock) };
  if (edits.length === 0) return { kind: 'unchanged', value };
  return {
    kind: 'draft',
    edits,
    seal: steps.flatMap(({ seal }) => seal),
    dropSecrets: steps.flatMap(({ dropSecrets }) => dropSecrets),
    value,
  };
}

async function shown(
  { desk, bounds }: Context,
  edited: Edited<Work>,
  refusal: Refusal | undefined,
  version: number,
  stage: StageRecord | undefined,
): Promise<Answer> {
  if (edited.kind === 'refused') return edited;
  const { steps, unchanged, candidate } = edited.value;
  const edits = steps.flatMap((step) => step.edits).filter(isShown);
  const count = (action: Step['action']) => steps.filter((step) => step.action === action).length;
  return json({
    version,
    counts: {
      create: count('create'),
      update: count('update'),
      delete: count('delete'),
      unchanged,
    },
    objects: edits.slice(0, bounds.diffObjects).map(objectView),
    more: Math.max(0, edits.length - bounds.diffObjects),
    radius: refusal?.guard
      ? withoutToken(refusal.guard)
      : radiusAnswer(await desk.foresee(edited.kind === 'draft' ? edited.edits : [])),
    guard: refusal
      ? { code: refusal.code, message: refusal.message, token: refusal.guard?.['token'] ?? null }
      : null,
    planned: candidate,
    stage: stageView(stage),
  });
}

function withoutToken({ token: _token, ...rest }: Readonly<Record<string, unknown>>): object {
  return rest;
}

/** What goes along with a deletion (tokens' scopes, the copy to restore a job from) is told by the deletion. */
function isShown({ kind }: Edit): boolean {
  return kind === 'account' || kind === 'zone' || kind === 'dataset' || kind === 'job';
}

function objectView({ kind, id, before, after }: Edit): object {
  const how = before === null ? 'added' : after === null ? 'removed' : 'changed';
  const job = kind === 'job' ? (after ?? before) : null;
  const label = job ? `${streamKey(job.scope, job.dataset)} "${job.name}"` : id;
  return { kind, id: label, how, fields: fieldsBetween(before, after) };
}

function stageView(stage: StageRecord | undefined): object | null {
  if (!stage) return null;
  const { atMs, id: _id, mark: _mark, ...rest } = stage;
  return { ...rest, at: new Date(atMs).toISOString() };
}

/** The rules of the routes beside, for documents: what a document says of an object is all of it. */
function directoryRules(context: Context): DirectoryRules {
  return {
    putAccount(state, { id, name, ambientCredentials, limits: own }) {
      const all = { jobsPerScope: null, destinations: null, weight: null, diskShare: null, ...own };
      const checked = limitsBody.safeParse(all);
      if (!checked.success) {
        const [issue] = checked.error.issues;
        return refuse(
          'body_invalid',
          issue?.message ?? 'is not valid',
          ['limits', ...(issue?.path ?? [])].join('.'),
        );
      }
      return putAccount(context, state, id, {
        name: name ?? id,
        ambientCredentials,
        limits: checked.data,
      });
    },
    putZone: (state, account, id, name) =>
      putZone(context, state, id, { account, name: name ?? id }),
    putDataset(state, { id, scope, ...rest }: ConfigDocument['datasets'][number]) {
      const checked = datasetBody.safeParse(rest);
      if (!checked.success) {
        const [issue] = checked.error.issues;
        return refuse('body_invalid', issue?.message ?? 'is not valid', issue?.path.join('.'));
      }
      return putDataset(context, state, id, scope, checked.data);
    },
    deleteAccount,
    deleteZone,
    deleteDataset,
  };
}
