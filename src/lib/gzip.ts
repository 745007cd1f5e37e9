/**
 * Gzip put together from separately deflated fragments, so that bytes are compressed once and copied ever after.
 *
 * A fragment is raw deflate (RFC 1951) made with an empty window and ended by a sync flush: it closes on a byte boundary
 * and none of its blocks is the final one. So fragments can stand one after the other; an empty final block ends them, and
 * header, combined CRC-32 and length make it one standard member (RFC 1952).
 */
import zlib from 'node:zlib';
import { combineCrc32 } from './crc32.ts';
import { deflateHere } from './deflater.ts';
import type { Deflater } from './deflater.ts';

/** A stretch of plain bytes, deflated on its own. */
export interface Fragment {
  /** Raw deflate, ended by a sync flush. */
  readonly bytes: Buffer;
  /** CRC-32 (IEEE) of the plain bytes. */
  readonly plainCrc: number;
  readonly plainBytes: number;
}

/** One gzip member, in parts so that nothing needs copying. */
export interface GzipMember {
  readonly parts: readonly Buffer[];
  readonly bytes: number;
  readonly plainBytes: number;
}

/** RFC 1952 §2.3: magic, deflate, no flags, no time, no extra flags, OS unknown (255), so that it tells nothing of the machine. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);

/** An empty final block with fixed codes (RFC 1951 §3.2.6): bits 1, 01, 0000000, padded to two bytes. */
const FINAL_BLOCK = [3, 0] as const;

/** What a sync flush leaves at the end: an empty stored block's length and its complement (RFC 1951 §3.2.4). */
const SYNC_FLUSH = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/** Whether bytes end as a fragment must. A necessary sign, not a proof. */
export function endsAsFragment(bytes: Buffer): boolean {
  return (
    bytes.length >= SYNC_FLUSH.length &&
    bytes.subarray(bytes.length - SYNC_FLUSH.length).equals(SYNC_FLUSH)
  );
}

/** Deflates plain bytes into a fragment, on the thread pool. */
export async function deflateFragment(plain: Buffer, deflater: Deflater): Promise<Fragment> {
  const plainCrc = zlib.crc32(plain);
  return { bytes: await deflater.deflate(plain), plainCrc, plainBytes: plain.length };
}

/** The same on the calling thread, for one that has nothing else to do. */
export function deflateFragmentHere(plain: Buffer, level: number): Fragment {
  return {
    bytes: deflateHere(plain, level, plain.length),
    plainCrc: zlib.crc32(plain),
    plainBytes: plain.length,
  };
}

/** Puts fragments together as one gzip member whose content is their plain bytes, one after the other. */
export function stitchGzip(fragments: readonly Fragment[]): GzipMember {
  const parts: Buffer[] = [HEADER];
  let bytes = HEADER.length;
  let plainBytes = 0;
  let crc = 0;
  for (const fragment of fragments) {
    parts.push(fragment.bytes);
    bytes += fragment.bytes.length;
    plainBytes += fragment.plainBytes;
    crc = combineCrc32(crc, fragment.plainCrc, fragment.plainBytes);
  }
  const trailer = Buffer.alloc(FINAL_BLOCK.length + 8);
  trailer.set(FINAL_BLOCK);
  trailer.writeUInt32LE(crc, FINAL_BLOCK.length);
  // ISIZE is the length modulo 2^32.
  trailer.writeUInt32LE(plainBytes % 2 ** 32, FINAL_BLOCK.length + 4);
  parts.push(trailer);
  return { parts, bytes: bytes + trailer.length, plainBytes };
}
