/**
 * One string for each text. A message between threads brings a string of its own for each place that it stands in: of 100,000
 * jobs the ids of account, zone and dataset, three or four times each, are 15 MB of a shard's heap.
 */
import type { Snapshot } from '../../model/snapshot.ts';

/** What repeats from object to object. Names, addresses and what a customer wrote stand once anyway. */
const REPEATED = new Set(['id', 'account', 'dataset', 'kind', 'stream', 'filter']);

/** Puts the strings of a snapshot that came in a message together. It is changed in place: nobody else may have it yet. */
export function shareTexts(snapshot: Snapshot): void {
  const known = new Map<string, string>();
  const share = (object: Record<string, unknown>): void => {
    for (const name of Object.keys(object)) {
      const value = object[name];
      if (typeof value === 'string') {
        if (!REPEATED.has(name)) continue;
        const first = known.get(value);
        if (first === undefined) known.set(value, value);
        else object[name] = first;
      } else if (name === 'scope') share(value as Record<string, unknown>);
    }
  };
  const { accounts, zones, jobs, replays = [] } = snapshot;
  for (const objects of [accounts, zones, jobs, replays]) {
    for (const object of objects) share(object as unknown as Record<string, unknown>);
  }
}
