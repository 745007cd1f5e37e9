import { crc32 } from 'node:zlib';

import type { Cut, Lines, SummedCut } from '../contract.ts';

/**
 * Cuts a request at line ends into pieces of about equal size, none above the bounds. Equal, because a small rest would
 * compress worse than its share of the others does.
 *
 * @param mostBytes at least the longest line's length
 */
export function cutLines(lines: Lines, mostLines: number, mostBytes: number): Cut[] {
  const { bytes, ends } = lines;
  const cuts: Cut[] = [];
  let from = 0;
  let start = 0;
  while (from < ends.length) {
    const restBytes = bytes.length - start;
    const restLines = ends.length - from;
    const pieces = Math.max(Math.ceil(restBytes / mostBytes), Math.ceil(restLines / mostLines));
    const wanted = start + Math.ceil(restBytes / pieces);
    let to = firstEndAtOrBehind(ends, wanted, from) + 1;
    if (ends[to - 1]! - start > mostBytes && to > from + 1) to -= 1;
    to = Math.min(to, from + mostLines);
    cuts.push({ from, to, bytes: bytes.subarray(start, ends[to - 1]) });
    start = ends[to - 1]!;
    from = to;
  }
  return cuts;
}

/** The same, each with its CRC-32: what the blocks made of them will carry. */
export function summedCuts(lines: Lines, mostLines: number, mostBytes: number): SummedCut[] {
  return cutLines(lines, mostLines, mostBytes).map((cut) => ({ ...cut, crc: crc32(cut.bytes) }));
}

/** The first line, from `low` on, that ends at or behind `byte`. */
function firstEndAtOrBehind(ends: Uint32Array, byte: number, low: number): number {
  let high = ends.length - 1;
  let from = low;
  while (from < high) {
    const middle = (from + high) >>> 1;
    if (ends[middle]! >= byte) high = middle;
    else from = middle + 1;
  }
  return from;
}
