/** `GET /v1/wanted`: the wanted set, by long poll. */
import { z } from 'zod';
import { refuse } from '../refusal.ts';
import type { Context } from './context.ts';
import { route } from './route.ts';
import type { Route } from './route.ts';

const stream = z.object({ stream: z.string(), account: z.string(), zone: z.string().optional() });

const wantedAnswer = z.object({
  format: z.literal('waybill-wanted/1'),
  version: z.int(),
  count: z.int(),
  streams: z.array(stream),
  ended: z.array(z.object({ stream: z.string(), version: z.int() })),
  checksum: z.string(),
  seal: z.string(),
});

const query = z.strictObject({
  wait: z
    .string()
    .regex(/^\d{1,3}$/, 'must be a whole number of seconds')
    .optional()
    .describe(
      'How many seconds to wait for another set than the one in `If-None-Match`, up to 300.',
    ),
});

export function wantedRoutes({ wanted }: Context): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/wanted',
      access: 'forwarder',
      answer: { contentType: 'application/json', bare: wantedAnswer },
      statuses: [200, 304],
      query,
      help: 'Which streams somebody wants, of those that the token may send to; sealed for this token. `If-None-Match` asks for another one than is known.',
      async handle(call) {
        const tag = /^(?:W\/)?"([0-9a-f]{64})"$/.exec(call.ifNoneMatch ?? '')?.[1];
        const waitMs = Number(call.query.wait ?? 0) * 1000;
        const { token, onGone } = call;
        const reply = await wanted.answer({ token, tag, waitMs, onGone });
        if (reply.kind === 'not_yet') return refuse('data_plane_silent');
        const headers = { etag: `"${reply.tag}"` };
        const contentType = 'application/json; charset=utf-8';
        return reply.kind === 'unchanged'
          ? { kind: 'bytes', status: 304, contentType: 'text/plain', body: '', headers }
          : { kind: 'bytes', status: 200, contentType, body: reply.text, headers };
      },
    }),
  ];
}
