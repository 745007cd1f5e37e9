/** Bytes under construction: one growing buffer per block, filled front to back. */
import { copyRun, viewOf } from './words.ts';

/** Room behind the end that {@link copyRun} may write into. */
const SLACK_BYTES = 8;
/** A buffer that has grown beyond this is let go after its block, so that one large block does not cost memory for ever. */
const KEPT_BYTES = 4 * 1024 * 1024;

/** Fixed text that is written often: encoded once, four bytes to a number. */
export interface Text {
  readonly words: Int32Array;
  /** In bytes. */
  readonly length: number;
}

export function textOf(text: string): Text {
  const bytes = Buffer.from(text);
  const words = new Int32Array((bytes.length + 3) >> 2);
  for (let word = 0; word < words.length; word++) {
    words[word] = bytes.readUIntLE(word * 4, Math.min(4, bytes.length - word * 4));
  }
  return { words, length: bytes.length };
}

/**
 * Writes a text; up to three bytes behind it may be overwritten.
 *
 * @returns the place behind it
 */
export function copyText(text: Text, target: DataView, at: number): number {
  const { words } = text;
  for (let word = 0; word < words.length; word++)
    target.setInt32(at + word * 4, words[word]!, true);
  return at + text.length;
}

/** See the file's header. `length` may be set back to undo what was written last. */
export class Output {
  /** Valid up to `length`, as is the view of them; others after the next {@link reserve}. */
  bytes: Buffer;
  length = 0;
  view: DataView;
  readonly #firstBytes: number;

  /** @param firstBytes how large the buffer is at first, and again after an unusually large block */
  constructor(firstBytes: number) {
    this.#firstBytes = firstBytes;
    this.bytes = Buffer.allocUnsafeSlow(firstBytes);
    this.view = viewOf(this.bytes);
  }

  /** Makes sure that so many more bytes fit. */
  reserve(more: number): void {
    const needed = this.length + more + SLACK_BYTES;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
    this.view = viewOf(grown);
  }

  /** Appends a run of a line. */
  put(source: Buffer, sourceView: DataView, start: number, end: number): void {
    const size = end - start;
    if (this.length + size + SLACK_BYTES > this.bytes.length) this.reserve(size);
    this.length = copyRun(source, sourceView, start, end, this.bytes, this.view, this.length);
  }

  putText(text: Text): void {
    if (this.length + text.length + SLACK_BYTES > this.bytes.length) this.reserve(text.length);
    this.length = copyText(text, this.view, this.length);
  }

  putByte(byte: number): void {
    if (this.length + 1 + SLACK_BYTES > this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = byte;
  }

  /** Begins a new block. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length <= KEPT_BYTES) return;
    this.bytes = Buffer.allocUnsafeSlow(this.#firstBytes);
    this.view = viewOf(this.bytes);
  }

  /** A copy of what was written, of exactly its size: held bytes are counted by it. */
  take(): Buffer {
    const taken = Buffer.allocUnsafeSlow(this.length);
    this.bytes.copy(taken, 0, 0, this.length);
    return taken;
  }
}
