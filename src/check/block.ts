/** A block's lines, brought back and compared with everything that its header says of them. */
import { constants, crc32, inflateRawSync, zstdDecompressSync } from 'node:zlib';

import type { Block } from './record.ts';

const NEWLINE = 10;
/** No block holds more lines: nobody inflates on a header's word alone. */
const PLAIN_BYTES_MAX = 1_310_720;

/** What is wrong with the block's lines; undefined when they are those that were accepted. */
export function wrongWith(block: Block): string | undefined {
  if (crc32(block.stored) !== block.storedCrc) return "its stored bytes' CRC-32 differs";
  if (block.plainBytes > PLAIN_BYTES_MAX) return 'its header promises more than a block holds';
  const plain = plainOf(block);
  if (plain === undefined) return 'its stored bytes cannot be decompressed';
  if (plain.length !== block.plainBytes) {
    return `it holds ${plain.length} bytes, its header says ${block.plainBytes}`;
  }
  if (crc32(plain) !== block.plainCrc) return "its lines' CRC-32 differs";
  const lines = newlines(plain);
  if (lines !== block.lines) return `it holds ${lines} lines, its header says ${block.lines}`;
  if (plain.at(-1) !== NEWLINE) return 'its last line has no end';
  return undefined;
}

/** The plain bytes of its lines; undefined when they cannot be brought back. */
export function plainOf({ codec, stored, plainBytes }: Block): Buffer | undefined {
  // One byte of room, so that more than was promised shows without being made.
  const maxOutputLength = plainBytes + 1;
  try {
    if (codec === 0) return stored;
    if (codec === 1) {
      return inflateRawSync(stored, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength });
    }
    return codec === 2 ? zstdDecompressSync(stored, { maxOutputLength }) : undefined;
  } catch {
    return undefined;
  }
}

function newlines(plain: Buffer): number {
  let lines = 0;
  for (let at = plain.indexOf(NEWLINE); at >= 0; at = plain.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}
