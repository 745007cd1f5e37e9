/**
 * Takes a body's Content-Encoding off: gzip (RFC 1952, several members allowed) or zstd (RFC 8878, several frames allowed).
 *
 * The output is bounded in bytes and charged as it grows, so that a decompression bomb costs its sender's share and nothing
 * else. Every byte of the input must belong to the compressed data: padding and garbage behind it are refused as broken,
 * because what they hide may have been lines.
 */
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import type { Gunzip, ZstdDecompress } from 'node:zlib';
import type { Lease } from './memory.ts';
import { Pieces } from './pieces.ts';
import { outOfMemory } from './refusal.ts';
import type { Refusal } from './refusal.ts';

export type Coding = 'identity' | 'gzip' | 'zstd';

const PIECE_BYTES_MIN = 16 * 1024;
const PIECE_BYTES_MAX = 256 * 1024;
/** How much smaller log lines usually get. Only guides the size of buffers. */
const USUAL_RATIO = 8;
/** Decompressors of zstd must hold the frame's window: 8 MiB, the largest that its levels up to 19 ask for. */
const ZSTD_WINDOW_LOG = 23;
/** Frames in a zstd body: each costs a decompressor of its own when several stand in one piece. */
const ZSTD_FRAMES_MAX = 1_000;

/** @param header `Content-Encoding` as it came */
export function readCoding(header: string | undefined): Coding | Refusal {
  switch (header?.trim().toLowerCase() ?? '') {
    case '':
    case 'identity':
      return 'identity';
    case 'gzip':
      return 'gzip';
    case 'zstd':
      return 'zstd';
    default:
      return { code: 'encoding_unknown', path: 'Content-Encoding' };
  }
}

/** How one compressed stream ended; `rest` is input that it did not take. */
type StreamEnd =
  | { readonly kind: 'done'; readonly rest: Buffer | undefined }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

const BROKEN: Refusal = { code: 'encoding_broken', path: 'Content-Encoding' };

/**
 * Decompresses a whole body.
 *
 * @param lease holds the compressed bytes; they are given back as they are used up, and the plain ones charged instead
 * @param plainBytes the most that may come out
 */
export async function decompress(
  body: Pieces,
  coding: 'gzip' | 'zstd',
  lease: Lease,
  plainBytes: number,
): Promise<Pieces | Refusal> {
  const plain = new Pieces();
  const expectedBytes = body.bytes * USUAL_RATIO;
  const pieceBytes = Math.min(PIECE_BYTES_MAX, Math.max(PIECE_BYTES_MIN, expectedBytes));
  const input = body.take();
  if (input.length === 0) return BROKEN;
  let frames = 0;
  while (input.length > 0) {
    if (++frames > ZSTD_FRAMES_MAX) return BROKEN;
    const stream = open(coding, pieceBytes);
    const takePiece = (piece: Buffer): Refusal | undefined => {
      if (plain.bytes + piece.length > plainBytes) return plainTooLarge(plainBytes);
      const verdict = lease.grow(piece.length);
      if (verdict !== 'ok') return outOfMemory(verdict);
      // A piece that fills little of the buffer behind it would pin more than is charged for it.
      plain.push(piece.length * 2 < pieceBytes ? Buffer.from(piece) : piece);
      return undefined;
    };
    const end = await runStream(stream, input, (bytes) => lease.shrink(bytes), takePiece);
    if (end.kind === 'refused') return end.refusal;
    if (end.rest === undefined) continue;
    if (coding === 'gzip') return BROKEN;
    input.unshift(end.rest);
  }
  return plain;
}

export function plainTooLarge(plainBytes: number): Refusal {
  return { code: 'decompressed_too_large', detail: `At most ${plainBytes} bytes are taken.` };
}

function open(coding: 'gzip' | 'zstd', chunkSize: number): Gunzip | ZstdDecompress {
  if (coding === 'gzip') return createGunzip({ chunkSize });
  const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG };
  return createZstdDecompress({ chunkSize, params });
}

/**
 * Feeds `input` piece by piece to one decompressor, until it ends or breaks or its output is refused.
 *
 * @param used is told how many bytes of the input are done with
 * @param takePiece takes a piece of output, or says why not
 */
function runStream(
  stream: Gunzip | ZstdDecompress,
  input: Buffer[],
  used: (bytes: number) => void,
  takePiece: (piece: Buffer) => Refusal | undefined,
): Promise<StreamEnd> {
  const { promise, resolve } = Promise.withResolvers<StreamEnd>();
  let current: Buffer | undefined;
  let fedBytes = 0;
  let usedBytes = 0;
  const settle = (end: StreamEnd): void => {
    stream.destroy();
    resolve(end);
  };
  const feed = (): void => {
    current = input.shift();
    if (current === undefined) {
      stream.end();
      return;
    }
    fedBytes += current.length;
    stream.write(current, (error) => {
      if (error) return;
      const newBytes = stream.bytesWritten - usedBytes;
      usedBytes += newBytes;
      used(newBytes);
      // Input that is left over means that the stream has ended: `end` follows.
      if (usedBytes === fedBytes) feed();
    });
  };
  stream.on('data', (piece: Buffer) => {
    const refusal = takePiece(piece);
    if (refusal !== undefined) settle({ kind: 'refused', refusal });
  });
  stream.on('error', () => settle({ kind: 'refused', refusal: BROKEN }));
  stream.on('end', () => {
    const leftBytes = fedBytes - stream.bytesWritten;
    const rest = leftBytes === 0 ? undefined : current?.subarray(current.length - leftBytes);
    settle({ kind: 'done', rest });
  });
  feed();
  return promise;
}
