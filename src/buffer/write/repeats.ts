/**
 * Is this request a repeat? Answered before anything is stored: from what is durable, and from what is under way.
 */
import { crc32 } from 'node:zlib';

import { nextTurn } from '../gate.ts';
import type { AppendRequest, AppendResult, RequestIdentity } from '../contract.ts';
import type { StoredRequest } from '../state/keys.ts';
import type { ShardState } from '../state/state.ts';

/** Bytes whose CRC is computed in one turn. */
const TURN_BYTES = 4 << 20;

/** CRC-32 of bytes of any length, without a long turn. */
export async function crcOf(bytes: Buffer): Promise<number> {
  let crc = 0;
  for (let at = 0; at < bytes.length; at += TURN_BYTES) {
    if (at > 0) await nextTurn();
    crc = crc32(bytes.subarray(at, at + TURN_BYTES), crc);
  }
  return crc;
}

/** The identity as a key of a map. A key's hash names the stream already, a producer's sequence does not. */
export function identityName(stream: string, identity: RequestIdentity): string {
  if (identity.kind === 'key') return identity.hash.toString('latin1', 0, 16);
  return `${stream} ${identity.producer.toString(36)} ${identity.epoch} ${identity.sequence}`;
}

/** The answer to a request that was stored before; undefined when it was not. */
export async function answerRepeat(
  state: ShardState,
  request: AppendRequest,
  serviceMs: number,
): Promise<AppendResult | undefined> {
  const { identity } = request;
  if (identity === undefined) return undefined;
  const stream = state.streams.get(request.stream);
  if (identity.kind === 'key') {
    const stored = state.keys.find(identity.hash, serviceMs);
    return stored && compare(state, stored, request);
  }
  if (stream === undefined) return undefined;
  const seen = state.producers.find(stream.id, identity);
  switch (seen.kind) {
    case 'new':
      return undefined;
    case 'stored':
      return compare(state, seen.request, request);
    case 'forgotten':
      // Stored for certain, but where is not remembered any more: an empty range says so.
      return { kind: 'stored', epoch: stream.epoch, range: { from: 0, to: 0 }, repeat: true };
    case 'stale':
      return { kind: 'key_conflict' };
  }
}

async function compare(
  state: ShardState,
  stored: StoredRequest,
  { lines }: AppendRequest,
): Promise<AppendResult> {
  const stream = state.streamsById.get(stored.stream);
  const same =
    stream !== undefined &&
    stored.bytes === lines.bytes.length &&
    stored.lines === lines.ends.length &&
    stored.crc === (await crcOf(lines.bytes));
  if (!same) return { kind: 'key_conflict' };
  const range = { from: stored.first, to: stored.first + stored.lines };
  return { kind: 'stored', epoch: stream.epoch, range, repeat: true };
}
