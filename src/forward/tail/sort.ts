/** Whose the lines of a piece are: all of one stream, or each by a field's value. */
import { decodeString, forEachTopLevelField, isName } from '../../lib/json/scanner.ts';
import { streamKey } from '../../model/scope.ts';
import type { RouteTable } from '../../route/index.ts';
import type { CutLine } from './cut.ts';

/** Where a source's lines go. */
export type Destination =
  | { readonly kind: 'stream'; readonly stream: string }
  | { readonly kind: 'by'; readonly field: string; readonly dataset: string };

/** @returns the lines by stream, in their order; those without a stream that can be told under `undefined` */
export function sortLines(
  piece: Buffer,
  lines: readonly CutLine[],
  to: Destination,
  route: RouteTable,
): ReadonlyMap<string | undefined, readonly CutLine[]> {
  if (to.kind === 'stream') return new Map([[to.stream, lines]]);
  const field = Buffer.from(to.field);
  const sorted = new Map<string | undefined, CutLine[]>();
  for (const line of lines) {
    const value = valueOf(piece, line, field);
    const scope = value === undefined ? undefined : route.zoneByValue(value);
    const stream = scope && streamKey(scope, to.dataset);
    const known = sorted.get(stream);
    if (known === undefined) sorted.set(stream, [line]);
    else known.push(line);
  }
  return sorted;
}

function valueOf(piece: Buffer, { start, end }: CutLine, field: Buffer): string | undefined {
  let from = start;
  while (piece[from] === 0x20 || piece[from] === 0x09) from++;
  let to = end - 1;
  while (to > from && (piece[to - 1] === 0x0d || piece[to - 1] === 0x20)) to--;
  let value: string | undefined;
  forEachTopLevelField(piece, from, to, (nameStart, nameEnd, escaped, at, until, kind) => {
    if (!isName(piece, nameStart, nameEnd, escaped, field)) return true;
    if (kind === 'string') value = decodeString(piece, at, until);
    else value = kind === 'number' ? piece.toString('latin1', at, until) : undefined;
    return true;
  });
  return value;
}
