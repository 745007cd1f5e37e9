/** Retention that stopped because it would drop much: what it asks for, and an operator's answer. */
import { z } from 'zod';
import { refuse } from '../refusal.ts';
import { retentionAnswer } from './answers/server.ts';
import { ask } from './context.ts';
import type { Context } from './context.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';

const retentionBody = z.strictObject({
  lines: z
    .int()
    .min(1)
    .describe('As many lines as it asks for: what has become more meanwhile was not meant.'),
});

export function retentionRoutes(context: Context): readonly Route[] {
  const asks = (mostLines: number) =>
    ask(context, 'expire', () => context.dataPlane.lines.expire(mostLines));
  return [
    route({
      method: 'GET',
      path: '/v1/retention',
      access: 'operator',
      answer: retentionAnswer,
      help: 'Shows whether retention stopped because it would drop more than 1 % of all waiting lines.',
      async handle() {
        const asked = await asks(0);
        if (asked.kind === 'refused') return asked;
        return json({ lines: asked.value, goesOn: false });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/retention',
      access: 'operator',
      answer: retentionAnswer,
      help: 'Lets retention drop the lines that it asks for: each by waybill, as `dropped: expired`. It cannot be undone.',
      body: retentionBody,
      async handle({ actor, body }) {
        const asked = await asks(body.lines);
        if (asked.kind === 'refused') return asked;
        const lines = asked.value;
        if (lines > body.lines) {
          const text = `Retention asks for ${lines} lines by now, not ${body.lines}; nothing was dropped.`;
          return refuse('body_invalid', text, 'lines');
        }
        if (lines > 0) {
          context.diagnostics.warn('retention goes on by order', { who: actor.who, lines });
        }
        return json({ lines, goesOn: lines > 0 });
      },
    }),
  ];
}
