/** What ingest asks of a forwarder's configuration: the wanted set, or that there is none yet. */
import { DATASET_ID, SCOPE_ID, parseStreamKey, scopePath } from '../model/scope.ts';
import type { Scope, StreamKey } from '../model/scope.ts';
import type { WantedSet } from '../model/wanted-set.ts';
import type { RouteTable } from '../route/index.ts';

/** Stands for every zone that nobody wants: their lines are counted together, in fixed memory. */
const NOBODYS: Scope = { kind: 'zone', id: '-' };

/** @param tokens hex SHA-256 of the tokens that producers may send; undefined: none is asked for */
export function forwardRoute(
  set: WantedSet | undefined,
  tokens: ReadonlySet<string> | undefined,
): RouteTable {
  const accounts = new Map<string, string>();
  const wanted = new Set<StreamKey>();
  const zones = new Map<string, Scope>();
  for (const { stream, account, zone } of set?.streams ?? []) {
    const scope = parseStreamKey(stream)?.scope;
    if (scope === undefined) continue;
    wanted.add(stream);
    accounts.set(scopePath(scope), account);
    if (scope.kind !== 'zone') continue;
    zones.set(scope.id, scope);
    if (zone !== undefined && !zones.has(zone)) zones.set(zone, scope);
  }
  return {
    version: set?.version ?? 0,
    token: (hash) =>
      tokens === undefined || tokens.has(hash)
        ? { id: 'producer', hash, scopes: 'all' }
        : undefined,
    allows: () => true,
    accountOf: (scope) =>
      accounts.get(scopePath(scope)) ?? (SCOPE_ID.test(scope.id) ? scopePath(scope) : undefined),
    zoneByValue: (value) => zones.get(value) ?? (set === undefined ? undefined : NOBODYS),
    // Which datasets there are, and how they are checked, is the receiver's to say.
    dataset: (id, kind) =>
      DATASET_ID.test(id) ? { id, scope: kind, fields: [], strict: false } : undefined,
    // Without a set neither all nor nothing is wanted: what comes is spooled, and waits for one.
    wanted: (stream) =>
      set === undefined ? parseStreamKey(stream) !== undefined : wanted.has(stream),
  };
}
