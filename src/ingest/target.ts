/** Reads a request's path and query: where its lines are to go. */
import { SCOPE_PATH } from '../model/scope.ts';
import type { Scope } from '../model/scope.ts';
import type { Refusal } from './refusal.ts';

/** What a request asks for, before anything of it has been looked up. */
export interface Target {
  readonly dataset: string;
  /** One scope for all lines, or the name of the field whose value tells each line's zone. */
  readonly to:
    | { readonly kind: 'scope'; readonly scope: Scope }
    | { readonly kind: 'by'; readonly field: string };
  /** Keep bad lines apart instead of refusing the body (`?invalid=quarantine`). */
  readonly quarantine: boolean;
}

const PREFIX = '/v1/ingest/';
const FIELD_BYTES_MAX = 256;

/** @returns the target, or why there is none */
export function readTarget(method: string, url: string): Target | Refusal {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const parts = path.startsWith(PREFIX) ? path.slice(PREFIX.length).split('/') : [];
  if ((parts.length !== 1 && parts.length !== 3) || parts.includes('')) {
    return {
      code: 'route_unknown',
      detail:
        'Lines go to /v1/ingest/{accounts|zones}/{id}/{dataset} or /v1/ingest/{dataset}?by={field}.',
    };
  }
  const scope = parts.length === 3 ? readScope(parts[0]!, parts[1]!) : undefined;
  if (parts.length === 3 && scope === undefined) {
    return { code: 'route_unknown', detail: 'A scope is `accounts` or `zones`.' };
  }
  if (method !== 'POST') return { code: 'method_not_allowed', detail: 'Send lines with POST.' };
  const query = readQuery(mark < 0 ? '' : url.slice(mark + 1));
  if ('code' in query) return query;
  const quarantine = query.invalid !== undefined;
  if (scope !== undefined) {
    if (query.by !== undefined) {
      return badQuery('by', '`by` has no place where the path names the scope.');
    }
    return { dataset: parts[2]!, to: { kind: 'scope', scope }, quarantine };
  }
  if (query.by === undefined) {
    return badQuery(
      'by',
      'Without a scope in the path, `by` must name the field that tells the zone.',
    );
  }
  return { dataset: parts[0]!, to: { kind: 'by', field: query.by }, quarantine };
}

function readScope(path: string, id: string): Scope | undefined {
  if (path === SCOPE_PATH.account) return { kind: 'account', id };
  if (path === SCOPE_PATH.zone) return { kind: 'zone', id };
  return undefined;
}

interface Query {
  by?: string;
  invalid?: 'quarantine';
}

function readQuery(text: string): Query | Refusal {
  const query: Query = {};
  if (text === '') return query;
  for (const [name, value] of new URLSearchParams(text)) {
    if (name !== 'by' && name !== 'invalid') {
      return { code: 'query_invalid', detail: 'Known ones are `by` and `invalid`.' };
    }
    if (query[name] !== undefined) return badQuery(name, `\`${name}\` stands more than once.`);
    if (name === 'by') {
      if (value === '' || Buffer.byteLength(value) > FIELD_BYTES_MAX) {
        return badQuery('by', `\`by\` takes the name of a field, 1 to ${FIELD_BYTES_MAX} bytes.`);
      }
      query.by = value;
    } else {
      if (value !== 'quarantine') return badQuery('invalid', '`invalid` takes `quarantine` only.');
      query.invalid = value;
    }
  }
  return query;
}

function badQuery(path: string, detail: string): Refusal {
  return { code: 'query_invalid', path, detail };
}
