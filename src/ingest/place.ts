/** From a scope, or a routing field's value, to the stream that a token may write to. */
import { streamKey } from '../model/scope.ts';
import type { Scope, StreamKey } from '../model/scope.ts';
import type { IngestTokenConfig } from '../model/snapshot.ts';
import type { RouteTable } from '../route/index.ts';
import type { Refusal } from './refusal.ts';

/** A stream that the request's token may write to. */
export interface Place {
  readonly stream: StreamKey;
  readonly account: string;
  readonly wanted: boolean;
}

/** What a value of a routing field leads to. */
export type Found = Place | 'unknown' | 'not_allowed';

export function findPlace(
  route: RouteTable,
  token: IngestTokenConfig,
  scope: Scope,
  dataset: string,
): Place | Refusal {
  // A token that may not write there learns nothing about whether the scope exists.
  if (!route.allows(token, scope)) return { code: 'scope_not_allowed' };
  const account = route.accountOf(scope);
  if (account === undefined) return { code: 'scope_unknown' };
  const stream = streamKey(scope, dataset);
  return { stream, account, wanted: route.wanted(stream) };
}

export interface ZoneFinder {
  /** Where the values that one sender's lines hold lead, for one dataset. */
  finder(route: RouteTable, token: IngestTokenConfig, dataset: string): (value: string) => Found;
}

/**
 * Finds zones by value and remembers them for as long as the same configuration is in force: a central receiver sends the
 * same thousands of zones with each request. Values that lead nowhere are not remembered.
 *
 * @param most zones remembered, over all senders; when there are as many, all are forgotten and learned again
 */
export function zoneFinder(most: number): ZoneFinder {
  let current: RouteTable | undefined;
  let remembered = 0;
  const bySender = new Map<string, Map<string, Place>>();
  const forget = (): void => {
    bySender.clear();
    remembered = 0;
  };
  const placesOf = (sender: string): Map<string, Place> => {
    const known = bySender.get(sender);
    if (known !== undefined) return known;
    const places = new Map<string, Place>();
    bySender.set(sender, places);
    return places;
  };
  return {
    finder(route, token, dataset) {
      if (route !== current) forget();
      current = route;
      const sender = `${token.id}\0${dataset}`;
      return (value) => {
        const known = route === current ? bySender.get(sender)?.get(value) : undefined;
        if (known !== undefined) return known;
        const scope = route.zoneByValue(value);
        if (scope === undefined) return 'unknown';
        const place = findPlace(route, token, scope, dataset);
        if ('code' in place) return place.code === 'scope_not_allowed' ? 'not_allowed' : 'unknown';
        if (route !== current) return place;
        if (remembered >= most) forget();
        remembered++;
        placesOf(sender).set(value, place);
        return place;
      };
    },
  };
}
