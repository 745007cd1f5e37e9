/** Alerts, and the webhooks that are told of them: the operator's for everything, an account's for what is its own. */
import { z } from 'zod';
import { parseStreamKey } from '../../model/scope.ts';
import type { Alert } from '../../watch/index.ts';
import { may } from '../auth/access.ts';
import type { StateView } from '../store/state.ts';
import type { TokenRecord } from '../store/records.ts';
import { alertAnswer, page } from './answers.ts';
import type { Context } from './context.ts';
import { limitQuery, wholeNumber } from './pages.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';

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
  ];
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
