/**
 * Raw deflate fragments, each ended by a sync flush (RFC 1951 §3.2.4: an empty stored block on a byte boundary), so that
 * fragments made apart can stand one behind the other in one gzip member.
 *
 * Compressors are kept and reset between fragments. Making one costs 260 KiB of memory to get, clear and give back each time:
 * measured over 512 KiB pieces, keeping them saves a tenth of the CPU and half of the time on the calling thread; over 9 KB half
 * of the CPU and two thirds of the time on the calling thread.
 *
 * Each write is flushed by itself, so that a fragment is one trip to the thread pool and not two.
 *
 * A kept compressor may encode the same bytes a little differently (6 of 6,000 fragments of 35 KB, by some bytes): zlib's window still
 * holds what went through it before, which the search for matches may look at. What is read back is the same.
 */
import { constants, createDeflateRaw, deflateRawSync } from 'node:zlib';
import type { DeflateRaw } from 'node:zlib';

export interface Deflater {
  /** The fragment of `plain`, in memory of its own. Rejects when zlib is out of memory. */
  deflate(plain: Buffer): Promise<Buffer>;
}

const CHUNK_BYTES = 1 << 17;
const LEAST_CHUNK_BYTES = 1 << 10;

/**
 * @param level zlib's, 1 to 9
 * @param most compressors kept; more may be at work at once, and are let go afterwards
 */
export function createDeflater(level: number, most: number): Deflater {
  const idle: Compressor[] = [];
  return {
    async deflate(plain) {
      const compressor = idle.pop() ?? new Compressor(level);
      const fragment = await compressor.run(plain);
      // One that failed is not used again.
      if (idle.length < most) idle.push(compressor);
      else compressor.close();
      return fragment;
    },
  };
}

/**
 * What a {@link Deflater} makes, at once and on the calling thread.
 *
 * @param expectedBytes memory that is set aside for the fragment at first
 */
export function deflateHere(plain: Buffer, level: number, expectedBytes = CHUNK_BYTES): Buffer {
  const chunkSize = Math.max(expectedBytes, LEAST_CHUNK_BYTES);
  return deflateRawSync(plain, { level, finishFlush: constants.Z_SYNC_FLUSH, chunkSize });
}

class Compressor {
  readonly #stream: DeflateRaw;
  #pieces: Buffer[] = [];
  #fail: (error: Error) => void = () => {};

  constructor(level: number) {
    const flush = constants.Z_SYNC_FLUSH;
    this.#stream = createDeflateRaw({ level, flush, chunkSize: CHUNK_BYTES });
    this.#stream.on('data', (piece: Buffer) => this.#pieces.push(piece));
    this.#stream.on('error', (error) => this.#fail(error));
  }

  run(plain: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#stream.write(plain, (error) => {
        if (error) return reject(error);
        const pieces = this.#pieces;
        this.#pieces = [];
        // The next fragment must not refer back into this one: each is read by itself.
        this.#stream.reset();
        resolve(joined(pieces));
      });
    });
  }

  close(): void {
    this.#stream.close();
  }
}

/**
 * Pieces are views into zlib's output buffers: joined, they have memory of their own. A buffer that they have filled is given back
 * at once: as garbage these were as much again as the fragments, and whole heaps are marked for every few dozen of them.
 */
function joined(pieces: readonly Buffer[]): Buffer {
  const fragment = Buffer.concat(pieces);
  // zlib goes on in the last one's buffer, and has let go of those before.
  const going = pieces.at(-1)?.buffer;
  for (const { buffer } of pieces) {
    if (buffer !== going && buffer instanceof ArrayBuffer && buffer.byteLength === CHUNK_BYTES)
      buffer.transfer(0);
  }
  return fragment;
}
