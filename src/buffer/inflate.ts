/**
 * From stored bytes back to plain lines. Whoever wants a block's lines (deliver, tools) goes through here, so that no
 * byte is ever handed on without its CRC-32 having been looked at (I10).
 */
import { promisify } from 'node:util';
import {
  constants,
  crc32,
  inflateRaw,
  inflateRawSync,
  zstdDecompress,
  zstdDecompressSync,
} from 'node:zlib';

import type { StoredBlock } from './contract.ts';

const inflate = promisify(inflateRaw);
const unzstd = promisify(zstdDecompress);
/** Plain bytes below which a thread's round trip costs more than the work itself: some 50 microseconds of it. */
const INLINE_BYTES = 16 * 1024;

/** A block whose bytes are not what its header says. The caller treats its lines as `corrupt`. */
export class BlockDamaged extends Error {
  override readonly name = 'BlockDamaged';
}

/** What of a block is needed to inflate it. */
export type InflatableBlock = Pick<StoredBlock, 'codec' | 'stored' | 'plainBytes' | 'plainCrc'>;

/**
 * The block's plain bytes: every line ended by one newline.
 *
 * @returns for codec `raw` the stored bytes themselves, which may be shared: never write into them
 * @throws {BlockDamaged} when the bytes do not inflate, or not to the length and CRC-32 of the header
 */
export async function inflateBlock(block: InflatableBlock): Promise<Buffer> {
  return checked(block, block.plainBytes < INLINE_BYTES ? expandHere(block) : await expand(block));
}

/** The same on the calling thread, for one that has nothing else to do. */
export function inflateBlockHere(block: InflatableBlock): Buffer {
  return checked(block, expandHere(block));
}

function checked(block: InflatableBlock, plain: Buffer): Buffer {
  if (plain.length !== block.plainBytes) {
    throw new BlockDamaged(`${plain.length} plain bytes instead of ${block.plainBytes}`);
  }
  if (crc32(plain) !== block.plainCrc) throw new BlockDamaged('CRC-32 of the plain bytes differs');
  return plain;
}

async function expand(block: InflatableBlock): Promise<Buffer> {
  const { codec, stored } = block;
  try {
    switch (codec) {
      case 'raw':
        return stored;
      case 'deflate':
        return await inflate(stored, inflateOptions(block));
      case 'zstd':
        return await unzstd(stored, { maxOutputLength: mostBytes(block) });
    }
  } catch (error) {
    throw damaged(error);
  }
}

function expandHere(block: InflatableBlock): Buffer {
  const { codec, stored } = block;
  try {
    switch (codec) {
      case 'raw':
        return stored;
      case 'deflate':
        return inflateRawSync(stored, inflateOptions(block));
      case 'zstd':
        return zstdDecompressSync(stored, { maxOutputLength: mostBytes(block) });
    }
  } catch (error) {
    throw damaged(error);
  }
}

/** One byte more than promised is enough to see that a block lies about its length. */
function mostBytes({ plainBytes }: InflatableBlock): number {
  return plainBytes + 1;
}

function inflateOptions(block: InflatableBlock) {
  const maxOutputLength = mostBytes(block);
  return {
    // The fragment ends with a sync flush and not with a final block: that is no error here.
    finishFlush: constants.Z_SYNC_FLUSH,
    chunkSize: Math.max(64, maxOutputLength),
    maxOutputLength,
  };
}

function damaged(error: unknown): BlockDamaged {
  return new BlockDamaged(
    `does not inflate: ${error instanceof Error ? error.message : 'unknown'}`,
  );
}
