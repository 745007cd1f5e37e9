/** Whose business a change is: the scopes whose owners may see it in the change log. */
import { scopePath } from '../model/scope.ts';
import type { Scope } from '../model/scope.ts';
import type { StateView } from './store/state.ts';
import type { Edit } from './store/store.ts';

/**
 * The scopes that an edit concerns: what belongs to a zone concerns its account as well. Datasets, staged documents, and tokens
 * that are bound to nothing, are operators' business.
 */
export function concernsOf(state: StateView, edit: Edit): readonly string[] {
  switch (edit.kind) {
    case 'account':
      return withAccount({ kind: 'account', id: edit.id }, edit.id);
    case 'zone':
      return withAccount({ kind: 'zone', id: edit.id }, (edit.after ?? edit.before)?.account);
    case 'deleted_job': {
      const scope = (edit.after ?? edit.before)?.job.scope;
      return scope ? withAccount(scope, state.accountOf(scope)) : [];
    }
    case 'job':
    case 'replay':
    case 'erasure': {
      const scope = (edit.after ?? edit.before)?.scope;
      return scope ? withAccount(scope, state.accountOf(scope)) : [];
    }
    case 'token': {
      const bound = [edit.before, edit.after].flatMap((token) =>
        token === null || token.scopes === 'all' ? [] : token.scopes,
      );
      return [...new Set(bound.flatMap((scope) => withAccount(scope, state.accountOf(scope))))];
    }
    case 'dataset':
    case 'stage':
      return [];
  }
}

function withAccount(scope: Scope, account: string | undefined): readonly string[] {
  const own = scopePath(scope);
  return scope.kind === 'account' || account === undefined
    ? [own]
    : [own, scopePath({ kind: 'account', id: account })];
}
