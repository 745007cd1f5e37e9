/** Bytes on their way from one thread to another: put together in memory that can move, and taken apart again. */
import type { ReadBlocks, StoredBlock } from '../../buffer/index.ts';
import { unreachable } from '../../lib/assert.ts';
import { giveBackMemory } from '../../lib/give-back.ts';
import type { ReceiverDescription } from '../contract.ts';
import type { MalformedLine } from '../encode-block.ts';
import type { Prepared, PreparedBatch } from '../prepare.ts';
import type { PackedBatch, PackedBlocks, PackedPrepared } from './messages.ts';

/** Blocks may be in the cache of the newest ones, or share memory with others: theirs stays, a copy moves. */
export function packBlocks(blocks: readonly StoredBlock[]): PackedBlocks {
  const { bytes } = joined(blocks.map(({ stored }) => stored));
  return {
    kind: 'packed',
    bytes,
    blocks: blocks.map(({ stored, ...block }) => ({ ...block, length: stored.length })),
  };
}

export function unpackBlocks({
  bytes,
  blocks,
}: PackedBlocks): Extract<ReadBlocks, { kind: 'blocks' }> {
  let at = 0;
  const unpacked = blocks.map(({ length, ...block }) => {
    at += length;
    return { ...block, stored: Buffer.from(bytes, at - length, length) };
  });
  return { kind: 'blocks', blocks: unpacked, giveBack: () => giveBackMemory(bytes) };
}

export function packBatch({ member, receiver: _, giveBack, ...batch }: PreparedBatch): PackedBatch {
  const { bytes, ends } = joined(member.parts);
  giveBack?.();
  return { ...batch, body: bytes, ends, plainBytes: member.plainBytes };
}

/** @param receiver the very one that the batch was ordered for: whoever sends it compares */
export function unpack(
  packed: PackedPrepared,
  receiver: ReceiverDescription | undefined,
): Prepared {
  switch (packed.kind) {
    case 'failed':
      return packed;
    case 'nothing':
      return { ...packed, malformed: asBuffers(packed.malformed) };
    case 'batch':
      return { ...unpackBatch(packed, receiver), malformed: asBuffers(packed.malformed) };
    default:
      return unreachable(packed);
  }
}

/** A Buffer that was cloned is a Buffer no more. */
function asBuffers(lines: readonly MalformedLine[]): readonly MalformedLine[] {
  return lines.map(({ offset, bytes }) => ({
    offset,
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  }));
}

function unpackBatch(
  { body, ends, plainBytes, ...batch }: PackedBatch,
  receiver: ReceiverDescription | undefined,
): PreparedBatch {
  const parts = ends.map((end, index) => {
    const from = ends[index - 1] ?? 0;
    return Buffer.from(body, from, end - from);
  });
  const member = { parts, bytes: body.byteLength, plainBytes };
  return { ...batch, receiver, member, giveBack: () => giveBackMemory(body) };
}

function joined(parts: readonly Buffer[]): {
  readonly bytes: ArrayBuffer;
  readonly ends: readonly number[];
} {
  const bytes = new ArrayBuffer(parts.reduce((sum, part) => sum + part.length, 0));
  const target = new Uint8Array(bytes);
  let at = 0;
  const ends = parts.map((part) => {
    target.set(part, at);
    return (at += part.length);
  });
  return { bytes, ends };
}
