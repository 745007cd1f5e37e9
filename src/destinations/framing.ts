/** Text between lines, as a receiver's protocol wants it ({@link Framing}). Works on bytes; a line is never parsed. */
import { assert } from '../lib/assert.ts';
import type { FramePiece, Framing } from './destination.ts';

/** Where a line stands. */
export interface FramedLine {
  /** Without its newline. */
  readonly bytes: Buffer;
  readonly job: number;
  readonly epoch: string;
  readonly offset: number;
  readonly receivedMs: number;
}

/** Offsets' digits that make nanoseconds distinct: as many as a millisecond has. */
const OFFSETS_PER_MS = 1_000_000;

/** Makes a body's pieces for one framing; texts are turned into bytes once. */
export class Framer {
  readonly prefix: Buffer;
  readonly suffix: Buffer;
  readonly #framing: Framing;
  readonly #delimiter: Buffer;

  constructor(framing: Framing) {
    this.#framing = framing;
    this.prefix = Buffer.from(framing.prefix);
    this.suffix = Buffer.from(framing.suffix);
    this.#delimiter = Buffer.from(framing.delimiter);
  }

  /** The pieces of one line, to be put one after the other. `isFirst`: of the batch. */
  frame(line: FramedLine, isFirst: boolean): Buffer[] {
    const { before, after } = this.#framing;
    const bytes = this.#framing.line === 'as it is' ? line.bytes : jsonString(line.bytes);
    const parts = isFirst ? [] : [this.#delimiter];
    parts.push(Buffer.from(textOf(before, line)), bytes, Buffer.from(textOf(after, line)));
    return parts;
  }
}

/** A whole body at once, for what is small. */
export function frameLines(framing: Framing, lines: readonly FramedLine[]): Buffer {
  const framer = new Framer(framing);
  const parts = lines.flatMap((line, index) => framer.frame(line, index === 0));
  return Buffer.concat([framer.prefix, ...parts, framer.suffix]);
}

function textOf(pieces: readonly FramePiece[], line: FramedLine): string {
  let text = '';
  for (const piece of pieces) text += typeof piece === 'string' ? piece : valueOf(piece.put, line);
  return text;
}

function valueOf(put: Exclude<FramePiece, string>['put'], line: FramedLine): string {
  switch (put) {
    case 'job':
      return String(line.job);
    case 'epoch':
      return line.epoch;
    case 'offset':
      return String(line.offset);
    case 'timeMs':
      return String(line.receivedMs);
    case 'timeNs': {
      const below = String(line.offset % OFFSETS_PER_MS).padStart(6, '0');
      return `${line.receivedMs}${below}`;
    }
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

/** Bytes as a JSON string (RFC 8259 §7). Bytes of 0x80 and above stay as they are: they are UTF-8 where they came in as JSON. */
function jsonString(bytes: Buffer): Buffer {
  // A control character takes six bytes (`\u0009`), everything else at most two.
  const out = Buffer.allocUnsafe(bytes.length * 6 + 2);
  let at = 0;
  out[at++] = QUOTE;
  for (const byte of bytes) {
    if (byte === QUOTE || byte === BACKSLASH) {
      out[at++] = BACKSLASH;
      out[at++] = byte;
    } else if (byte < SPACE) {
      at += out.write(`\\u00${byte.toString(16).padStart(2, '0')}`, at, 'latin1');
    } else out[at++] = byte;
  }
  out[at++] = QUOTE;
  assert(at <= out.length, 'no byte takes more than six');
  return Buffer.from(out.subarray(0, at));
}

/** A JSON array of the lines. */
export const JSON_ARRAY: Framing = {
  contentType: 'application/json',
  prefix: '[',
  suffix: ']',
  before: [],
  after: [],
  delimiter: ',',
  line: 'as it is',
};
