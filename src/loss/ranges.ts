import type { Range } from '../model/delivery.ts';

/**
 * Adds a range to ascending ranges that do not touch. Beyond `most` the two with the least between them become one: it then
 * names offsets that were not lost, and never leaves one out that was.
 */
export function addRange(ranges: readonly Range[], added: Range, most: number): Range[] {
  const joined: Range[] = [];
  for (const range of [...ranges, added].toSorted((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last && range.from <= last.to) {
      joined[joined.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
    } else joined.push(range);
  }
  while (joined.length > most) {
    let nearest = 1;
    for (let index = 2; index < joined.length; index += 1) {
      if (gapBefore(joined, index) < gapBefore(joined, nearest)) nearest = index;
    }
    const [one, other] = [joined[nearest - 1]!, joined[nearest]!];
    joined.splice(nearest - 1, 2, { from: one.from, to: other.to });
  }
  return joined;
}

const gapBefore = (ranges: readonly Range[], index: number): number =>
  ranges[index]!.from - ranges[index - 1]!.to;
