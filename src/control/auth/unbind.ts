import type { Scope } from '../../model/scope.ts';
import type { StateView } from '../store/state.ts';
import type { Edit } from '../store/store.ts';

/**
 * What becomes of tokens when a scope is deleted: they lose it, and go when they have no other. Otherwise a token of a
 * former customer would open the scope of a later one with the same id.
 */
export function unbind(state: StateView, gone: Scope): readonly Edit[] {
  const edits: Edit[] = [];
  for (const before of state.tokens.values()) {
    if (before.scopes === 'all') continue;
    const scopes = before.scopes.filter(({ kind, id }) => kind !== gone.kind || id !== gone.id);
    if (scopes.length === before.scopes.length) continue;
    const after = scopes.length === 0 ? null : { ...before, scopes };
    edits.push({ kind: 'token', id: before.id, before, after });
  }
  return edits;
}
