/** Accounts and zones. Operators make and change them; an account's own tokens may look at it. */
import { z } from 'zod';
import { describeDestinations } from '../../destinations/index.ts';
import { limits } from '../../model/limits.ts';
import { SCOPE_ID } from '../../model/scope.ts';
import { reaches } from '../auth/access.ts';
import { unbind } from '../auth/unbind.ts';
import type { Edited } from '../desk.ts';
import { leftoversOf } from '../jobs/deleted.ts';
import { refuse } from '../refusal.ts';
import type { AccountLimits, AccountRecord, ZoneRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import type { Context } from './context.ts';
import { accountAnswer, zoneAnswer } from './answers/accounts.ts';
import { deletedAnswer, page } from './answers/shapes.ts';
import { pageOf, pageQuery } from './pages.ts';
import { json, route } from './route.ts';
import type { Answer, Checked, Route } from './route.ts';

const text = z.string().min(1).max(limits.control.nameLength);
const id = z.string().regex(SCOPE_ID, 'may hold 1 to 32 letters, digits, `-` and `_`');
const schemes = describeDestinations().flatMap((kind) => kind.schemes);
/** null takes a limit of its own away again. */
export const limitsBody = z.strictObject({
  jobsPerScope: z.int().min(0).max(limits.control.jobs).nullish(),
  destinations: z
    .array(
      z
        .string()
        .refine((scheme) => schemes.includes(scheme), `must be one of ${schemes.join(', ')}`),
    )
    .max(schemes.length)
    .nullish(),
  weight: z.number().min(0.01).max(1_000).nullish(),
  diskShare: z.number().gt(0).max(1).nullish(),
});
const accountBody = z.strictObject({
  name: text.optional(),
  ambientCredentials: z.boolean().optional(),
  limits: limitsBody.optional(),
});
const newAccount = accountBody.extend({ id: id.optional() });
const zoneBody = z.strictObject({ account: id.optional(), name: text.optional() });
const newZone = z.strictObject({ id: id.optional(), name: text });

const ID_RULE = 'The id may hold 1 to 32 letters, digits, `-` and `_`.';

type AccountBody = z.infer<typeof accountBody>;
type ZoneBody = z.infer<typeof zoneBody>;

export function accountRoutes(context: Context): readonly Route[] {
  const { desk } = context;
  const put = async (
    call: Checked<AccountBody, unknown>,
    key: string,
    mustBeNew = false,
  ): Promise<Answer> => {
    if (!SCOPE_ID.test(key)) return refuse('body_invalid', ID_RULE, 'id');
    let isNew = false;
    const what = desk.state.accounts.has(key) ? 'account.update' : 'account.create';
    const changed = await desk.change(call.actor, what, (state) => {
      isNew = !state.accounts.has(key);
      if (mustBeNew && !isNew) return refuse('already_exists');
      return putAccount(context, state, key, call.body);
    });
    return changed.kind === 'refused'
      ? changed
      : json(showAccount(context, changed.value), isNew ? 201 : 200);
  };
  return [
    route({
      method: 'GET',
      path: '/v1/accounts',
      access: 'token',
      answer: page('accounts', accountAnswer),
      help: 'Lists accounts.',
      query: pageQuery,
      handle({ token, query }) {
        const { state } = desk;
        const seen = [...state.accounts.values()].filter((account) =>
          reaches(state, token, { kind: 'account', id: account.id }),
        );
        const { items, next } = pageOf(seen, (account) => account.id, query);
        return json({ accounts: items.map((account) => showAccount(context, account)), next });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/accounts',
      access: 'operator',
      answer: accountAnswer,
      statuses: [201],
      help: 'Makes an account; without an id it is given one.',
      body: newAccount,
      async handle(call) {
        const { id: wished, ...body } = call.body;
        return await put({ ...call, body }, wished ?? newId(context), true);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/accounts/:account',
      access: { scope: 'logs_read' },
      answer: accountAnswer,
      help: 'Shows an account.',
      handle({ scope }) {
        const account = desk.state.accounts.get(scope.id);
        return account ? json(showAccount(context, account)) : refuse('scope_unknown');
      },
    }),
    route({
      method: 'PUT',
      path: '/v1/accounts/:account',
      access: 'operator',
      answer: accountAnswer,
      statuses: [200, 201],
      help: 'Makes or changes an account.',
      body: accountBody,
      handle: (call) => put(call, call.scope.id),
    }),
    route({
      method: 'DELETE',
      path: '/v1/accounts/:account',
      access: 'operator',
      answer: deletedAnswer,
      help: 'Deletes an account that has neither zones nor jobs.',
      async handle({ scope, actor }) {
        const deleted = await desk.change(actor, 'account.delete', (state) =>
          deleteAccount(state, scope.id),
        );
        return deleted.kind === 'refused' ? deleted : json({ id: scope.id });
      },
    }),
  ];
}

export function zoneRoutes(context: Context): readonly Route[] {
  const { desk } = context;
  const put = async (
    call: Checked<ZoneBody, unknown>,
    key: string,
    mustBeNew = false,
  ): Promise<Answer> => {
    if (!SCOPE_ID.test(key)) return refuse('body_invalid', ID_RULE, 'id');
    let isNew = false;
    const what = desk.state.zones.has(key) ? 'zone.update' : 'zone.create';
    const changed = await desk.change(call.actor, what, (state) => {
      isNew = !state.zones.has(key);
      if (mustBeNew && !isNew) return refuse('already_exists');
      return putZone(context, state, key, call.body);
    });
    return changed.kind === 'refused' ? changed : json(showZone(changed.value), isNew ? 201 : 200);
  };
  return [
    route({
      method: 'GET',
      path: '/v1/accounts/:account/zones',
      access: { scope: 'logs_read' },
      answer: page('zones', zoneAnswer),
      help: "Lists an account's zones.",
      query: pageQuery,
      handle({ scope, query }) {
        const { items, next } = pageOf(desk.state.zonesOf(scope.id), (zone) => zone.id, query);
        return json({ zones: items.map(showZone), next });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/accounts/:account/zones',
      access: 'operator',
      answer: zoneAnswer,
      statuses: [201],
      help: 'Makes a zone of an account; without an id it is given one.',
      body: newZone,
      async handle(call) {
        const { id: wished, name } = call.body;
        const body = { account: call.scope.id, name };
        return await put({ ...call, body }, wished ?? newId(context), true);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/zones',
      access: 'token',
      answer: page('zones', zoneAnswer),
      help: 'Lists zones.',
      query: pageQuery,
      handle({ token, query }) {
        const { state } = desk;
        const seen = [...state.zones.values()].filter((zone) =>
          reaches(state, token, { kind: 'zone', id: zone.id }),
        );
        const { items, next } = pageOf(seen, (zone) => zone.id, query);
        return json({ zones: items.map(showZone), next });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/zones/:zone',
      access: { scope: 'logs_read' },
      answer: zoneAnswer,
      help: 'Shows a zone.',
      handle({ scope }) {
        const zone = desk.state.zones.get(scope.id);
        return zone ? json(showZone(zone)) : refuse('scope_unknown');
      },
    }),
    route({
      method: 'PUT',
      path: '/v1/zones/:zone',
      access: 'operator',
      answer: zoneAnswer,
      statuses: [200, 201],
      help: 'Makes or changes a zone. It stays with its account.',
      body: zoneBody,
      handle: (call) => put(call, call.scope.id),
    }),
    route({
      method: 'DELETE',
      path: '/v1/zones/:zone',
      access: 'operator',
      answer: deletedAnswer,
      help: 'Deletes a zone that has no jobs.',
      async handle({ scope, actor }) {
        const deleted = await desk.change(actor, 'zone.delete', (state) =>
          deleteZone(state, scope.id),
        );
        return deleted.kind === 'refused' ? deleted : json({ id: scope.id });
      },
    }),
  ];
}

export function putAccount(
  context: Context,
  state: StateView,
  key: string,
  body: AccountBody,
): Edited<AccountRecord> {
  const before = state.accounts.get(key) ?? null;
  if (!before && state.accounts.size >= context.bounds.accounts) return refuse('limit_reached');
  const after: AccountRecord = {
    id: key,
    name: body.name ?? before?.name ?? key,
    ambientCredentials: body.ambientCredentials ?? before?.ambientCredentials ?? false,
    createdMs: before?.createdMs ?? Math.floor(context.clock.wallMs()),
    limits: limitsOf(before?.limits ?? {}, body.limits ?? {}),
    cmb: before?.cmb ?? null,
  };
  if (before && JSON.stringify(before) === JSON.stringify(after))
    return { kind: 'unchanged', value: before };
  return { kind: 'draft', edits: [{ kind: 'account', id: key, before, after }], value: after };
}

/** What stands, with what was sent put over it; null takes a limit away. */
function limitsOf(before: AccountLimits, sent: z.infer<typeof limitsBody>): AccountLimits {
  const merged = Object.entries({ ...before, ...sent }).filter(
    ([, value]) => value !== null && value !== undefined,
  );
  return Object.fromEntries(merged);
}

export function deleteAccount(state: StateView, key: string): Edited<AccountRecord> {
  const before = state.accounts.get(key);
  if (!before) return refuse('scope_unknown');
  const zones = state.zonesOf(key).length;
  const jobs = state.jobsOf({ kind: 'account', id: key }).length;
  if (zones > 0 || jobs > 0) {
    return refuse(
      'in_use',
      `The account still has ${zones} zones and ${jobs} jobs of its own. Delete them first.`,
    );
  }
  const scope = { kind: 'account', id: key } as const;
  const leftovers = leftoversOf(state, scope);
  return {
    kind: 'draft',
    edits: [
      ...leftovers.edits,
      { kind: 'account', id: key, before, after: null },
      ...unbind(state, scope),
    ],
    dropSecrets: leftovers.dropSecrets,
    value: before,
  };
}

export function putZone(
  context: Context,
  state: StateView,
  key: string,
  body: ZoneBody,
): Edited<ZoneRecord> {
  const before = state.zones.get(key) ?? null;
  if (!before && state.zones.size >= context.bounds.zones) return refuse('limit_reached');
  const account = body.account ?? before?.account;
  if (account === undefined)
    return refuse('body_invalid', '`account` is required for a new zone.', 'account');
  if (!state.accounts.has(account))
    return refuse('scope_unknown', `There is no account ${account}.`, 'account');
  if (before && before.account !== account) {
    return refuse(
      'body_invalid',
      'A zone stays with its account: its lines and books are there.',
      'account',
    );
  }
  const name = body.name ?? before?.name ?? key;
  const other = state.zoneByName(name);
  if (other && other.id !== key) {
    return refuse(
      'already_exists',
      'Another zone has this name; lines sent with `by` could not be told apart.',
      'name',
    );
  }
  const after: ZoneRecord = {
    id: key,
    account,
    name,
    createdMs: before?.createdMs ?? Math.floor(context.clock.wallMs()),
    retention: before?.retention ?? false,
  };
  if (before && JSON.stringify(before) === JSON.stringify(after))
    return { kind: 'unchanged', value: before };
  return { kind: 'draft', edits: [{ kind: 'zone', id: key, before, after }], value: after };
}

export function deleteZone(state: StateView, key: string): Edited<ZoneRecord> {
  const before = state.zones.get(key);
  if (!before) return refuse('scope_unknown');
  const jobs = state.jobsOf({ kind: 'zone', id: key }).length;
  if (jobs > 0) return refuse('in_use', `The zone still has ${jobs} jobs. Delete them first.`);
  const scope = { kind: 'zone', id: key } as const;
  const leftovers = leftoversOf(state, scope);
  return {
    kind: 'draft',
    edits: [
      ...leftovers.edits,
      { kind: 'zone', id: key, before, after: null },
      ...unbind(state, scope),
    ],
    dropSecrets: leftovers.dropSecrets,
    value: before,
  };
}

/** As Logpush's own ids look. */
function newId(context: Context): string {
  return context.random.bytes(16).toString('hex');
}

/** Limits as they are in force, so that a customer sees what he may do. */
function showAccount({ bounds }: Context, account: AccountRecord): object {
  const { id: key, name, ambientCredentials, createdMs, limits: own } = account;
  return {
    id: key,
    name,
    ambientCredentials,
    limits: {
      jobsPerScope: own.jobsPerScope ?? bounds.jobsPerScope,
      destinations: own.destinations ?? schemes,
      weight: own.weight ?? 1,
      diskShare: own.diskShare ?? null,
    },
    created: new Date(createdMs).toISOString(),
  };
}

function showZone({ id: key, account, name, createdMs, retention }: ZoneRecord): object {
  return { id: key, account, name, retention, created: new Date(createdMs).toISOString() };
}
