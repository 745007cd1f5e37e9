/** Who may do what: decided here alone, from the token and the state. */
import type { Scope } from '../../model/scope.ts';
import type { Refusal } from '../refusal.ts';
import { refuse } from '../refusal.ts';
import type { Permission, TokenRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import { tokenHash, tokenOf } from './tokens.ts';
import type { TokenHeaders } from './tokens.ts';

export type Principal = { readonly kind: 'principal'; readonly token: TokenRecord };

/** Who speaks. Ingest tokens open nothing here. */
export function principalOf(state: StateView, headers: TokenHeaders): Principal | Refusal {
  const sent = tokenOf(headers);
  if (sent === undefined) return refuse('token_missing');
  const token = state.token(tokenHash(sent));
  if (!token) return refuse('token_unknown');
  if (token.kind === 'ingest') {
    return refuse(
      'permission_missing',
      'An ingest token sends lines and does nothing else. Use an operator or account token.',
    );
  }
  return { kind: 'principal', token };
}

/** Who asks in the name of those who send lines: an ingest token, or an operator's. */
export function senderOf(state: StateView, headers: TokenHeaders): Principal | Refusal {
  const sent = tokenOf(headers);
  if (sent === undefined) return refuse('token_missing');
  const token = state.token(tokenHash(sent));
  if (!token) return refuse('token_unknown');
  if (token.kind === 'account') return refuse('permission_missing', 'This takes an ingest token.');
  return { kind: 'principal', token };
}

/**
 * Whether a token reaches a scope. One bound to an account reaches its zones; an operator's reaches everything.
 * A token other than the operator's is never told whether a scope that it does not reach exists.
 */
export function reaches(state: StateView, token: TokenRecord, scope: Scope): boolean {
  if (token.kind === 'operator' || token.scopes === 'all') return true;
  const account = state.accountOf(scope);
  if (account === undefined) return false;
  return token.scopes.some((bound) =>
    bound.kind === 'account'
      ? bound.id === account
      : scope.kind === 'zone' && bound.id === scope.id,
  );
}

/** Whether a token may do this in a scope, for lists that leave out what it may not see. */
export function may(
  state: StateView,
  token: TokenRecord,
  permission: Permission,
  scope: Scope,
): boolean {
  return reaches(state, token, scope) && holds(token, permission);
}

/** Undefined when the token may; otherwise why not. */
export function refusedIn(
  state: StateView,
  token: TokenRecord,
  permission: Permission,
  scope: Scope,
): Refusal | undefined {
  if (!reaches(state, token, scope)) return refuse('scope_not_allowed');
  if (state.accountOf(scope) === undefined) return refuse('scope_unknown');
  if (!holds(token, permission)) {
    return refuse(
      'permission_missing',
      `The token lacks the permission \`${permission}\`, which this needs.`,
    );
  }
  return undefined;
}

/** `logs_write` includes `logs_read`. */
function holds(token: TokenRecord, permission: Permission): boolean {
  if (token.kind === 'operator') return true;
  return (
    token.permissions.includes(permission) ||
    (permission === 'logs_read' && token.permissions.includes('logs_write'))
  );
}
