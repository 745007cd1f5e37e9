/** Answers in the two dialects: Logpush's v4 envelope under `/client/v4`, plain objects with `{"error":…}` under `/v1`. */
import type { Readable } from 'node:stream';
import { ERRORS, errorBody } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';
import type { Refusal } from '../refusal.ts';

export type Dialect = 'v1' | 'v4';

/** An answer as it goes on the wire. */
export interface Wire {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly body: string | Buffer | Readable;
}

const JSON_TYPE = 'application/json; charset=utf-8';

export function dialectOf(path: string): Dialect {
  return path === '/client/v4' || path.startsWith('/client/v4/') ? 'v4' : 'v1';
}

/** Logpush's number for a refusal: 1000 no such job, 1002 bad input, 1004 not allowed, 1022 the guard (ours alone), 7003 no route, 10000 who are you. */
function v4Code(code: ErrorCode): number {
  switch (code) {
    case 'token_missing':
    case 'token_unknown':
    case 'scope_not_allowed':
      return 10_000;
    case 'permission_missing':
    case 'limit_reached':
      return 1004;
    case 'guard_refused':
      return 1022;
    case 'not_found':
      return 1000;
    case 'route_unknown':
    case 'method_not_allowed':
    case 'scope_unknown':
      return 7003;
    case 'internal':
    case 'store_unavailable':
    case 'control_read_only':
    case 'data_plane_silent':
      return 1001;
    default:
      return 1002;
  }
}

/** Under v4 everything that is no route answers 404; `/v1` says when only the method is wrong. */
function v4Status(code: ErrorCode): number {
  return code === 'method_not_allowed' ? 404 : ERRORS[code].status;
}

export function wireJson(dialect: Dialect, status: number, body: unknown): Wire {
  const whole = dialect === 'v4' ? { success: true, errors: [], messages: [], result: body } : body;
  return { status, headers: {}, contentType: JSON_TYPE, body: JSON.stringify(whole) };
}

export function wireRefusal(dialect: Dialect, refusal: Refusal): Wire {
  const { code, message, path, guard } = refusal;
  const headers: Record<string, string> = {};
  const status = dialect === 'v4' ? v4Status(code) : ERRORS[code].status;
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  // The SDK repeats 409 and 5xx by itself. The first cannot get better; after the second a change may have been made.
  if (status === 409 || status === 500) headers['x-should-retry'] = 'false';
  // Sent again it would be refused again: somebody has to do something first.
  if (code === 'control_read_only') headers['x-should-retry'] = 'false';
  else if (status === 503) headers['retry-after'] = '1';
  if (status === 429) headers['retry-after'] = '10';
  const body =
    dialect === 'v4'
      ? { success: false, errors: [v4Error(refusal)], messages: [], result: null }
      : errorBody(code, {
          message,
          ...(path === undefined ? {} : { path }),
          ...(guard === undefined ? {} : { guard }),
        });
  return { status, headers, contentType: JSON_TYPE, body: JSON.stringify(body) };
}

function v4Error({ code, message, path, guard }: Refusal): object {
  const text =
    code === 'route_unknown' || code === 'method_not_allowed' ? 'No route for the URI' : message;
  const source = path === undefined ? {} : { source: { pointer: `/${path.replaceAll('.', '/')}` } };
  return { code: v4Code(code), message: text, ...source, ...(guard ? { guard } : {}) };
}
