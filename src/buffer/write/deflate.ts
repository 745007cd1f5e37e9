/**
 * Makes the stored form of a block: a raw deflate fragment that ends with a sync flush, so that fragments of several blocks
 * can stand one behind the other in one gzip member; as it came when deflate does not make it smaller.
 */
import { crc32 } from 'node:zlib';

import type { DeflateMany, PlainPiece } from '../../lib/deflate-many/contract.ts';
import { createDeflater, deflateHere } from '../../lib/deflater.ts';
import { Slabs } from '../../lib/slab.ts';
import type { Codec, DeflatedLines, Lines } from '../contract.ts';

/** Measured (docs/performance/whole-lines.md): within 1.25 of gzip -6 over pieces of 512 KiB, which level 2 misses, at half the CPU of 6. */
const LEVEL = 3;
/** As many as may be at work at once; each holds some 400 KiB. */
const deflater = createDeflater(LEVEL, 4);
/** What is stored stays in the tail cache, where the oldest goes first. */
const kept = new Slabs();
/** Plain bytes below which a trip to the thread pool costs more than the work itself. */
const TINY_BYTES = 4 * 1024;
/**
 * Plain bytes of a whole commit up to which it is deflated on the calling thread, in half a millisecond: all that it answers
 * would wait for the pool, and on busy cores a trip waits for a core.
 */
const SHORT_COMMIT_BYTES = 32 * 1024;
/** Plain bytes of a block up to which half of what a trip costs is the trip. */
const SMALL_BYTES = 64 * 1024;
/** Plain bytes of a request's only block up to which a trip of its own, and a commit of its own, cost half of what it costs in all. */
const MEDIUM_BYTES = 128 * 1024;
/** Plain bytes below which there is nothing to win. */
const RAW_BYTES = 256;

/** Where a block of so many plain bytes is deflated, in a commit that deflates so many in all. */
export type Where = 'here' | 'pool';

export function whereToDeflate(bytes: number, commitBytes: number): Where {
  return bytes < TINY_BYTES || isShortCommit(commitBytes) ? 'here' : 'pool';
}

export function isShortCommit(plainBytes: number): boolean {
  return plainBytes <= SHORT_COMMIT_BYTES;
}

/** Whether a block is one of those that many are deflated of for one message: a larger one is worth a trip by itself, beside others. */
export function isSmall(bytes: number): boolean {
  return bytes >= RAW_BYTES && bytes <= SMALL_BYTES;
}

/** Whether a block by itself is one of those that are deflated ahead of their commit, many for one message: a larger one is worth a trip. */
export function isMedium(bytes: number): boolean {
  return bytes <= MEDIUM_BYTES;
}

export interface Piece {
  readonly codec: Codec;
  readonly stored: Buffer;
  readonly lines: number;
  readonly plainBytes: number;
  readonly plainCrc: number;
  readonly storedCrc: number;
}

/**
 * Deflates in libuv's pool, or at once. `plain` is not kept: the result has memory of its own.
 *
 * @param plainCrc its CRC-32, where that is known
 */
export async function makePiece(
  plain: Buffer,
  lines: number,
  where: Where,
  plainCrc = crc32(plain),
): Promise<Piece> {
  const shape = { lines, plainBytes: plain.length, plainCrc };
  const packed = plain.length < RAW_BYTES ? plain : await pack(plain, where);
  if (packed.length < plain.length) {
    return { ...shape, codec: 'deflate', stored: tight(packed), storedCrc: crc32(packed) };
  }
  return { ...shape, codec: 'raw', stored: kept.copy(plain), storedCrc: plainCrc };
}

/** A request's lines as one block, as they were deflated by who sent them. */
export function deflatedPiece(lines: Lines, { fragment, crc }: DeflatedLines): Piece {
  return {
    codec: 'deflate',
    stored: fragment,
    lines: lines.ends.length,
    plainBytes: lines.bytes.length,
    plainCrc: crc,
    storedCrc: crc32(fragment),
  };
}

/**
 * The pieces that {@link makePiece} makes of these, made in another thread.
 *
 * @param plain {@link isSmall small} ones
 * @returns undefined when there is no such thread just now
 */
export async function makePieces(
  plain: readonly (PlainPiece & { readonly lines: number })[],
  deflateMany: DeflateMany,
): Promise<readonly Piece[] | undefined> {
  const deflated = await deflateMany(plain, LEVEL, keep);
  return deflated?.map(({ plainCrc, fragment }, index): Piece => {
    const { bytes, lines, parts } = plain[index]!;
    const shape = { lines, plainBytes: bytes, plainCrc };
    if (fragment !== undefined)
      return { ...shape, codec: 'deflate', stored: fragment.bytes, storedCrc: fragment.crc };
    const stored = keep(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
    return { ...shape, codec: 'raw', stored, storedCrc: plainCrc };
  });
}

const keep = (bytes: Uint8Array): Buffer => kept.copy(bytes);

async function pack(plain: Buffer, where: Where): Promise<Buffer> {
  try {
    if (where === 'pool') return await deflater.deflate(plain);
    return deflateHere(plain, LEVEL, plain.length);
  } catch {
    // zlib fails only for want of memory; then the lines are stored as they came.
    return plain;
  }
}

/** The bytes in memory of about their own size: zlib hands out views into larger pieces, and the tail cache would keep those. */
function tight(bytes: Buffer): Buffer {
  return bytes.length * 4 >= bytes.buffer.byteLength * 3 ? bytes : kept.copy(bytes);
}
