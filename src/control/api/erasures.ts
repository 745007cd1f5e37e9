/** Erasure of lines, as their owner orders it: what it would take, the order, and what became of it. */
import { z } from 'zod';
import { limits } from '../../model/limits.ts';
import { DATASET_ID } from '../../model/scope.ts';
import type { Scope } from '../../model/scope.ts';
import { parsePlace } from '../held/place.ts';
import type { ErasureWish } from '../held/erasures.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { ErasureRecord } from '../store/records.ts';
import { erasureAnswer, erasureSizeAnswer } from './answers/lines.ts';
import { page } from './answers/shapes.ts';
import { ask } from './context.ts';
import type { Context } from './context.ts';
import { pageOf, pageQuery } from './pages.ts';
import { json, scoped } from './route.ts';
import type { Answer, Checked, Route } from './route.ts';

const READ = { scope: 'logs_read' } as const;
const WRITE = { scope: 'logs_write' } as const;
const ID_BYTES = 8;

const erasureBody = z.strictObject({
  dataset: z.string().regex(DATASET_ID).optional().describe('Only lines of it; all when left out.'),
  before: z
    .string()
    .max(64)
    .optional()
    .describe('Lines received before this time (RFC 3339); all up to now when left out.'),
  reason: z.string().max(limits.control.nameLength).default('').describe('For the change log.'),
});
type ErasureBody = z.infer<typeof erasureBody>;

export function erasureRoutes(context: Context): readonly Route[] {
  const { desk } = context;
  const path = '/v1/{scope}/erasures';
  return [
    ...scoped({
      method: 'POST',
      path: `${path}/preview`,
      access: WRITE,
      answer: erasureSizeAnswer,
      help: 'Says what an erasure would take. Erases nothing.',
      body: erasureBody,
      async handle(call) {
        const wish = wishOf(context, call);
        if (wish.kind === 'refused') return wish;
        const asked = await ask(
          context,
          'erasable',
          () => context.erasures.size(wish.wish),
          limits.control.erasureMs,
        );
        if (asked.kind === 'refused') return asked;
        const { keptLines, streams, waitingLines } = asked.value;
        const lines = streams.reduce((sum, one) => sum + one.lines, 0);
        const { beforeMs, dataset, scope } = wish.wish;
        return json({
          scope,
          dataset,
          before: new Date(beforeMs).toISOString(),
          lines,
          waitingLines,
          keptLines,
          streams: streams.map((one) => ({
            stream: one.stream,
            lines: one.lines,
          })),
        });
      },
    }),
    ...scoped({
      method: 'POST',
      path,
      access: WRITE,
      answer: erasureAnswer,
      statuses: [201, 202],
      help: 'Erases lines: 201, nothing reads them any more; 202, ordered, and carried out as soon as the shard answers. It cannot be undone.',
      body: erasureBody,
      handle: (call) => order(context, call),
    }),
    ...scoped({
      method: 'GET',
      path,
      access: READ,
      answer: page('erasures', erasureAnswer),
      help: 'Lists erasures of an account (with its zones) or zone, and what became of them.',
      query: pageQuery,
      handle({ scope, query }) {
        const seen = [...desk.state.erasures.values()].filter((one) => isOf(context, scope, one));
        const { items, next } = pageOf(seen, ({ id }) => id, query);
        return json({ erasures: items.map(showErasure), next });
      },
    }),
    ...scoped({
      method: 'GET',
      path: `${path}/:erasure`,
      access: READ,
      answer: erasureAnswer,
      help: 'Shows an erasure.',
      handle({ params, scope }) {
        const found = desk.state.erasures.get(params['erasure'] ?? '');
        if (!found || !isOf(context, scope, found)) return refuse('not_found');
        return json(showErasure(found));
      },
    }),
  ];
}

async function order(context: Context, call: Checked<ErasureBody, undefined>): Promise<Answer> {
  const wish = wishOf(context, call);
  if (wish.kind === 'refused') return wish;
  const { reason } = wish.wish;
  const actor = { ...call.actor, ...(reason === '' ? {} : { reason }) };
  const ordered = await context.erasures.order(actor, wish.wish, limits.control.erasureMs);
  if (ordered.kind === 'refused') return ordered;
  return json(showErasure(ordered.value), ordered.value.state === 'ordered' ? 202 : 201);
}

function wishOf(
  { clock, random }: Context,
  { actor, body, scope }: Checked<ErasureBody, undefined>,
): { readonly kind: 'wish'; readonly wish: ErasureWish } | Refusal {
  const nowMs = Math.floor(clock.wallMs());
  const asked = parsePlace(body.before ?? 'now');
  if (asked?.kind !== 'time' && asked?.kind !== 'now') {
    const rule = 'must be a time as RFC 3339 (2026-11-23T06:00:00Z)';
    return refuse('body_invalid', `\`before\` ${rule}`, 'before');
  }
  const beforeMs = asked.kind === 'now' ? nowMs : asked.ms;
  if (beforeMs > nowMs) return refuse('place_ahead', '`before` lies in the future.', 'before');
  const id = `e${random.bytes(ID_BYTES).toString('hex')}`;
  const { dataset = null } = body;
  const reason = body.reason || (actor.reason ?? '');
  return { kind: 'wish', wish: { id, scope, dataset, beforeMs, reason } };
}

/** An account sees the erasures of its zones too. */
function isOf({ desk }: Context, scope: Scope, erasure: ErasureRecord): boolean {
  const { id, kind } = erasure.scope;
  if (kind === scope.kind && id === scope.id) return true;
  return scope.kind === 'account' && desk.state.accountOf(erasure.scope) === scope.id;
}

function showErasure(one: ErasureRecord): object {
  const { by, dataset, id, keptLines, lines, reason, scope, state } = one;
  const time = (ms: number | null): string | null =>
    ms === null ? null : new Date(ms).toISOString();
  return {
    id,
    scope,
    dataset,
    before: time(one.beforeMs),
    state,
    ordered: time(one.atMs),
    by,
    reason,
    lines,
    keptLines,
    done: time(one.doneMs),
    streams: one.streams.map((part) => ({
      stream: part.stream,
      lines: part.lines,
    })),
  };
}
