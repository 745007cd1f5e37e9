/** Cuts a piece of a file into lines, without looking into them. */

/** A line of a file: where it stands in the piece, newline included, and where it ends in the file. */
export interface CutLine {
  readonly start: number;
  readonly end: number;
  /** The byte of the file just behind it. */
  readonly endsAt: number;
}

export interface Cut {
  readonly lines: readonly CutLine[];
  /** The byte of the file up to which everything is dealt with: the start of the unfinished last line. */
  readonly upTo: number;
}

const NEWLINE = 0x0a;

/**
 * Blank lines are left out. So are NUL bytes before a line: what stands where a writer went on behind the old end of a file
 * that was truncated under it.
 *
 * @param piece bytes of the file from `at` on
 */
export function cutLines(piece: Buffer, at: number): Cut {
  const lines: CutLine[] = [];
  let from = 0;
  for (;;) {
    const newline = piece.indexOf(NEWLINE, from);
    if (newline < 0) return { lines, upTo: at + from };
    let start = from;
    while (piece[start] === 0) start++;
    if (!isBlank(piece, start, newline))
      lines.push({ start, end: newline + 1, endsAt: at + newline + 1 });
    from = newline + 1;
  }
}

function isBlank(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  }
  return true;
}
