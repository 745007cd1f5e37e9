/** Recording an owner's order: durable for all of its streams that fit into one group, each record a second time at its end. */
import type { RecordResult, StreamErasure } from '../contract.ts';
import { encodeErasure } from '../format/records.codec.ts';
import type { ErasureRecord } from '../format/records.codec.ts';
import type { ShardState } from '../state/state.ts';
import type { Committer } from '../write/committer.ts';
import type { Draft, Group } from '../write/group.ts';

/** Streams in one group: some hundred kilobytes of records. */
const STREAMS = 1_000;

/**
 * Erases lines of streams. A part that was recorded before the disk refused is in force; the same order can be given again.
 * Streams that are not known, and lines that are gone already, need no record.
 */
export async function recordErasure(
  state: ShardState,
  committer: Committer,
  order: string,
  streams: readonly StreamErasure[],
): Promise<RecordResult> {
  for (let at = 0; at < streams.length; at += STREAMS) {
    const some = streams.slice(at, at + STREAMS);
    const result = await committer.record((group) => {
      const drafts = some.flatMap((one) => draftOf(state, group, order, one) ?? []);
      for (const draft of drafts) group.add(draft.record, draft.parts, draft);
      return drafts.length > 0 ? undefined : { kind: 'durable' };
    });
    if (result.kind === 'failed') return result;
  }
  return { kind: 'durable' };
}

function draftOf(
  state: ShardState,
  group: Group,
  order: string,
  { stream: key, to: wanted }: StreamErasure,
): Draft | undefined {
  const stream = state.streams.get(key);
  if (stream === undefined) return undefined;
  const to = Math.min(wanted, stream.head);
  if (to <= Math.max(stream.oldest, state.erasedTo(stream))) return undefined;
  const body: ErasureRecord = { order, stream: stream.id, to, atMs: group.wallMs };
  const record = { kind: 'erasure', serviceMs: group.serviceMs, body } as const;
  return { record, parts: [encodeErasure(group.serviceMs, body)] };
}
