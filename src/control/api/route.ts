/**
 * The API as a table: each route is data (path, who may, what it takes) with one handler. The server walks the table; a
 * description of the API can be made from it.
 */
import type { z } from 'zod';
import type { Scope } from '../../model/scope.ts';
import type { Actor } from '../desk.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { Permission, TokenRecord } from '../store/records.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Who may call a route at all. */
export type Access =
  /** Everybody: health and metrics. */
  | 'open'
  | 'operator'
  /** Every operator or account token; the handler looks at what it asks for. */
  | 'token'
  /** A token with which lines are sent, or an operator's. */
  | 'forwarder'
  /** A token that has the permission in the path's scope. */
  | { readonly scope: Permission };

/** What a handler answers with. */
export type Answer =
  | { readonly kind: 'json'; readonly status: number; readonly body: unknown }
  | {
      readonly kind: 'bytes';
      readonly status: number;
      readonly contentType: string;
      readonly body: string | Buffer;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Bytes that are sent while they are made. */
  | {
      readonly kind: 'stream';
      readonly status: number;
      readonly contentType: string;
      readonly chunks: AsyncGenerator<Buffer, void, void>;
    }
  | Refusal;

/** A request after authentication, before its body and query are looked at. */
export interface Call {
  /** Who speaks; a stand-in without rights on open routes. */
  readonly token: TokenRecord;
  readonly actor: Actor;
  /** The path's scope, on routes that have one. */
  readonly scope: Scope;
  readonly params: Readonly<Record<string, string>>;
  readonly path: string;
  /** How the caller has reached the server: `https://logs.example:4511`. */
  readonly origin: string;
  /** The body's bytes; empty when there is none. */
  readonly raw: Buffer;
  readonly rawQuery: unknown;
  /** The header of that name (RFC 9110 §13.1.2), as it came. */
  readonly ifNoneMatch: string | undefined;
  /** Calls back when the caller's connection has gone; returns the way to stop listening. */
  readonly onGone: (fire: () => void) => () => void;
  /** How often the client's library has sent this before (`x-stainless-retry-count`). */
  readonly retries: number;
}

export interface Checked<Body, Query> extends Call {
  readonly body: Body;
  readonly query: Query;
}

/**
 * What a route answers when it does what it is asked: JSON of a schema (under v4 in its envelope), bytes (with a schema where
 * they are JSON in no envelope), or nothing ever.
 */
export type AnswerForm =
  | z.ZodType
  | { readonly contentType: string; readonly bare?: z.ZodType }
  | 'never';

export interface Route {
  readonly method: Method;
  /** Fastify's form: `/v1/jobs/:job`. A scope stands as `:account` or `:zone`. */
  readonly path: string;
  readonly access: Access;
  /** One sentence for people. */
  readonly help: string;
  readonly answer: AnswerForm;
  /** Statuses of success; 200 alone when nothing is said. */
  readonly statuses: readonly number[];
  readonly body?: z.ZodType;
  readonly query?: z.ZodType;
  /** The largest body that it takes, where that is more than elsewhere. */
  readonly bodyBytes?: number;
  handle(call: Call): Promise<Answer>;
}

interface RouteInput<Body, Query> {
  readonly method: Method;
  readonly path: string;
  readonly access: Access;
  readonly help: string;
  readonly answer: AnswerForm;
  readonly statuses?: readonly number[];
  readonly body?: z.ZodType<Body>;
  readonly query?: z.ZodType<Query>;
  readonly bodyBytes?: number;
  readonly handle: (call: Checked<Body, Query>) => Promise<Answer> | Answer;
}

/** Makes a route whose handler gets its body and query checked. */
export function route<Body = undefined, Query = undefined>(input: RouteInput<Body, Query>): Route {
  const { method, path, access, help, answer, statuses = [200], body, query } = input;
  return {
    method,
    path,
    access,
    help,
    answer,
    statuses,
    ...(body ? { body } : {}),
    ...(query ? { query } : {}),
    ...(input.bodyBytes === undefined ? {} : { bodyBytes: input.bodyBytes }),
    async handle(call) {
      const checkedQuery = check(query, call.rawQuery, 'query_invalid');
      if (checkedQuery.kind === 'refused') return checkedQuery;
      let value: unknown;
      if (body) {
        const parsed = parseJson(call.raw);
        if (parsed.kind === 'refused') return parsed;
        value = parsed.value;
      }
      const checkedBody = check(body, value, 'body_invalid');
      if (checkedBody.kind === 'refused') return checkedBody;
      // Where there is no schema, the type parameter is undefined, and so is the value.
      const checked = {
        ...call,
        body: checkedBody.value as Body,
        query: checkedQuery.value as Query,
      };
      return await input.handle(checked);
    },
  };
}

/** The same route below `/accounts/:account` and `/zones/:zone`. `path` holds `{scope}` where they stand. */
export function scoped<Body = undefined, Query = undefined>(
  input: RouteInput<Body, Query>,
): readonly Route[] {
  return ['accounts/:account', 'zones/:zone'].map((scope) =>
    route({ ...input, path: input.path.replace('{scope}', scope) }),
  );
}

export function json(body: unknown, status = 200): Answer {
  return { kind: 'json', status, body };
}

type Parsed = { readonly kind: 'value'; readonly value: unknown } | Refusal;

/** Decodes a body. What is wrong with it is said in our own words: a parser's message may quote a secret. */
function parseJson(raw: Buffer): Parsed {
  if (raw.length === 0)
    return refuse('body_invalid', 'The request has no body; this path takes a JSON object.');
  try {
    return {
      kind: 'value',
      value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw)) as unknown,
    };
  } catch {
    return refuse('body_invalid', 'The body is not valid JSON in UTF-8.');
  }
}

function check(
  schema: z.ZodType | undefined,
  value: unknown,
  code: 'body_invalid' | 'query_invalid',
): Parsed {
  if (!schema) return { kind: 'value', value: undefined };
  const result = schema.safeParse(value);
  if (result.success) return { kind: 'value', value: result.data };
  return schemaRefusal(result.error, code);
}

const SHOWN = 200;

/** Says where a schema is not met and what would be right; never what was sent there. */
function schemaRefusal(error: z.ZodError, code: 'body_invalid' | 'query_invalid'): Refusal {
  const [issue] = error.issues;
  if (!issue) return refuse(code);
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    const path = [...issue.path, key.slice(0, SHOWN)].join('.');
    return refuse(code, `\`${path}\` is not known here.`, path);
  }
  const path = issue.path.join('.').slice(0, SHOWN);
  return refuse(code, path ? `\`${path}\`: ${issue.message}` : issue.message, path || undefined);
}
