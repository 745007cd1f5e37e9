/** From a snapshot to what is published of it: every wanted stream, found again by account and by zone. */
import { parseStreamKey, streamKey } from '../../model/scope.ts';
import type { Scope, StreamKey } from '../../model/scope.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { EndedStream, WantedStream } from '../../model/wanted-set.ts';

/** The dataset that Logpull's flag keeps without a job. */
const PULLED = 'http_requests';

/** A name that a document can hold. */
const SAFE_NAME = /^[^\t\n\r]{1,256}$/;

export interface WantedView {
  readonly version: number;
  /** Streams and ended ones of the scopes, ordered by name. */
  of(scopes: 'all' | readonly Scope[]): {
    readonly streams: readonly WantedStream[];
    readonly ended: readonly EndedStream[];
  };
}

interface Owned {
  readonly account: string;
  readonly zone?: string;
}

/** @param endedAt when streams were last ended on purpose, by version */
export function wantedView(
  snapshot: Snapshot,
  endedAt: ReadonlyMap<StreamKey, number>,
): WantedView {
  const zones = new Map(snapshot.zones.map((zone) => [zone.id, zone]));
  const byStream = new Map<StreamKey, WantedStream>();
  const ownerOf = (scope: Scope): Owned | undefined => {
    if (scope.kind === 'account') return { account: scope.id };
    const zone = zones.get(scope.id);
    if (zone === undefined) return undefined;
    return { account: zone.account, ...(SAFE_NAME.test(zone.name) ? { zone: zone.name } : {}) };
  };
  const add = (stream: StreamKey, scope: Scope): void => {
    const owner = ownerOf(scope);
    if (owner !== undefined) byStream.set(stream, { stream, ...owner });
  };
  for (const job of snapshot.jobs) if (job.enabled) add(job.stream, job.scope);
  for (const { id, retention } of snapshot.zones) {
    const scope: Scope = { kind: 'zone', id };
    if (retention) add(streamKey(scope, PULLED), scope);
  }
  const streams = [...byStream.values()].toSorted(byName);
  const ended = [...endedAt]
    .filter(([stream]) => !byStream.has(stream))
    .map(([stream, version]) => ({ stream, version }))
    .toSorted(byName);
  // A zone that is gone has no account any more: what ended with it is told to those who see everything.
  const within = (scopes: readonly Scope[]) => {
    const ids = new Set(scopes.map(({ kind, id }) => `${kind} ${id}`));
    return (stream: StreamKey, account: string | undefined): boolean => {
      const scope = parseStreamKey(stream)?.scope;
      return (
        (scope !== undefined && ids.has(`${scope.kind} ${scope.id}`)) ||
        (account !== undefined && ids.has(`account ${account}`))
      );
    };
  };
  return {
    version: snapshot.version,
    of(scopes) {
      if (scopes === 'all') return { streams, ended };
      const sees = within(scopes);
      return {
        streams: streams.filter(({ stream, account }) => sees(stream, account)),
        ended: ended.filter(({ stream }) =>
          sees(stream, ownerOf(parseStreamKey(stream)!.scope)?.account),
        ),
      };
    },
  };
}

function byName(a: { readonly stream: string }, b: { readonly stream: string }): number {
  return a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : 0;
}
