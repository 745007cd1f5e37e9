import type { DatasetConfig, IngestTokenConfig, Snapshot } from '../model/snapshot.ts';
import { streamKey } from '../model/scope.ts';
import type { Scope, StreamKey } from '../model/scope.ts';

/** What Logpull's flag keeps of a zone, as with Logpush. */
const PULLED_DATASET = 'http_requests';

/** What ingest asks of the configuration in force. Built once per snapshot, then only read. */
export interface RouteTable {
  readonly version: number;
  /** @param hash hex SHA-256 of the token as sent */
  token(hash: string): IngestTokenConfig | undefined;
  /** Whether the token may send for the scope; one that is bound to an account may send for its zones. */
  allows(token: IngestTokenConfig, scope: Scope): boolean;
  /** The account that a scope belongs to (itself, for an account); undefined when the scope is not known. */
  accountOf(scope: Scope): string | undefined;
  /** A zone by its id or, failing that, by its name: what the field of `?by=` holds. */
  zoneByValue(value: string): Scope | undefined;
  dataset(id: string, kind: Scope['kind']): DatasetConfig | undefined;
  /** Whether an enabled job wants the stream's lines, or Logpull's flag of its zone. */
  wanted(stream: StreamKey): boolean;
}

/** All streams that a snapshot speaks of: those of its jobs, switched off or not, of replays, and of Logpull's flag. */
export function* streamsOf(snapshot: Snapshot): Generator<string> {
  for (const { stream } of snapshot.jobs) yield stream;
  for (const { stream } of snapshot.replays ?? []) yield stream;
  yield* pulledStreams(snapshot);
}

function* pulledStreams({ zones }: Snapshot): Generator<string> {
  for (const { id, retention } of zones) {
    if (retention) yield streamKey({ kind: 'zone', id }, PULLED_DATASET);
  }
}

/** Makes the table of a snapshot, in O(size of the snapshot). */
export function routeTable(snapshot: Snapshot): RouteTable {
  const tokens = new Map(snapshot.tokens.map((token) => [token.hash, token]));
  const accounts = new Set(snapshot.accounts.map((account) => account.id));
  const zones = new Map(snapshot.zones.map((zone) => [zone.id, zone]));
  const zonesByName = new Map(snapshot.zones.map((zone) => [zone.name, zone]));
  const datasets = new Map(
    snapshot.datasets.map((dataset) => [`${dataset.scope}/${dataset.id}`, dataset]),
  );
  const wanted = new Set<string>();
  for (const job of snapshot.jobs) if (job.enabled) wanted.add(job.stream);
  for (const stream of pulledStreams(snapshot)) wanted.add(stream);

  const accountOf = (scope: Scope): string | undefined => {
    if (scope.kind === 'zone') return zones.get(scope.id)?.account;
    return accounts.has(scope.id) ? scope.id : undefined;
  };
  return {
    version: snapshot.version,
    token: (hash) => tokens.get(hash),
    allows(token, scope) {
      if (token.scopes === 'all') return true;
      const account = accountOf(scope);
      return token.scopes.some((allowed) =>
        allowed.kind === 'account'
          ? allowed.id === account
          : scope.kind === 'zone' && allowed.id === scope.id,
      );
    },
    accountOf,
    zoneByValue(value) {
      const zone = zones.get(value) ?? zonesByName.get(value);
      return zone && { kind: 'zone', id: zone.id };
    },
    dataset: (id, kind) => datasets.get(`${kind}/${id}`),
    wanted: (stream) => wanted.has(stream),
  };
}
