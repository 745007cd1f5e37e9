/** Tokens: made, listed and revoked by operators. A token itself is shown once. */
import { z } from 'zod';
import { limits } from '../../model/limits.ts';
import { SCOPE_ID } from '../../model/scope.ts';
import { newToken } from '../auth/tokens.ts';
import type { Edited } from '../desk.ts';
import { refuse } from '../refusal.ts';
import { PERMISSIONS, TOKEN_KINDS } from '../store/records.ts';
import type { TokenRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import type { Context } from './context.ts';
import { newTokenAnswer, tokenAnswer } from './answers/accounts.ts';
import { deletedAnswer, page } from './answers/shapes.ts';
import { pageOf, pageQuery } from './pages.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';

const scope = z.strictObject({ kind: z.enum(['account', 'zone']), id: z.string().regex(SCOPE_ID) });

const tokenBody = z
  .strictObject({
    kind: z.enum(TOKEN_KINDS),
    name: z.string().max(limits.control.nameLength).default(''),
    permissions: z.array(z.enum(PERMISSIONS)).max(PERMISSIONS.length).optional(),
    scopes: z
      .union([z.literal('all'), z.array(scope).min(1).max(limits.control.tokenScopes)])
      .optional(),
  })
  .superRefine((body, check) => {
    const wrong = (path: string, message: string): void => {
      check.addIssue({ code: 'custom', path: [path], message });
    };
    if (body.kind === 'account' && !body.permissions?.length) {
      wrong('permissions', 'an account token needs `logs_read`, `logs_write` or both');
    }
    if (body.kind !== 'account' && body.permissions) wrong('permissions', 'are for account tokens');
    if (body.kind === 'account' && !Array.isArray(body.scopes)) {
      wrong('scopes', 'an account token needs a list of the accounts or zones that it is for');
    }
    if (body.kind === 'ingest' && !body.scopes) {
      wrong('scopes', 'an ingest token needs a list of accounts or zones, or "all"');
    }
    if (body.kind === 'operator' && body.scopes)
      wrong('scopes', 'are not for operator tokens, which reach everything');
  });

export function tokenRoutes(context: Context): readonly Route[] {
  const { desk, random } = context;
  return [
    route({
      method: 'GET',
      path: '/v1/tokens',
      access: 'operator',
      answer: page('tokens', tokenAnswer),
      help: 'Lists tokens, without the tokens themselves.',
      query: pageQuery,
      handle({ query }) {
        const { items, next } = pageOf(desk.state.tokens.values(), (token) => token.id, query);
        return json({ tokens: items.map(showToken), next });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/tokens',
      access: 'operator',
      answer: newTokenAnswer,
      statuses: [201],
      help: 'Makes a token and shows it, this once.',
      body: tokenBody,
      async handle({ actor, body }) {
        const fresh = newToken(body.kind, random);
        const made = await desk.change(actor, 'token.create', (state) => {
          const record: TokenRecord = {
            id: fresh.id,
            kind: body.kind,
            name: body.name,
            hash: fresh.hash,
            permissions: body.permissions ?? [],
            scopes: body.scopes ?? 'all',
            createdMs: Math.floor(context.clock.wallMs()),
          };
          return createToken(context, state, record);
        });
        return made.kind === 'refused'
          ? made
          : json({ ...showToken(made.value), token: fresh.secret }, 201);
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/tokens/:token',
      access: 'operator',
      answer: deletedAnswer,
      help: 'Revokes a token.',
      async handle({ actor, params }) {
        const deleted = await desk.change(actor, 'token.delete', (state) =>
          deleteToken(state, params['token'] ?? ''),
        );
        return deleted.kind === 'refused' ? deleted : json({ id: deleted.value.id });
      },
    }),
  ];
}

function createToken(context: Context, state: StateView, record: TokenRecord): Edited<TokenRecord> {
  if (state.tokens.size >= context.bounds.tokens) return refuse('limit_reached');
  const unknown =
    record.scopes === 'all'
      ? undefined
      : record.scopes.find((one) => state.accountOf(one) === undefined);
  if (unknown)
    return refuse('scope_unknown', `There is no ${unknown.kind} ${unknown.id}.`, 'scopes');
  return {
    kind: 'draft',
    edits: [{ kind: 'token', id: record.id, before: null, after: record }],
    value: record,
  };
}

function deleteToken(state: StateView, id: string): Edited<TokenRecord> {
  const before = state.tokens.get(id);
  if (!before) return refuse('not_found');
  const operators = [...state.tokens.values()].filter(({ kind }) => kind === 'operator');
  if (before.kind === 'operator' && operators.length === 1) {
    return refuse('in_use', 'This is the last operator token. Make another one first.');
  }
  return { kind: 'draft', edits: [{ kind: 'token', id, before, after: null }], value: before };
}

function showToken({ id, kind, name, permissions, scopes, createdMs }: TokenRecord): object {
  return {
    id,
    kind,
    name,
    ...(kind === 'account' ? { permissions } : {}),
    ...(kind === 'operator' ? {} : { scopes }),
    created: new Date(createdMs).toISOString(),
  };
}
