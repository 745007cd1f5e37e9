/** A value of a line, made ready for comparison once, however many values of a filter it is compared with. */
import { DecimalReader } from '../../lib/json/decimal.ts';
import { KIND } from './line.ts';
import type { Kind } from './line.ts';
import { Output } from './output.ts';
import { hasEscape, unescapeString } from './unescape.ts';
import { viewOf } from './words.ts';

/** See the file's header. Made once and filled again and again, so that no comparison allocates. */
export class Value {
  kind: Kind = KIND.none;
  /** Where the value's bytes stand; of a string the text between its quotes. */
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = viewOf(this.bytes);
  start = 0;
  end = 0;
  /** Filled for a number. */
  readonly number = new DecimalReader();
  readonly #decoded = new Output(512);

  /** @returns false when the value is a string with a broken escape */
  set(bytes: Buffer, view: DataView, start: number, end: number, kind: Kind): boolean {
    this.bytes = bytes;
    this.view = view;
    this.start = start;
    this.end = end;
    this.kind = kind;
    if (kind === KIND.number) this.number.read(bytes, start, end);
    if (kind !== KIND.string) return true;
    if (hasEscape(view, start, end)) return this.#decode();
    this.start++;
    this.end--;
    return true;
  }

  #decode(): boolean {
    this.#decoded.clear();
    if (!unescapeString(this.bytes, this.view, this.start, this.end, this.#decoded)) return false;
    this.bytes = this.#decoded.bytes;
    this.view = this.#decoded.view;
    this.start = 0;
    this.end = this.#decoded.length;
    return true;
  }
}
