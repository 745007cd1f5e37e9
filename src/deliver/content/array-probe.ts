/**
 * Looks for all values that a filter's `contains` conditions want in one array field, in one pass over the array, however
 * many conditions there are.
 */
import { skipSpace, skipValue } from '../../lib/json/scanner.ts';
import type { FilterOperand } from '../../model/filter.ts';
import { KIND } from './line.ts';
import type { Kind, LineScanner } from './line.ts';
import { compileOperand, holds } from './operand.ts';
import type { Operand } from './operand.ts';
import { Value } from './value.ts';

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const CLOSE_BRACKET = 0x5d;

/** The element under comparison. Shared by all of a thread, so that no job holds on to the block that it saw last. */
const element = new Value();

/** See the file's header. One per field. */
export class ArrayProbe {
  readonly #scanner: LineScanner;
  readonly #slot: number;
  readonly #operands: Operand[] = [];
  readonly #isFound: boolean[] = [];
  #scan = -1;
  #isSound = true;

  constructor(scanner: LineScanner, slot: number) {
    this.#scanner = scanner;
    this.#slot = slot;
  }

  /** Notes a value to look for; {@link isFound} answers by the number given here. */
  add(operand: FilterOperand): number {
    this.#isFound.push(false);
    return this.#operands.push(compileOperand(operand, 'eq')) - 1;
  }

  /**
   * Looks through the array of the line just scanned, unless that was done before.
   *
   * @returns false when the array is malformed
   */
  look(bytes: Buffer, view: DataView): boolean {
    if (this.#scan !== this.#scanner.scans) {
      this.#scan = this.#scanner.scans;
      this.#isFound.fill(false);
      const { starts, ends } = this.#scanner;
      this.#isSound = this.#lookThrough(bytes, view, starts[this.#slot]!, ends[this.#slot]!);
    }
    return this.#isSound;
  }

  isFound(operand: number): boolean {
    return this.#isFound[operand]!;
  }

  #lookThrough(bytes: Buffer, view: DataView, start: number, end: number): boolean {
    let at = skipSpace(bytes, start + 1, end);
    if (bytes[at] === CLOSE_BRACKET) return true;
    while (at < end) {
      const elementEnd = skipValue(bytes, at, end);
      if (elementEnd < 0) return false;
      if (!this.#compare(bytes, view, at, elementEnd)) return false;
      at = elementEnd;
      if (bytes[at]! <= SPACE) at = skipSpace(bytes, at, end);
      if (bytes[at] === CLOSE_BRACKET) return true;
      if (bytes[at] !== COMMA) return false;
      at++;
      if (bytes[at]! <= SPACE) at = skipSpace(bytes, at, end);
    }
    return false;
  }

  /** Only strings and numbers can be looked for; what else stands there equals nothing. */
  #compare(bytes: Buffer, view: DataView, start: number, end: number): boolean {
    const kind = kindOf(bytes[start]!);
    if (kind === KIND.none) return true;
    if (!element.set(bytes, view, start, end, kind)) return false;
    for (let index = 0; index < this.#operands.length; index++) {
      if (holds(element, this.#operands[index]!)) this.#isFound[index] = true;
    }
    return true;
  }
}

function kindOf(first: number): Kind {
  if (first === QUOTE) return KIND.string;
  return first === MINUS || (first >= 0x30 && first <= 0x39) ? KIND.number : KIND.none;
}
