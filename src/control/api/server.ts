/**
 * The HTTP server: walks the route table, authenticates, hands over, answers. Fastify routes and reads bodies; what a
 * request means is decided in the handlers.
 */
import { Readable } from 'node:stream';
import { fastify } from 'fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { assert } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Random } from '../../lib/random.ts';
import type { LiveDesk } from '../../live/index.ts';
import type { Scope } from '../../model/scope.ts';
import { principalOf, refusedIn, senderOf } from '../auth/access.ts';
import { insistenceOf } from '../guard/headers.ts';
import { OPERATOR, voiceOf } from '../guard/voice.ts';
import type { Voice } from '../guard/voice.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { TokenRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import { dialectOf, wireJson, wireRefusal } from './envelope.ts';
import type { Wire } from './envelope.ts';
import { acceptListeners, isSocketRequest } from './live-socket.ts';
import type { Access, Answer, Call, Method, Route } from './route.ts';
import { streamed } from './stream.ts';

export interface ServerOptions {
  readonly routes: readonly Route[];
  readonly state: () => StateView;
  readonly clock: Clock;
  readonly random: Random;
  readonly diagnostics: Diagnostics;
  readonly live: LiveDesk;
  /** What every answer carries at this moment besides its own. */
  readonly headers: () => Readonly<Record<string, string>>;
  readonly bounds: {
    readonly bodyBytes: number;
    readonly connections: number;
    readonly requestMs: number;
    /** How long an answer that is sent while it is made waits for a reader that takes nothing. */
    readonly stallMs: number;
    /** What a listener of Instant Logs may send at once. */
    readonly incomingBytes: number;
  };
}

/** PEM texts of a listener that speaks HTTPS. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

const METHODS: readonly Method[] = ['GET', 'POST', 'PUT', 'DELETE'];

/** Stands where nobody has to say who he is. */
const NOBODY: TokenRecord = {
  id: 'nobody',
  kind: 'account',
  name: '',
  hash: '',
  permissions: [],
  scopes: [],
  createdMs: 0,
};

function noSchema(): never {
  throw new TypeError('routes have no schemas');
}

/** Makes the server; it does not listen yet. */
export function makeServer(options: ServerOptions, tls?: TlsFiles): FastifyInstance {
  const { bounds, random, diagnostics } = options;
  const app = fastify({
    logger: false,
    ...(tls
      ? { https: { cert: tls.cert, key: tls.key, shouldUpgradeCallback: isSocketRequest } }
      : { http: { shouldUpgradeCallback: isSocketRequest } }),
    bodyLimit: bounds.bodyBytes,
    requestTimeout: bounds.requestMs,
    genReqId: () => random.bytes(8).toString('hex'),
    exposeHeadRoutes: false,
    // No route has a schema: what bodies may hold is judged in the handlers. Fastify's own compilers would only be loaded.
    schemaController: { compilersFactory: { buildValidator: noSchema, buildSerializer: noSchema } },
    return503OnClosing: true,
    frameworkErrors: (_error, request, reply) => {
      void send(reply, wireRefusal(dialectOf(request.url), refuse('route_unknown')));
    },
  }) as unknown as FastifyInstance;
  app.server.maxConnections = bounds.connections;

  // Bodies stay bytes until the caller is known; then the route decodes them.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  acceptListeners(app, options.live, options.clock, bounds.incomingBytes);
  endStreamsOnClose(app);
  app.addHook('onSend', async (_request, reply) => void reply.headers(options.headers()));
  addRoutes(app, options);
  app.setNotFoundHandler((request, reply) =>
    send(reply, wireRefusal(dialectOf(request.url), refuse('route_unknown'))),
  );
  app.setErrorHandler((error: FastifyError, request, reply) =>
    send(reply, wireRefusal(dialectOf(request.url), faultOf(error, request, diagnostics))),
  );
  return app;
}

function addRoutes(app: FastifyInstance, options: ServerOptions): void {
  const methodsOf = new Map<string, Method[]>();
  for (const route of options.routes) {
    const methods = methodsOf.get(route.path) ?? [];
    methodsOf.set(route.path, [...methods, route.method]);
    app.route({
      method: route.method,
      url: route.path,
      ...(route.bodyBytes === undefined ? {} : { bodyLimit: route.bodyBytes }),
      handler: async (request, reply) => send(reply, await answer(route, request, options)),
    });
  }
  for (const [path, methods] of methodsOf) {
    const others = METHODS.filter((method) => !methods.includes(method));
    app.route({
      method: others,
      url: path,
      handler: (request, reply) => {
        void reply.header('allow', methods.join(', '));
        return send(reply, wireRefusal(dialectOf(request.url), refuse('method_not_allowed')));
      },
    });
  }
}

async function answer(
  route: Route,
  request: FastifyRequest,
  options: ServerOptions,
): Promise<Wire> {
  const dialect = dialectOf(route.path);
  const call = authenticate(route.access, request, options.state());
  const answered = isRefusal(call) ? call : await route.handle(call);
  return answered.kind === 'stream'
    ? wireStream(answered, request, options)
    : wireOf(dialect, answered);
}

function isRefusal(value: Call | Refusal): value is Refusal {
  return 'kind' in value;
}

function wireOf(dialect: 'v1' | 'v4', answered: Exclude<Answer, StreamAnswer>): Wire {
  switch (answered.kind) {
    case 'json':
      return wireJson(dialect, answered.status, answered.body);
    case 'bytes':
      return {
        status: answered.status,
        headers: answered.headers ?? {},
        contentType: answered.contentType,
        body: answered.body,
      };
    case 'refused':
      return wireRefusal(dialect, answered);
  }
}

type StreamAnswer = Extract<Answer, { readonly kind: 'stream' }>;

function wireStream(
  { status, contentType, chunks }: StreamAnswer,
  request: FastifyRequest,
  { clock, bounds }: ServerOptions,
): Wire {
  const accepted = request.headers['accept-encoding'];
  const { body, headers } = streamed(chunks, accepted, clock, bounds.stallMs);
  return { status, headers, contentType, body };
}

/** Answers that are still being sent when the server stops are cut off, rather than waited for. */
function endStreamsOnClose(app: FastifyInstance): void {
  const sending = new Set<Readable>();
  app.addHook('onSend', async (_request, _reply, payload) => {
    if (!(payload instanceof Readable)) return;
    sending.add(payload);
    payload.once('close', () => sending.delete(payload));
  });
  app.addHook('preClose', async () => {
    for (const stream of sending) stream.destroy(new Error('the server stops'));
  });
}

function authenticate(access: Access, request: FastifyRequest, state: StateView): Call | Refusal {
  const params = request.params as Record<string, string>;
  const scope: Scope =
    params['zone'] === undefined
      ? { kind: 'account', id: params['account'] ?? '' }
      : { kind: 'zone', id: params['zone'] };
  if (access === 'open') return callOf(request, NOBODY, OPERATOR, scope, params);
  const principal =
    access === 'forwarder' ? senderOf(state, request.headers) : principalOf(state, request.headers);
  if (principal.kind === 'refused') return principal;
  const { token } = principal;
  if (access === 'operator' && token.kind !== 'operator') {
    return refuse('permission_missing', 'Only an operator token may do this.');
  }
  if (typeof access === 'object') {
    const refused = refusedIn(state, token, access.scope, scope);
    if (refused) return refused;
  }
  return callOf(request, token, voiceOf(state, token), scope, params);
}

function callOf(
  request: FastifyRequest,
  token: TokenRecord,
  voice: Voice,
  scope: Scope,
  params: Record<string, string>,
): Call {
  const retries = Number(request.headers['x-stainless-retry-count']);
  return {
    token,
    actor: { who: token.id, address: request.ip ?? null, voice, ...insistenceOf(request.headers) },
    scope,
    params,
    path: request.url.split('?', 1)[0] ?? '',
    origin: originOf(request),
    raw: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    rawQuery: { ...(request.query as object) },
    ifNoneMatch: request.headers['if-none-match'],
    onGone(fire) {
      request.raw.socket.once('close', fire);
      return () => request.raw.socket.off('close', fire);
    },
    retries: Number.isSafeInteger(retries) && retries > 0 ? retries : 0,
  };
}

/** What stands before the path in the URL that the caller has used; a proxy says so if it spoke HTTPS with him. */
function originOf(request: FastifyRequest): string {
  const { localAddress = '', localPort } = request.socket;
  const host = /^[\w.:[\]-]{1,255}$/.test(request.host)
    ? request.host
    : `${localAddress}:${localPort}`;
  const isSecure = request.protocol === 'https' || request.headers['x-forwarded-proto'] === 'https';
  return `${isSecure ? 'https' : 'http'}://${host}`;
}

/** What Fastify could not read is the caller's; everything else is our fault, and is logged under the request's id. */
function faultOf(error: FastifyError, request: FastifyRequest, diagnostics: Diagnostics): Refusal {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return refuse('body_too_large');
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return refuse('body_invalid');
  }
  // The message of an unexpected error may hold anything; the stack's frames cannot.
  const frames = error.stack
    ?.split('\n')
    .filter((line) => line.startsWith('    at '))
    .slice(0, 8)
    .join('\n');
  diagnostics.error('a request met a fault', {
    request: request.id,
    method: request.method,
    route: request.routeOptions.url,
    fault: error.name,
    frames,
  });
  return refuse('internal');
}

function send(reply: FastifyReply, wire: Wire): FastifyReply {
  assert(wire.status >= 200, 'an answer has a final status');
  return reply
    .code(wire.status)
    .headers({ ...wire.headers, 'x-request-id': reply.request.id, 'cache-control': 'no-store' })
    .type(wire.contentType)
    .send(wire.body);
}
