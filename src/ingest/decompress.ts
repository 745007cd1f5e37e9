/**
 * Takes a body's Content-Encoding off: gzip (RFC 1952, several members allowed) or zstd (RFC 8878, several frames allowed).
 *
 * The output is bounded in bytes and charged as it grows, so that a decompression bomb costs its sender's share and nothing
 * else. Every byte of the input must belong to the compressed data: padding and garbage behind it are refused as broken,
 * because what they hide may have been lines.
 */
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import type { Gunzip, ZstdDecompress } from 'node:zlib';
import { declaredBytes } from './declared-size.ts';
import type { Lease } from './memory.ts';
import { inflateHere, isWorthKeeping, ZSTD_WINDOW_LOG } from './inflate-here.ts';
import { giveBack } from '../lib/give-back.ts';
import { Pieces } from './pieces.ts';
import { outOfMemory } from './refusal.ts';
import type { Refusal } from './refusal.ts';

export type Coding = 'identity' | 'gzip' | 'zstd';

const PIECE_BYTES_MIN = 16 * 1024;
const PIECE_BYTES_MAX = 256 * 1024;
/** How much smaller log lines usually get. Only guides the size of buffers. */
const USUAL_RATIO = 8;
/** Plain bytes up to which a body that says its size comes out in one piece, and how much its buffer is larger: a full one looks unfinished. */
const WHOLE_BYTES_MAX = 4 * 1024 * 1024;
export const WHOLE_SLACK_BYTES = 16;
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

export const BROKEN: Refusal = { code: 'encoding_broken', path: 'Content-Encoding' };

export interface Decompressed {
  readonly plain: Pieces;
  /** CRC-32 that the plain bytes must have, which nobody has looked at yet. Absent: nothing is left to look at. */
  readonly crc?: number;
  /** The same bytes as a deflate fragment that can be stored as it is. */
  readonly fragment?: Buffer;
}

export interface Here {
  /** Bodies up to this many plain bytes are decompressed on this thread. */
  readonly mostBytes: number;
  /** The same of gzip bodies that can be stored as they were deflated; 0: nobody would store this one so. */
  readonly deflatedBytes: number;
  /** Does a piece of work when it is its turn; undefined: it has been done. */
  readonly inTurn: (work: () => void) => Promise<void> | undefined;
}

/**
 * Decompresses a whole body.
 *
 * @param lease holds the compressed bytes; they are given back as they are used up, and the plain ones charged instead
 * @param plainBytes the most that may come out
 * @param here absent: all is done in the thread pool
 */
export async function decompress(
  body: Pieces,
  coding: 'gzip' | 'zstd',
  lease: Lease,
  plainBytes: number,
  here?: Here,
): Promise<Decompressed | Refusal> {
  const plain = new Pieces();
  const packedBytes = body.bytes;
  const expectedBytes = packedBytes * USUAL_RATIO;
  let pieceBytes = Math.min(PIECE_BYTES_MAX, Math.max(PIECE_BYTES_MIN, expectedBytes));
  const input = body.take();
  if (input.length === 0) return BROKEN;
  const wholeBytes = sizeOfWhole(coding, input, Math.min(plainBytes, WHOLE_BYTES_MAX));
  let chargedBytes = 0;
  const keeps = here !== undefined && isKept(here, coding, input[0]!, packedBytes, wholeBytes);
  const mayBeHere = keeps || (here !== undefined && isForHere(here, packedBytes, wholeBytes));
  if ((mayBeHere || wholeBytes > pieceBytes) && lease.grow(wholeBytes) === 'ok') {
    chargedBytes = wholeBytes;
    pieceBytes = Math.max(pieceBytes, wholeBytes);
    joinInput(input);
  }
  const [packed] = input;
  if (mayBeHere && packed && chargedBytes > 0) {
    const inflated = await inTurn(here, () => inflateHere(coding, packed, wholeBytes, keeps));
    if (inflated) {
      lease.shrink(packed.length + chargedBytes - inflated.plain.length);
      giveBack(packed);
      plain.push(inflated.plain);
      return { ...inflated, plain };
    }
  }
  let frames = 0;
  while (input.length > 0) {
    if (++frames > ZSTD_FRAMES_MAX) return BROKEN;
    const bufferBytes = pieceBytes;
    // All input of the first frame is there: that it ended is known when it has been written.
    const isWhole = chargedBytes > 0 && frames === 1;
    const stream = open(coding, bufferBytes, isWhole);
    const takePiece = (piece: Buffer): Refusal | undefined => {
      if (plain.bytes + piece.length > plainBytes) return plainTooLarge(plainBytes);
      const more = Math.max(0, plain.bytes + piece.length - chargedBytes);
      const verdict = lease.grow(more);
      if (verdict !== 'ok') return outOfMemory(verdict);
      chargedBytes += more;
      // A piece that fills little of the buffer behind it would pin more than is charged for it.
      plain.push(piece.length * 2 < bufferBytes ? Buffer.from(piece) : piece);
      return undefined;
    };
    // What a body says is said of its first frame.
    pieceBytes = Math.min(pieceBytes, PIECE_BYTES_MAX);
    const used = (bytes: number): void => lease.shrink(bytes);
    const end = await runStream(stream, input, isWhole, used, takePiece);
    if (end.kind === 'refused') return end.refusal;
    if (end.rest === undefined) continue;
    if (coding === 'gzip') return BROKEN;
    input.unshift(end.rest);
  }
  lease.shrink(chargedBytes - plain.bytes);
  return { plain };
}

function isKept(
  { deflatedBytes }: Here,
  coding: 'gzip' | 'zstd',
  start: Buffer,
  packedBytes: number,
  wholeBytes: number,
): boolean {
  const plainBytes = wholeBytes - WHOLE_SLACK_BYTES;
  if (coding !== 'gzip' || plainBytes > deflatedBytes) return false;
  return isWorthKeeping(start, packedBytes, plainBytes);
}

/** Nor may much be read for little: empty blocks cost time and give nothing. */
function isForHere({ mostBytes }: Here, packedBytes: number, wholeBytes: number): boolean {
  if (wholeBytes === 0 || packedBytes > wholeBytes) return false;
  return wholeBytes <= mostBytes + WHOLE_SLACK_BYTES;
}

async function inTurn<T>(here: Here, work: () => T): Promise<T> {
  let result: T;
  await here.inTurn(() => (result = work()));
  return result!;
}

/** Bytes of the buffer into which a body goes that says how large it is; 0 when it does not, or says more than `mostBytes`. */
function sizeOfWhole(coding: 'gzip' | 'zstd', input: readonly Buffer[], mostBytes: number): number {
  // Where it stands: at the end, or at the beginning.
  const where = coding === 'gzip' ? input.at(-1) : input[0];
  const bytes = (where && declaredBytes(coding, where)) ?? 0;
  return bytes > mostBytes ? 0 : bytes + WHOLE_SLACK_BYTES;
}

/** One piece in place of several: each would be a trip to the thread pool. */
function joinInput(input: Buffer[]): void {
  if (input.length < 2) return;
  const joined = Buffer.concat(input);
  for (const piece of input.splice(0)) giveBack(piece);
  input.push(joined);
}

export function plainTooLarge(plainBytes: number): Refusal {
  return { code: 'decompressed_too_large', detail: `At most ${plainBytes} bytes are taken.` };
}

/** @param isWhole all input comes in one write, and what does not end with it is broken */
function open(
  coding: 'gzip' | 'zstd',
  chunkSize: number,
  isWhole: boolean,
): Gunzip | ZstdDecompress {
  if (coding === 'gzip') {
    return createGunzip({ chunkSize, ...(isWhole && { flush: constants.Z_FINISH }) });
  }
  const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG };
  return createZstdDecompress({
    chunkSize,
    params,
    ...(isWhole && { flush: constants.ZSTD_e_end }),
  });
}

/**
 * Feeds `input` piece by piece to one decompressor, until it ends or breaks or its output is refused.
 *
 * @param isWhole the input is one piece, and the stream ends with it: no further trip to the thread pool has to ask
 * @param used is told how many bytes of the input are done with
 * @param takePiece takes a piece of output, or says why not
 */
function runStream(
  stream: Gunzip | ZstdDecompress,
  input: Buffer[],
  isWhole: boolean,
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
  const finish = (): void => {
    const leftBytes = fedBytes - stream.bytesWritten;
    const rest = leftBytes === 0 ? undefined : current?.subarray(current.length - leftBytes);
    settle({ kind: 'done', rest });
  };
  const feed = (): void => {
    current = input.shift();
    if (current === undefined) {
      if (isWhole) finish();
      else stream.end();
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
  stream.on('end', finish);
  feed();
  return promise;
}
