/**
 * Takes the compression off a body at once, on the calling thread.
 *
 * A body of 1 MiB takes a millisecond. By way of the thread pool it takes as long there, and beside it a stream, two switches of
 * threads and a wait for a core: where a shard has two cores its thread has that millisecond. The gzip trailer's CRC-32 is not
 * looked at here: lines are summed anyway when they become blocks, and those sums say whether it holds ({@link file://./proof.ts}).
 *
 * What gzip's sender has deflated is kept, made a fragment that can be stored as it is. That fragment is what is inflated here: the
 * sender's own checksum says whether it holds the lines.
 *
 * What is unusual in any way (several members or frames, fields in gzip's header, a size that is not so, damage) is left to
 * {@link file://./decompress.ts decompress}, which knows what to say of it.
 */
import { constants, inflateRawSync, zstdDecompressSync } from 'node:zlib';
import type { InflateRaw, ZstdDecompress } from 'node:zlib';
import { openEnded } from '../lib/deflate-stream/open-ended.ts';

/** Decompressors of zstd must hold the frame's window: 8 MiB, the largest that its levels up to 19 ask for. */
export const ZSTD_WINDOW_LOG = 23;

const GZIP_HEADER_BYTES = 10;
const GZIP_TRAILER_BYTES = 8;
/** ID1, ID2, deflate, and no field that is optional. */
const GZIP_PLAIN_HEADER = 0x1f8b0800;
/** XFL (RFC 1952 §2.3.1): where it says that its sender was in haste, deflating again makes a body of lines a quarter smaller and more. */
const GZIP_XFL_AT = 8;
const GZIP_FASTEST = 4;
/** Smaller ones share blocks, for which their lines are deflated together. */
const FRAGMENT_BYTES_MIN = 32 * 1024;

export interface InflatedHere {
  readonly plain: Buffer;
  /** CRC-32 that the plain bytes must have, which nobody has looked at yet. */
  readonly crc?: number;
  /** All of the plain bytes as a raw deflate fragment ended by a sync flush, in memory of its own. */
  readonly fragment?: Buffer;
}

/** With `info` they answer this, which Node's types do not know. */
interface WithEngine {
  readonly buffer: Buffer;
  readonly engine: InflateRaw | ZstdDecompress;
}

/**
 * Whether a gzip body, if it is nothing unusual, is small enough as it was deflated.
 *
 * @param start of the body, its header at least
 * @param packedBytes of all of it
 * @param plainBytes that it says to hold
 */
export function isWorthKeeping(start: Buffer, packedBytes: number, plainBytes: number): boolean {
  if (plainBytes < FRAGMENT_BYTES_MIN || packedBytes * 2 > plainBytes) return false;
  return start.length > GZIP_XFL_AT && start[GZIP_XFL_AT] !== GZIP_FASTEST;
}

/**
 * @param bufferBytes more than what it says to hold: a full buffer looks unfinished
 * @param keeps whether a {@link InflatedHere.fragment fragment} is made of it as well
 * @returns undefined when it is for the long way to say what becomes of it
 */
export function inflateHere(
  coding: 'gzip' | 'zstd',
  body: Buffer,
  bufferBytes: number,
  keeps: boolean,
): InflatedHere | undefined {
  try {
    if (coding === 'gzip') return gunzipHere(body, bufferBytes, keeps);
    return unzstdHere(body, bufferBytes);
  } catch {
    return undefined;
  }
}

function gunzipHere(body: Buffer, bufferBytes: number, keeps: boolean): InflatedHere | undefined {
  const trailerAt = body.length - GZIP_TRAILER_BYTES;
  if (trailerAt < GZIP_HEADER_BYTES || body.readUInt32BE(0) !== GZIP_PLAIN_HEADER) return undefined;
  const packed = body.subarray(GZIP_HEADER_BYTES, trailerAt);
  const crc = body.readUInt32LE(trailerAt);
  const bytes = body.readUInt32LE(trailerAt + 4);
  const fragment = keeps ? openEnded(packed, bytes) : undefined;
  const shape = {
    chunkSize: bufferBytes,
    maxOutputLength: bufferBytes,
    info: true,
    ...(fragment && { finishFlush: constants.Z_SYNC_FLUSH }),
  };
  const input = fragment ?? packed;
  const { buffer, engine } = inflateRawSync(input, shape) as unknown as WithEngine;
  if (engine.bytesWritten !== input.length || buffer.length !== bytes) return undefined;
  return { plain: buffer, crc, ...(fragment && { fragment }) };
}

function unzstdHere(body: Buffer, bufferBytes: number): InflatedHere | undefined {
  const { buffer, engine } = zstdDecompressSync(body, {
    chunkSize: bufferBytes,
    maxOutputLength: bufferBytes,
    params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG },
    info: true,
  }) as unknown as WithEngine;
  return engine.bytesWritten === body.length ? { plain: buffer } : undefined;
}
