/** The two scopes of Logpush's API: a customer, and one of its sites. */
export type ScopeKind = 'account' | 'zone';

export interface Scope {
  readonly kind: ScopeKind;
  readonly id: string;
}

/** How a scope stands in a URL. */
export const SCOPE_PATH = { account: 'accounts', zone: 'zones' } as const satisfies Record<
  ScopeKind,
  string
>;

/** Ids of accounts and zones: what Logpush's clients send (32 hex digits) and what people type. */
export const SCOPE_ID = /^[A-Za-z0-9_-]{1,32}$/;

/** Names of datasets, as Logpush allows them. */
export const DATASET_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** A stream's name: all lines of one dataset of one scope, as `zones/<id>/<dataset>`. */
export type StreamKey = `${'accounts' | 'zones'}/${string}/${string}`;

/** A scope as its streams' names begin: `zones/<id>`. */
export function scopePath(scope: Scope): `${'accounts' | 'zones'}/${string}` {
  return `${SCOPE_PATH[scope.kind]}/${scope.id}`;
}

export function streamKey(scope: Scope, dataset: string): StreamKey {
  return `${scopePath(scope)}/${dataset}`;
}

/** The parts of a stream's name, or undefined when it is none. */
export function parseStreamKey(key: string): { scope: Scope; dataset: string } | undefined {
  const parts = key.split('/');
  const [path, id, dataset] = parts;
  if (parts.length !== 3 || id === undefined || dataset === undefined) return undefined;
  if (path !== 'accounts' && path !== 'zones') return undefined;
  if (!SCOPE_ID.test(id) || !DATASET_ID.test(dataset)) return undefined;
  return { scope: { kind: path === 'accounts' ? 'account' : 'zone', id }, dataset };
}
