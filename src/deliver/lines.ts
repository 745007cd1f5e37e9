/** Finding lines in a block's plain bytes, each ended by one newline. */
import type { Range } from '../model/delivery.ts';

const NEWLINE = 0x0a;

/** The place behind the `count`-th newline after `at`, or undefined when there are fewer. */
export function skipLines(plain: Buffer, at: number, count: number): number | undefined {
  let place = at;
  for (let left = count; left > 0; left--) {
    const newline = plain.indexOf(NEWLINE, place);
    if (newline < 0) return undefined;
    place = newline + 1;
  }
  return place;
}

/**
 * The bytes of a range of lines.
 *
 * @param first the offset of the block's first line
 * @returns undefined when the block does not hold so many lines
 */
export function cutLines(plain: Buffer, first: number, range: Range): Buffer | undefined {
  const from = skipLines(plain, 0, range.from - first);
  if (from === undefined) return undefined;
  const to = skipLines(plain, from, range.to - range.from);
  return to === undefined ? undefined : plain.subarray(from, to);
}

/** Whether plain bytes are the lines of these blocks, one behind the other, and each has as many as it says. */
export function areWholeBlocks(
  plain: Buffer,
  blocks: readonly { readonly range: Range; readonly plainBytes: number }[],
): boolean {
  let at = 0;
  for (const { range, plainBytes } of blocks) {
    if (skipLines(plain, at, range.to - range.from) !== at + plainBytes) return false;
    at += plainBytes;
  }
  return at === plain.length;
}

/** A run of whole lines that is handed on in one turn. */
export interface Slice {
  readonly bytes: Buffer;
  readonly range: Range;
}

/**
 * Cuts lines into slices of about `sliceBytes` at line ends.
 *
 * @param plain exactly the lines of `range`
 */
export function* sliceLines(plain: Buffer, range: Range, sliceBytes: number): Generator<Slice> {
  let start = 0;
  let from = range.from;
  let place = 0;
  for (let offset = range.from; offset < range.to; offset++) {
    place = plain.indexOf(NEWLINE, place) + 1;
    if (place - start < sliceBytes && offset + 1 < range.to) continue;
    yield { bytes: plain.subarray(start, place), range: { from, to: offset + 1 } };
    start = place;
    from = offset + 1;
  }
}
