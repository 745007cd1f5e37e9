/** Alerts, and the webhooks that are told of them: the operator's for everything, an account's for what is its own. */
import { z } from 'zod';
import { parseStreamKey } from '../../model/scope.ts';
import type { Alert, WebhookView } from '../../watch/index.ts';
import { may } from '../auth/access.ts';
import { refuse } from '../refusal.ts';
import type { StateView } from '../store/state.ts';
import type { TokenRecord } from '../store/records.ts';
import { alertAnswer, webhookAnswer } from './answers/alerts.ts';
import { page } from './answers/shapes.ts';
import type { Context } from './context.ts';
import { limitQuery, wholeNumber } from './pages.ts';
import { json, route } from './route.ts';
import type { Access, Call, Route } from './route.ts';

const alertsQuery = z.strictObject({
  state: z.enum(['firing', 'resolved', 'all']).default('firing'),
  account: z.string().max(32).optional(),
  limit: limitQuery,
  after: wholeNumber(0, Number.MAX_SAFE_INTEGER).default(0),
});

export function alertRoutes(context: Context): readonly Route[] {
  const { desk, dataPlane } = context;
  return [
    route({
      method: 'GET',
      path: '/v1/alerts',
      access: 'token',
      answer: page('alerts', alertAnswer, z.int()),
      help: 'Lists what the watchdogs have found: those that fire, then those that are over, newest first.',
      query: alertsQuery,
      handle({ token, query }) {
        const { state } = desk;
        const wanted = (dataPlane.alerts?.list() ?? []).filter(
          (alert) =>
            (query.state === 'all' || alert.state === query.state) &&
            (query.account === undefined || accountOf(state, alert) === query.account) &&
            mayHear(state, token, alert),
        );
        // The list moves at its front: a page begins so many places further on.
        const shown = wanted.slice(query.after, query.after + query.limit);
        const next = query.after + shown.length;
        return json({
          alerts: shown.map((alert) => showAlert(state, alert)),
          next: next < wanted.length ? next : null,
        });
      },
    }),
    ...webhooksAt(context, '/v1/webhooks', 'operator', () => null),
    ...webhooksAt(
      context,
      '/v1/accounts/:account/webhooks',
      { scope: 'logs_write' },
      ({ scope }) => scope.id,
    ),
  ];
}

const newWebhook = z.strictObject({
  url: z.string().describe('A secret: shown masked from then on.'),
  form: z.enum(['json', 'slack']).default('json'),
  secret: z
    .string()
    .optional()
    .describe(
      'Signs each message as the Standard Webhooks specification has it: `whsec_` and base64.',
    ),
});

/** The webhooks of one owner. */
function webhooksAt(
  { dataPlane }: Context,
  path: string,
  access: Access,
  ownerOf: (call: Call) => string | null,
): readonly Route[] {
  const desk = () => dataPlane.alerts?.webhooks();
  const idOf = ({ params }: Call) =>
    Number(/^[1-9]\d{0,14}$/.exec(params['webhook'] ?? '')?.[0] ?? 0);
  return [
    route({
      method: 'GET',
      path,
      access,
      answer: z.strictObject({ webhooks: z.array(webhookAnswer) }),
      help: 'Lists where alerts are sent, with the outcome of the last attempt.',
      handle: (call) => json({ webhooks: (desk()?.list(ownerOf(call)) ?? []).map(showWebhook) }),
    }),
    route({
      method: 'POST',
      path,
      access,
      answer: webhookAnswer,
      statuses: [201],
      help: 'Adds a webhook.',
      body: newWebhook,
      handle(call) {
        const { url, form, secret } = call.body;
        const account = ownerOf(call);
        const webhook = { account, url, form, ...(secret === undefined ? {} : { secret }) };
        const hooks = desk();
        const problem = hooks?.problem(webhook);
        if (problem)
          return refuse('body_invalid', `\`${problem.path}\` ${problem.message}.`, problem.path);
        const added = hooks?.add(webhook) ?? 'failed';
        if (added === 'full') return refuse('limit_reached');
        return added === 'failed' ? refuse('store_unavailable') : json(showWebhook(added), 201);
      },
    }),
    route({
      method: 'DELETE',
      path: `${path}/:webhook`,
      access,
      answer: z.strictObject({ id: z.int() }),
      help: 'Removes a webhook; what waits for it is given up.',
      handle(call) {
        const id = idOf(call);
        return desk()?.remove(ownerOf(call), id) ? json({ id }) : refuse('not_found');
      },
    }),
    route({
      method: 'POST',
      path: `${path}/:webhook/test`,
      access,
      answer: z.strictObject({ delivered: z.boolean(), detail: z.string() }),
      help: 'Sends a test message at once and says what became of it.',
      async handle(call) {
        const outcome = await desk()?.test(ownerOf(call), idOf(call));
        return outcome ? json(outcome) : refuse('not_found');
      },
    }),
  ];
}

function showWebhook({ last, isSigned, ...webhook }: WebhookView): object {
  return {
    ...webhook,
    signed: isSigned,
    last: last && {
      at: new Date(last.atMs).toISOString(),
      outcome: last.outcome,
      status: last.status,
      error: last.error,
    },
  };
}

/** Operators hear of everything, others of what is about a stream that they may read. */
function mayHear(state: StateView, token: TokenRecord, alert: Alert): boolean {
  if (token.kind === 'operator') return true;
  const parsed = alert.stream === null ? undefined : parseStreamKey(alert.stream);
  return parsed !== undefined && may(state, token, 'logs_read', parsed.scope);
}

function accountOf(state: StateView, alert: Alert): string | undefined {
  const parsed = alert.stream === null ? undefined : parseStreamKey(alert.stream);
  return parsed && state.accountOf(parsed.scope);
}

function showAlert(state: StateView, alert: Alert): object {
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    id: alert.id,
    kind: alert.kind,
    severity: alert.severity,
    state: alert.state,
    title: alert.title,
    subject: alert.subject,
    account: accountOf(state, alert) ?? null,
    stream: alert.stream,
    job: alert.job,
    since: iso(alert.sinceMs),
    resolved: iso(alert.resolvedMs),
    times: alert.times,
    text: alert.text,
    advice: alert.advice,
    facts: alert.facts,
  };
}
