/** As whom a change is made: the guard judges by it. */
import type { TokenRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import type { VoiceKind } from '../store/store.ts';

export type Voice =
  /** A customer, on what belongs to his one account. */
  | { readonly kind: Extract<VoiceKind, 'customer'>; readonly account: string }
  /** One change of an operator's, or of a token that reaches several accounts. */
  | { readonly kind: Extract<VoiceKind, 'operator'> }
  /** Many changes at once: apply, import, roll-back, the store read again. */
  | { readonly kind: Extract<VoiceKind, 'document'> };

export const OPERATOR: Voice = { kind: 'operator' };
export const DOCUMENT: Voice = { kind: 'document' };

/**
 * As whom a token speaks. An account token speaks for a customer only as long as all that it reaches belongs to one account:
 * one bound to many accounts can do as much harm as an operator's, and is judged like it.
 */
export function voiceOf(state: StateView, token: TokenRecord): Voice {
  if (token.kind !== 'account' || token.scopes === 'all') return OPERATOR;
  const accounts = new Set(token.scopes.map((scope) => state.accountOf(scope)));
  const [account] = accounts;
  return accounts.size === 1 && account !== undefined ? { kind: 'customer', account } : OPERATOR;
}
