/**
 * Many small pieces deflated by another thread, for one message there and one back.
 *
 * Each trip through libuv's pool costs the calling thread as much as a third of deflating a few kilobytes does, and as much again in the pool.
 * A commit of many streams has hundreds of such pieces.
 */

/** A piece, which may lie in several places. */
export interface PlainPiece {
  readonly parts: readonly Uint8Array[];
  /** Of all parts. */
  readonly bytes: number;
}

export interface DeflatedPiece {
  /** CRC-32 of the plain bytes. */
  readonly plainCrc: number;
  /** As a {@link file://../deflater.ts Deflater} makes it; undefined when it would not be smaller. */
  readonly fragment: { readonly bytes: Buffer; readonly crc: number } | undefined;
}

/**
 * Deflates pieces, each by itself. They are copied at once, so nothing of them is held.
 *
 * @param level zlib's, 1 to 9
 * @param keep copies a fragment to where it stays
 * @returns undefined when there is no thread for it just now, or it ended meanwhile: then nothing has happened
 */
export type DeflateMany = (
  pieces: readonly PlainPiece[],
  level: number,
  keep: (fragment: Uint8Array) => Buffer,
) => Promise<readonly DeflatedPiece[] | undefined>;
