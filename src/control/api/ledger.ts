/** What became of an account's or zone's lines: books, usage, and lines that were kept apart. */
import { z } from 'zod';
import type { KeptLine } from '../../ledger/index.ts';
import { parseStreamKey } from '../../model/scope.ts';
import { refuse } from '../refusal.ts';
import { ask, reachOf } from './context.ts';
import { keptLineAnswer, scopeLedgerAnswer, usageAnswer } from './answers/books.ts';
import { page } from './answers/shapes.ts';
import type { Context } from './context.ts';
import { limitQuery, wholeNumber } from './pages.ts';
import { json, scoped } from './route.ts';
import type { Answer, Call, Route } from './route.ts';

const READ = { scope: 'logs_read' } as const;
const DAY_HOURS = 24;
const MOST_DAYS = 90;

/** How far back; hours are listed newest first. */
export const hoursQuery = z.strictObject({
  hours: wholeNumber(1, MOST_DAYS * DAY_HOURS).default(DAY_HOURS),
});
const usageQuery = z.strictObject({ days: wholeNumber(1, MOST_DAYS).default(30) });
const keptQuery = z.strictObject({
  limit: limitQuery,
  after: wholeNumber(0, Number.MAX_SAFE_INTEGER).default(0),
});

export function ledgerRoutes(context: Context): readonly Route[] {
  const { desk, dataPlane } = context;
  return [
    ...scoped({
      method: 'GET',
      path: '/v1/{scope}/ledger',
      access: READ,
      answer: scopeLedgerAnswer,
      help: 'Shows the books of an account (with its zones) or zone, per hour and in total.',
      query: hoursQuery,
      async handle({ scope, query }) {
        const reach = reachOf(desk.state, scope);
        const ledger = await ask(context, 'scopeLedger', () =>
          dataPlane.scopeLedger(reach, query.hours),
        );
        return ledger.kind === 'refused' ? ledger : json(ledger.value);
      },
    }),
    ...scoped({
      method: 'GET',
      path: '/v1/{scope}/usage',
      access: READ,
      answer: usageAnswer,
      help: 'Shows lines and bytes per UTC day.',
      query: usageQuery,
      async handle({ scope, query }) {
        const reach = reachOf(desk.state, scope);
        const usage = await ask(context, 'usage', () => dataPlane.usage(reach, query.days));
        if (usage.kind === 'refused') return usage;
        return json({ account: desk.state.accountOf(scope) ?? null, scope, days: usage.value });
      },
    }),
    ...scoped({
      method: 'GET',
      path: '/v1/{scope}/kept-lines',
      access: READ,
      answer: page('lines', keptLineAnswer, z.int()),
      help: 'Lists lines that were kept apart: quarantined, malformed or rejected by the destination.',
      query: keptQuery,
      async handle({ scope, query }) {
        const { scopes } = reachOf(desk.state, scope);
        const { limit, after } = query;
        const kept = await ask(context, 'keptLines', () =>
          dataPlane.keptLines({ scopes, afterId: after, limit }),
        );
        if (kept.kind === 'refused') return kept;
        const last = kept.value.at(-1);
        return json({
          lines: kept.value.map(showKept),
          next: last && kept.value.length === limit ? last.id : null,
        });
      },
    }),
    ...scoped({
      method: 'GET',
      path: '/v1/{scope}/kept-lines/:line',
      access: READ,
      answer: { contentType: 'application/octet-stream' },
      help: 'Fetches one line that was kept apart, byte for byte.',
      handle: (call) => fetchKept(context, call),
    }),
  ];
}

async function fetchKept(context: Context, call: Call): Promise<Answer> {
  const text = call.params['line'] ?? '';
  if (!/^[1-9]\d{0,14}$/.test(text)) return refuse('not_found');
  const asked = await ask(context, 'keptLine', () => context.dataPlane.keptLine(Number(text)));
  if (asked.kind === 'refused') return asked;
  const kept = asked.value;
  const owner = kept && parseStreamKey(kept.stream)?.scope;
  const { scopes } = reachOf(context.desk.state, call.scope);
  if (!kept || !owner || !scopes.some(({ kind, id }) => kind === owner.kind && id === owner.id))
    return refuse('not_found');
  // Never as JSON: the line may be anything.
  return {
    kind: 'bytes',
    status: 200,
    contentType: 'application/octet-stream',
    body: Buffer.from(kept.bytes),
  };
}

function showKept({ id, stream, reason, job, offset, detail, atMs, bytes }: KeptLine): object {
  return {
    id,
    stream,
    reason,
    job,
    offset,
    detail,
    at: new Date(atMs).toISOString(),
    bytes: bytes.length,
  };
}
