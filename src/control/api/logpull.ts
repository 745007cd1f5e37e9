/** Logpull: a zone's requests by the time of their reception, and by ray id. Answers stand in no envelope. */
import { z } from 'zod';
import { readRfc3339, readUnixTime } from '../../lib/timestamp.ts';
import { limits } from '../../model/limits.ts';
import { streamKey } from '../../model/scope.ts';
import type { OutputOptions } from '../../model/snapshot.ts';
import type { PullRefused } from '../../pull/index.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import { fieldsAnswer } from './answers/logpush.ts';
import type { Context } from './context.ts';
import { wholeNumber } from './pages.ts';
import { checkOptions, fieldNames, REQUEST_LOG, requestLog } from './request-fields.ts';
import type { CheckedOptions } from './request-fields.ts';
import { route } from './route.ts';
import type { Answer, Call, Checked, Route } from './route.ts';

const READ = { scope: 'logs_read' } as const;
/** Never JSON: official clients would parse the whole of it as one value. */
const NDJSON = 'application/x-ndjson';
const JSON_TYPE = 'application/json';

/** As Logpush counts a window: both ends to the nanosecond; reception is dated to the millisecond, so the end rounds up. */
const time = z
  .string()
  .max(64)
  .transform((text, context) => {
    const moment = { seconds: 0, nanos: 0 };
    const bytes = Buffer.from(text);
    const { length } = bytes;
    if (readUnixTime(bytes, 0, length, moment) || readRfc3339(bytes, 0, length, moment)) {
      return moment.seconds * 1_000 + Math.ceil(moment.nanos / 1e6);
    }
    const message =
      'must be a time: RFC 3339, or seconds or nanoseconds since 1970 as a whole number';
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  })
  .describe('RFC 3339, or seconds or nanoseconds since 1970.');

const content = {
  fields: z
    .string()
    .max(limits.pull.fieldsBytes)
    .optional()
    .describe('Names with commas between them; the default ones when left out.'),
  timestamps: z.enum(['unixnano', 'unix', 'rfc3339']).optional().describe('unixnano by default.'),
  'CVE-2021-44228': z.enum(['true', 'false']).optional().describe('Writes `${` as `x{`.'),
};
const receivedQuery = z.strictObject({
  start: time.describe('Inclusive.'),
  end: time.describe('Exclusive.'),
  count: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
  sample: z
    .string()
    .regex(/^(?:0?\.\d{1,9}|0|1|1\.0{1,9})$/, 'must be a number above 0, at most 1')
    .transform(Number)
    .optional(),
  ...content,
});
const rayQuery = z.strictObject({
  start: time.optional().describe('Not in Logpush: only what was received from then on.'),
  end: time.optional().describe('Not in Logpush: only what was received before.'),
  ...content,
});

type Received = z.infer<typeof receivedQuery>;
type Ray = z.infer<typeof rayQuery>;

export function logpullRoutes(context: Context): readonly Route[] {
  const received = '/client/v4/zones/:zone/logs/received';
  return [
    route({
      method: 'GET',
      path: received,
      access: READ,
      answer: { contentType: NDJSON },
      help: "Streams a zone's requests that were received in a window of time.",
      query: receivedQuery,
      handle: (call) => pull(context, call),
    }),
    route({
      method: 'GET',
      path: `${received}/fields`,
      access: READ,
      answer: { contentType: JSON_TYPE, bare: fieldsAnswer },
      help: 'Lists the fields that can be pulled with what they hold, in no envelope.',
      handle() {
        const fields = requestLog(context.desk.state)?.fields ?? [];
        const named = fields.map(({ name, description }) => [name, description]);
        const body = JSON.stringify(Object.fromEntries(named));
        return { kind: 'bytes', status: 200, contentType: JSON_TYPE, body };
      },
    }),
    route({
      method: 'GET',
      path: '/client/v4/zones/:zone/logs/rayids/:ray',
      access: READ,
      answer: { contentType: NDJSON },
      help: 'Looks for the requests of a ray id, newest first.',
      query: rayQuery,
      handle: (call) => lookUp(context, call),
    }),
  ];
}

async function pull(context: Context, call: Checked<undefined, Received>): Promise<Answer> {
  const { query, scope } = call;
  const wrong = wrongWindow(query, context.clock.wallMs()) ?? overRate(context, call);
  if (wrong) return wrong;
  const options = optionsOf(context, query, query.sample);
  if (options.kind === 'refused') return options;
  const answer = await context.dataPlane.pull.received({
    stream: streamKey(scope, REQUEST_LOG),
    startMs: query.start,
    endMs: query.end,
    outputOptions: options.options,
    dataset: requestLog(context.desk.state),
    ...(query.count === undefined ? {} : { count: query.count }),
  });
  if (answer.kind !== 'lines') return refusalOf(context, call, answer);
  return { kind: 'stream', status: 200, contentType: NDJSON, chunks: answer.chunks };
}

async function lookUp(context: Context, call: Checked<undefined, Ray>): Promise<Answer> {
  const { query, scope, params } = call;
  // The data centre's code is not part of the id, but of how it is shown.
  const ray = (params['ray'] ?? '').replace(/^([0-9A-Za-z]{1,16})-[A-Z]{3}$/, '$1');
  if (!/^[0-9A-Za-z_-]{1,16}$/.test(ray)) {
    return refuse('query_invalid', 'a ray id has at most 16 letters and digits', 'ray');
  }
  if (query.start !== undefined && query.end !== undefined && query.end <= query.start) {
    return refuse('query_invalid', '`end`: must lie behind `start`', 'end');
  }
  const over = overRate(context, call);
  if (over) return over;
  const options = optionsOf(context, query, undefined);
  if (options.kind === 'refused') return options;
  const answer = await context.dataPlane.pull.ray({
    stream: streamKey(scope, REQUEST_LOG),
    ray,
    startMs: query.start ?? null,
    endMs: query.end ?? null,
    outputOptions: options.options,
    dataset: requestLog(context.desk.state),
  });
  switch (answer.kind) {
    case 'found':
      return { kind: 'bytes', status: 200, contentType: NDJSON, body: answer.lines };
    case 'unfinished': {
      // Of what was received in the same millisecond, some may not have been looked at.
      const since = new Date(answer.sinceMs + 1).toISOString();
      const message = `There is none among the requests received since ${since}, and the search has met its bound of bytes or time. \`end=${since}\` goes on from there.`;
      return refuse('search_unfinished', message);
    }
    default:
      return refusalOf(context, call, answer);
  }
}

function wrongWindow({ start, end }: Received, nowMs: number): Refusal | undefined {
  const { reachMs, settleMs, spanMs } = limits.pull;
  const wrong = (path: string, message: string): Refusal =>
    refuse('query_invalid', `\`${path}\`: ${message}`, path);
  if (end <= start) return wrong('end', 'must lie behind `start`');
  if (end - start > spanMs) return wrong('end', 'must lie at most 1 hour behind `start`');
  if (end > nowMs - settleMs) return wrong('end', 'must lie at least 1 minute back');
  if (start < nowMs - reachMs) return wrong('start', 'must lie at most 7 days back');
  return undefined;
}

function overRate({ dataPlane }: Context, { scope, token }: Call): Refusal | undefined {
  if (dataPlane.pull.admit(scope.id, token.id)) return undefined;
  const { requestsPerMinute, requestsPerMinuteOfToken } = limits.pull;
  return refuse(
    'too_many_requests',
    `Logpull takes ${requestsPerMinute} requests a minute for a zone and ${requestsPerMinuteOfToken} of a token.`,
  );
}

function optionsOf({ desk }: Context, query: Ray, sample: number | undefined): CheckedOptions {
  const dataset = requestLog(desk.state);
  const others: OutputOptions = {
    timestamp_format: query.timestamps ?? 'unixnano',
    ...(sample === undefined ? {} : { sample_rate: sample }),
    ...(query['CVE-2021-44228'] === 'true' ? { 'CVE-2021-44228': true } : {}),
  };
  const names = fieldNames(query.fields, dataset);
  const checked = checkOptions(names, others, dataset, 'query_invalid');
  if (checked.kind === 'refused' && checked.path === 'sample_rate') {
    return refuse('query_invalid', checked.message.replace('sample_rate', 'sample'), 'sample');
  }
  return checked;
}

function refusalOf({ desk, diagnostics }: Context, { scope }: Call, answer: PullRefused): Answer {
  switch (answer.kind) {
    case 'unknown': {
      const isKept =
        desk.state.zones.get(scope.id)?.retention === true ||
        desk.state.jobsOf(scope).some(({ dataset, enabled }) => enabled && dataset === REQUEST_LOG);
      if (isKept) return { kind: 'bytes', status: 200, contentType: NDJSON, body: '' };
      return refuse('lines_not_kept');
    }
    case 'gone': {
      const since = new Date(answer.sinceMs).toISOString();
      const message = `\`start\`: lines of this window are not held any more; all are from ${since} on`;
      return refuse('query_invalid', message, 'start');
    }
    case 'early':
      return refuse(
        'data_plane_silent',
        'Lines of this window may still be on their way to the disk. Ask again in a moment.',
      );
    case 'busy':
      return refuse('too_many_requests', 'As many answers are under way as the server bears.');
    case 'failed':
      diagnostics.warn('the data plane did not answer', { what: 'pull', reason: answer.detail });
      return refuse('data_plane_silent');
  }
}
