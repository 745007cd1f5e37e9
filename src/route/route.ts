import type { TurnSlices } from '../lib/turn-slices.ts';
import type { DatasetConfig, IngestTokenConfig, Snapshot, ZoneConfig } from '../model/snapshot.ts';
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
  for (const zone of snapshot.zones) if (zone.retention) yield pulledStream(zone);
}

function pulledStream({ id }: ZoneConfig): StreamKey {
  return streamKey({ kind: 'zone', id }, PULLED_DATASET);
}

function* each<Item>(items: readonly Item[], take: (item: Item) => void): Generator<void> {
  for (const [index, item] of items.entries()) {
    take(item);
    if (index % OBJECTS_A_STEP === OBJECTS_A_STEP - 1) yield;
  }
}

/** Makes the table of a snapshot at once, in O(size of the snapshot). */
export function routeTable(snapshot: Snapshot): RouteTable {
  const making = makeTable(snapshot);
  for (;;) {
    const step = making.next();
    if (step.done) return step.value;
  }
}

/** The same in short turns: a snapshot may have hundreds of thousands of objects. */
export async function routeTableInTurns(
  snapshot: Snapshot,
  slices: Pick<TurnSlices, 'isDue' | 'next'>,
): Promise<RouteTable> {
  const making = makeTable(snapshot);
  for (;;) {
    const step = making.next();
    if (step.done) return step.value;
    if (slices.isDue()) await slices.next();
  }
}

/** Objects that are taken in between two places at which others may be let in. */
const OBJECTS_A_STEP = 100;

/** Yields where others may be let in. */
function* makeTable(snapshot: Snapshot): Generator<void, RouteTable, void> {
  const tokens = new Map<string, IngestTokenConfig>();
  const accounts = new Set<string>();
  const zones = new Map<string, ZoneConfig>();
  const zonesByName = new Map<string, ZoneConfig>();
  const datasets = new Map<string, DatasetConfig>();
  const wanted = new Set<string>();
  yield* each(snapshot.tokens, (token) => tokens.set(token.hash, token));
  yield* each(snapshot.accounts, ({ id }) => accounts.add(id));
  yield* each(snapshot.zones, (zone) => {
    zones.set(zone.id, zone);
    zonesByName.set(zone.name, zone);
    if (zone.retention) wanted.add(pulledStream(zone));
  });
  yield* each(snapshot.datasets, (dataset) =>
    datasets.set(`${dataset.scope}/${dataset.id}`, dataset),
  );
  yield* each(snapshot.jobs, ({ enabled, stream }) => enabled && wanted.add(stream));

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
