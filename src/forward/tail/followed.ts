/** One followed file: reads what is new of it and hands it on, as often as it is asked. */
import type { FollowedFile } from '../../lib/fs/followed.ts';
import { cutLines } from './cut.ts';
import type { CutLine } from './cut.ts';
import { NO_PRINT, holds, printOf } from './print.ts';
import type { Print } from './print.ts';
import type { Remembered } from './registry.ts';

/** Takes lines. `again`: none of it, or not all of it, could be stored; the same is offered again. */
type Accept = (
  followed: Followed,
  piece: Buffer,
  lines: readonly CutLine[],
) => Promise<'taken' | { readonly againAfterMs: number }>;

export type Turn =
  /** There may be more at once. */
  | 'more'
  /** Everything that can be taken has been. */
  | 'idle'
  /** The file holds other bytes than those that were read: it was truncated, or another one stands in its place. */
  | 'replaced';

export interface TurnOptions {
  readonly accept: Accept;
  readonly readBytes: number;
  /** Of a longer line as many bytes are taken; the receiver keeps it apart. */
  readonly lineBytes: number;
  readonly nowMs: number;
  /** The file will not grow any more: an unfinished last line counts as a line. */
  readonly isOver: boolean;
}

export class Followed {
  readonly key: string;
  readonly source: string;
  path: string;
  file: FollowedFile | undefined;
  /** As of the last scan: whether it stands at a path that its source names. */
  isFound = false;
  /** Whether it still had a name when it was last looked at. */
  hasName = true;
  /** What its bytes are known by. Never of bytes that could be others': durable before a line of it is stored. */
  print: Print;
  /** Everything before it is stored. */
  position: number;
  /** Its size when it was last looked at. */
  bytes = 0;
  /** Monotonic times: of its last growth, and until when it waits. */
  grewMs: number;
  waitsUntilMs = 0;
  /** Whether the registry has it with its print. */
  isDurable: boolean;
  #skipping = false;
  /** Bytes of lines beyond what one may have. */
  cutBytes = 0;

  constructor(
    known: Pick<Remembered, 'key' | 'source' | 'path'> & {
      readonly print?: Print;
      readonly position?: number;
    },
    nowMs: number,
    isDurable: boolean,
  ) {
    this.key = known.key;
    this.source = known.source;
    this.path = known.path;
    this.print = known.print ?? NO_PRINT;
    this.position = known.position ?? 0;
    this.grewMs = nowMs;
    this.isDurable = isDurable;
  }

  /** Reads one piece. Rejects with FsError when the file cannot be read. */
  async turn(options: TurnOptions): Promise<Turn> {
    const { file } = this;
    if (file === undefined) return 'idle';
    const { bytes, hasName } = await file.look();
    if (bytes > this.bytes) this.grewMs = options.nowMs;
    this.bytes = bytes;
    this.hasName = hasName;
    if (bytes < this.position || bytes < this.print.position) return 'replaced';
    if (bytes === this.position) return 'idle';
    if (!(await holds(file, this.print))) return 'replaced';
    const piece = await this.#read(file, Math.min(bytes - this.position, options.readBytes));
    // It may have been truncated and written anew in between.
    if (!(await holds(file, this.print))) return 'replaced';
    if (piece.length === 0) return 'idle';
    return this.#take(file, piece, options);
  }

  async #read(file: FollowedFile, most: number): Promise<Buffer> {
    const piece = Buffer.allocUnsafe(most);
    let done = 0;
    while (done < most) {
      const count = await file.read(piece.subarray(done), this.position + done);
      if (count === 0) break;
      done += count;
    }
    return piece.subarray(0, done);
  }

  async #take(file: FollowedFile, piece: Buffer, options: TurnOptions): Promise<Turn> {
    const { lineBytes, isOver } = options;
    if (this.#skipping) return this.#skip(file, piece);
    const { lines, upTo } = cutLines(piece, this.position);
    if (upTo > this.position) return this.#hand(file, piece, lines, upTo, options);
    // No line ends in it.
    if (piece.length >= lineBytes) {
      this.#skipping = true;
      return this.#handRest(file, piece.subarray(0, lineBytes - 1), piece.length, options);
    }
    if (!isOver || piece.length < this.bytes - this.position) return 'idle';
    return this.#handRest(file, piece, piece.length, options);
  }

  /** What stands behind the last newline, as a line. */
  #handRest(
    file: FollowedFile,
    rest: Buffer,
    dealtWith: number,
    options: TurnOptions,
  ): Promise<Turn> {
    const upTo = this.position + dealtWith;
    const line = Buffer.concat([rest, Buffer.from('\n')]);
    const { lines } = cutLines(line, 0);
    this.cutBytes += dealtWith - rest.length;
    return this.#hand(
      file,
      line,
      lines.map((one) => ({ ...one, endsAt: upTo })),
      upTo,
      options,
    );
  }

  async #hand(
    file: FollowedFile,
    piece: Buffer,
    lines: readonly CutLine[],
    upTo: number,
    { accept, lineBytes, nowMs }: TurnOptions,
  ): Promise<Turn> {
    const short = lines.map((line) => this.#shorten(piece, line, lineBytes));
    if (this.print.position === 0) this.print = (await printOf(file, upTo)) ?? NO_PRINT;
    if (this.print.position === 0) return 'replaced';
    const taken = short.length === 0 ? 'taken' : await accept(this, piece, short);
    if (taken !== 'taken') {
      this.waitsUntilMs = nowMs + taken.againAfterMs;
      return 'idle';
    }
    return this.#moveTo(file, upTo);
  }

  /** A line that is too long loses its end in place: its newline moves forward. */
  #shorten(piece: Buffer, line: CutLine, lineBytes: number): CutLine {
    if (line.end - line.start <= lineBytes) return line;
    this.cutBytes += line.end - line.start - lineBytes;
    const end = line.start + lineBytes;
    piece[end - 1] = 0x0a;
    return { ...line, end };
  }

  async #skip(file: FollowedFile, piece: Buffer): Promise<Turn> {
    const newline = piece.indexOf(0x0a);
    this.#skipping = newline < 0;
    const skipped = newline < 0 ? piece.length : newline + 1;
    this.cutBytes += skipped;
    return this.#moveTo(file, this.position + skipped);
  }

  async #moveTo(file: FollowedFile, position: number): Promise<Turn> {
    const print = await printOf(file, position);
    // Truncated just now: the old print is no longer held, which the next turn finds.
    if (print !== undefined && (await holds(file, this.print))) this.print = print;
    this.position = position;
    return this.bytes > position ? 'more' : 'idle';
  }
}
