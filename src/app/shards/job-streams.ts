import type { Snapshot } from '../../model/snapshot.ts';

let last:
  | { readonly snapshot: Snapshot; readonly streams: ReadonlyMap<number, string> }
  | undefined;

/** The stream of each job and replay of a snapshot. The newest snapshot's are kept: they are asked for again and again. */
export function jobStreams(snapshot: Snapshot): ReadonlyMap<number, string> {
  if (last?.snapshot === snapshot) return last.streams;
  const streams = new Map(
    [...snapshot.jobs, ...(snapshot.replays ?? [])].map(({ id, stream }) => [id, stream] as const),
  );
  last = { snapshot, streams };
  return streams;
}
