/** Instant Logs: sessions of a live look at a zone's requests. The socket itself is in `live-socket.ts`. */
import { z } from 'zod';
import type { LiveSession } from '../../live/index.ts';
import { parseFilter } from '../../model/filter.ts';
import { limits } from '../../model/limits.ts';
import { streamKey } from '../../model/scope.ts';
import { refusedIn } from '../auth/access.ts';
import { refuse } from '../refusal.ts';
import type { Context } from './context.ts';
import { SESSION_PATH } from './live-socket.ts';
import { checkOptions, fieldNames, REQUEST_LOG, requestLog } from './request-fields.ts';
import { json, route } from './route.ts';
import type { Answer, Checked, Route } from './route.ts';

const READ = { scope: 'logs_read' } as const;
const NOT_ALLOWED = 'creating a new instant logs job is not allowed';

const sessionBody = z.strictObject({
  fields: z
    .string()
    .max(limits.pull.fieldsBytes)
    .nullish()
    .describe('Names with commas between them; the default ones when left out.'),
  sample: z
    .int()
    .min(1)
    .max(1_000_000)
    .nullish()
    .describe('One in so many of the requests that pass the filter.'),
  filter: z.string().nullish().describe("Logpush's filter as a JSON text; empty: all."),
  kind: z.enum(['instant-logs', '']).nullish(),
});
type SessionBody = z.infer<typeof sessionBody>;

const session = {
  fields: z.string(),
  filter: z.string(),
  kind: z.literal('instant-logs'),
  sample: z.int(),
  session_id: z.string(),
};
const newSessionAnswer = z
  .strictObject({
    destination_conf: z.string().describe('Where to connect by WebSocket; whoever knows it may.'),
    ...session,
  })
  .meta({ id: 'InstantLogsJob' });

export function instantLogsRoutes(context: Context): readonly Route[] {
  const path = '/client/v4/zones/:zone/logpush/edge/jobs';
  return [
    route({
      method: 'POST',
      path,
      access: READ,
      answer: newSessionAnswer,
      help: "Begins a live look at a zone's requests: connect to `destination_conf` by WebSocket.",
      body: sessionBody,
      handle: (call) => create(context, call),
    }),
    route({
      method: 'GET',
      path,
      access: READ,
      answer: z.array(z.strictObject(session)),
      help: "Lists a zone's live look, if there is one.",
      handle({ scope }) {
        const standing = context.dataPlane.live.ofZone(scope.id);
        return json(standing ? [shown(standing)] : []);
      },
    }),
  ];
}

function create({ desk, dataPlane }: Context, call: Checked<SessionBody, undefined>): Answer {
  const { body, scope, token } = call;
  const dataset = requestLog(desk.state);
  const names = fieldNames(body.fields ?? undefined, dataset);
  const checked = checkOptions(names, {}, dataset, 'body_invalid');
  if (checked.kind === 'refused') return checked;
  const filter = body.filter ?? '';
  const parsed = parseFilter(filter, dataset);
  if (parsed.kind === 'invalid') {
    const where = parsed.path === '' ? '' : `${parsed.path} `;
    const message = `${NOT_ALLOWED}: bad predicate: ${where}${parsed.message}`;
    return refuse('body_invalid', message, 'filter');
  }
  const created = dataPlane.live.create({
    zone: scope.id,
    stream: streamKey(scope, REQUEST_LOG),
    fields: names?.join(',') ?? '',
    fieldNames: names,
    dataset,
    filter,
    sample: body.sample ?? 1,
    mayGoOn: () => {
      const now = desk.state.tokens.get(token.id);
      return now !== undefined && !refusedIn(desk.state, now, 'logs_read', scope);
    },
  });
  switch (created.kind) {
    case 'taken':
      return refuse('limit_reached', `${NOT_ALLOWED}: somebody listens to this zone's session`);
    case 'full':
      return refuse('limit_reached', `${NOT_ALLOWED}: the server has as many as it bears`);
    case 'created': {
      const url = `${call.origin.replace(/^http/, 'ws')}${SESSION_PATH}${created.session.id}`;
      return json({ destination_conf: url, ...shown(created.session) });
    }
  }
}

function shown({ fields, filter, sample, id }: LiveSession): object {
  return { fields, filter, kind: 'instant-logs', sample, session_id: id };
}
