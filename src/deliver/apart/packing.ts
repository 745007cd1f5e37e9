/** Bytes on their way from one thread to another: put together in memory that can move, and taken apart again. */
import type { Codec, ReadBlocks, StoredBlock } from '../../buffer/index.ts';
import { unreachable } from '../../lib/assert.ts';
import { giveBackMemory } from '../../lib/give-back.ts';
import type { ReceiverDescription } from '../contract.ts';
import type { MalformedLine } from '../encode-block.ts';
import type { Prepared, PreparedBatch } from '../prepare.ts';
import type { PackedBatch, PackedBlocks, PackedPrepared } from './messages.ts';

const CODECS: readonly Codec[] = ['raw', 'deflate', 'zstd'];
/** Numbers of a block: its range, reception, plain and stored bytes, codec, CRC-32 of the plain bytes, and how many bytes came along. */
const COLUMNS = 8;

/** Blocks may be in the cache of the newest ones, or share memory with others: theirs stays, a copy moves. */
export function packBlocks(blocks: readonly StoredBlock[]): PackedBlocks {
  const { bytes } = joined(blocks.map(({ stored }) => stored));
  const columns = new Float64Array(blocks.length * COLUMNS);
  for (let index = 0; index < blocks.length; index += 1) {
    const { range, receivedMs, plainBytes, storedBytes, codec, plainCrc, stored } = blocks[index]!;
    const at = index * COLUMNS;
    columns[at] = range.from;
    columns[at + 1] = range.to;
    columns[at + 2] = receivedMs;
    columns[at + 3] = plainBytes;
    columns[at + 4] = storedBytes;
    columns[at + 5] = CODECS.indexOf(codec);
    columns[at + 6] = plainCrc;
    columns[at + 7] = stored.length;
  }
  return { kind: 'packed', bytes, columns };
}

export function unpackBlocks({
  bytes,
  columns,
}: PackedBlocks): Extract<ReadBlocks, { kind: 'blocks' }> {
  const blocks: StoredBlock[] = [];
  let from = 0;
  for (let at = 0; at < columns.length; at += COLUMNS) {
    const length = columns[at + 7]!;
    blocks.push({
      range: { from: columns[at]!, to: columns[at + 1]! },
      receivedMs: columns[at + 2]!,
      plainBytes: columns[at + 3]!,
      storedBytes: columns[at + 4]!,
      codec: CODECS[columns[at + 5]!]!,
      plainCrc: columns[at + 6]!,
      stored: Buffer.from(bytes, from, length),
    });
    from += length;
  }
  return { kind: 'blocks', blocks, giveBack: () => giveBackMemory(bytes) };
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
