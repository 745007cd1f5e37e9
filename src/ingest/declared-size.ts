/**
 * How many plain bytes a compressed body says it holds: gzip in its trailer (ISIZE, RFC 1952 §2.3.1), zstd in its frame's header
 * (Frame_Content_Size, RFC 8878 §3.1.1.1.4).
 *
 * A hint and no more: of several members it is one's size, and who lies only has larger or smaller buffers. With an output buffer
 * of the right size zlib writes straight into it, in one trip to the thread pool: 0.7 CPU s/GB of plain bytes where buffers of
 * 16 to 256 KiB take 1.8 (docs/performance/compressed.md).
 */
const ZSTD_MAGIC = 0xfd2fb528;
/** Bytes of the field by its flag; of flag 0 there is one byte in frames of a single segment, and none in others. */
const ZSTD_SIZE_BYTES = [0, 2, 4, 8] as const;
const ZSTD_DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const GZIP_BYTES_MIN = 18;

/** @returns undefined when it does not say, or is no such body */
export function declaredBytes(coding: 'gzip' | 'zstd', body: Buffer): number | undefined {
  return coding === 'gzip' ? gzipBytes(body) : zstdBytes(body);
}

function gzipBytes(body: Buffer): number | undefined {
  return body.length < GZIP_BYTES_MIN ? undefined : body.readUInt32LE(body.length - 4);
}

function zstdBytes(body: Buffer): number | undefined {
  if (body.length < 6 || body.readUInt32LE(0) !== ZSTD_MAGIC) return undefined;
  const descriptor = body[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const flag = descriptor >> 6;
  const bytes = flag === 0 && isSingleSegment ? 1 : ZSTD_SIZE_BYTES[flag]!;
  const at = 5 + (isSingleSegment ? 0 : 1) + ZSTD_DICTIONARY_BYTES[descriptor & 3]!;
  if (bytes === 0 || at + bytes > body.length) return undefined;
  if (bytes === 8) return Number(body.readBigUInt64LE(at));
  // The two-byte form has no use for what fits one byte, and begins above it.
  return body.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0);
}
