/** The log of changes: all of it for operators, of a scope for who may look at it. No secret stands in it. */
import { z } from 'zod';
import { scopePath } from '../../model/scope.ts';
import type { Scope } from '../../model/scope.ts';
import type { ChangeEntry } from '../store/store.ts';
import { reachOf } from './context.ts';
import { changeAnswer } from './answers/server.ts';
import { page } from './answers/shapes.ts';
import type { Context } from './context.ts';
import { limitQuery, wholeNumber } from './pages.ts';
import { json, route, scoped } from './route.ts';
import type { Answer, Route } from './route.ts';

const changesQuery = z.strictObject({
  limit: limitQuery,
  before: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
});

type ChangesQuery = z.infer<typeof changesQuery>;

export function changeRoutes(context: Context): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/changes',
      access: 'operator',
      answer: page('changes', changeAnswer, z.int()),
      help: 'Lists changes of the configuration, newest first: who, what, from where, before and after without secrets.',
      query: changesQuery,
      handle: ({ query }) => changes(context, query),
    }),
    ...scoped({
      method: 'GET',
      path: '/v1/{scope}/changes',
      access: { scope: 'logs_read' },
      answer: page('changes', changeAnswer, z.int()),
      help: 'Lists changes that concern an account (with its zones) or zone, newest first.',
      query: changesQuery,
      handle: ({ query, scope }) => changes(context, query, scope),
    }),
  ];
}

async function changes(
  context: Context,
  { limit, before }: ChangesQuery,
  scope?: Scope,
): Promise<Answer> {
  const entries = await context.store.changes({
    limit,
    ...(before === undefined ? {} : { before }),
    ...(scope === undefined ? {} : { scope: scopePath(scope) }),
  });
  const last = entries.at(-1);
  const seen = scope && new Set(reachOf(context.desk.state, scope).scopes.map(scopePath));
  return json({
    changes: entries.map((entry) => shown(entry, seen)),
    next: last && entries.length === limit ? last.version : null,
  });
}

function shown(
  { atMs, edits, ...entry }: ChangeEntry,
  seen: ReadonlySet<string> | undefined,
): object {
  return {
    ...entry,
    at: new Date(atMs).toISOString(),
    edits: edits.map(({ kind, id, before, after }) => ({
      kind,
      id,
      before: seen ? ownPart(before, seen) : before,
      after: seen ? ownPart(after, seen) : after,
    })),
  };
}

/** A token may be bound to scopes of others as well: whose they are is nobody's business here. */
function ownPart(record: unknown, seen: ReadonlySet<string>): unknown {
  if (typeof record !== 'object' || record === null || !('scopes' in record)) return record;
  if (!Array.isArray(record.scopes)) return record;
  const scopes = record.scopes.filter((scope: Scope) => seen.has(scopePath(scope)));
  return { ...record, scopes };
}
