/**
 * Compares JSON numbers exactly, on their digits: no value is rounded, so `9007199254740993` and `9007199254740992` differ,
 * and `1e400` is larger than any other number of fewer digits. Format: RFC 8259, section 6.
 */

/** A number, taken apart once so that many others can be compared with it. */
export interface Decimal {
  readonly negative: boolean;
  /** Significant digits as bytes (`0`–`9`), without zeros at either end; empty for zero. */
  readonly digits: Buffer;
  /** Power of ten of the first digit: 0 for 1 to 9, -1 for 0.1. */
  readonly magnitude: number;
  /** The number itself, when it is a whole one of at most 15 digits: what most are compared by. */
  readonly small: number | undefined;
}

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

/** Whole numbers of this many digits at most are exact as a JavaScript number. */
const SMALL_DIGITS = 15;

/** Takes a number's text apart. The text must be a number by JSON's grammar. */
export function parseDecimal(text: string): Decimal {
  const bytes = Buffer.from(text, 'latin1');
  const reader = new DecimalReader();
  reader.read(bytes, 0, bytes.length);
  return reader.decimal();
}

/**
 * A number where it stands among other bytes: read once, compared with any number of others. Made once and used again, so
 * that no number allocates.
 */
export class DecimalReader {
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  #small: number | undefined;
  #isApart = false;
  #negative = false;
  /** Where the first significant digit stands; the point may follow it. */
  #first = 0;
  /** Where the point stands, or -1 when it does not lie between significant digits. */
  #point = -1;
  /** Number of significant digits. */
  #count = 0;
  #magnitude = 0;

  /** Takes the number in `[start, end)`, which must be one by JSON's grammar. The bytes must stay until the next one. */
  read(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#small = smallWhole(bytes, start, end);
    this.#isApart = false;
  }

  /** @returns less than 0, 0 or more than 0, as the number that was read is smaller, equal or larger than `other` */
  compare(other: Decimal): number {
    if (other.small !== undefined && this.#small !== undefined) return this.#small - other.small;
    if (!this.#isApart) this.#takeApart();
    const sign = this.#count === 0 ? 0 : this.#negative ? -1 : 1;
    const otherSign = other.digits.length === 0 ? 0 : other.negative ? -1 : 1;
    if (sign !== otherSign || sign === 0) return sign - otherSign;
    return sign * this.#compareMagnitude(other);
  }

  /** The number as one that others can be compared with. */
  decimal(): Decimal {
    this.#takeApart();
    const digits = Buffer.alloc(this.#count);
    for (let index = 0; index < this.#count; index++) digits[index] = this.#digitAt(index);
    return { negative: this.#negative, digits, magnitude: this.#magnitude, small: this.#small };
  }

  #compareMagnitude(other: Decimal): number {
    if (this.#magnitude !== other.magnitude) return this.#magnitude < other.magnitude ? -1 : 1;
    const common = Math.min(this.#count, other.digits.length);
    for (let index = 0; index < common; index++) {
      const difference = this.#digitAt(index) - other.digits[index]!;
      if (difference !== 0) return difference;
    }
    return this.#count - other.digits.length;
  }

  #digitAt(index: number): number {
    const at = this.#first + index;
    return this.#bytes[this.#point >= 0 && at >= this.#point ? at + 1 : at]!;
  }

  /** Finds the significant digits. */
  #takeApart(): void {
    const bytes = this.#bytes;
    this.#isApart = true;
    this.#negative = bytes[this.#start] === MINUS;
    let point = -1;
    let first = -1;
    let last = -1;
    let index = this.#negative ? this.#start + 1 : this.#start;
    for (; index < this.#end; index++) {
      const byte = bytes[index]!;
      if (byte === POINT) point = index;
      else if (byte < ZERO || byte > NINE) break;
      else if (byte !== ZERO) {
        if (first < 0) first = index;
        last = index;
      }
    }
    this.#count = 0;
    this.#magnitude = 0;
    if (first < 0) return;
    const wholeEnd = point < 0 ? index : point;
    const isPointInside = point > first && point < last;
    this.#first = first;
    this.#point = isPointInside ? point : -1;
    this.#count = last - first + (isPointInside ? 0 : 1);
    const own = first < wholeEnd ? wholeEnd - first - 1 : wholeEnd - first;
    this.#magnitude = own + exponent(bytes, index, this.#end);
  }
}

/** The number in the run when it is whole, without exponent and of at most 15 digits. */
function smallWhole(bytes: Buffer, start: number, end: number): number | undefined {
  const negative = bytes[start] === MINUS;
  const first = negative ? start + 1 : start;
  if (end - first > SMALL_DIGITS) return undefined;
  let value = 0;
  for (let index = first; index < end; index++) {
    const digit = bytes[index]! - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}

/** The exponent at `at`, or 0. Beyond 15 digits it is as good as endless, which keeps the order of all that can occur. */
function exponent(bytes: Buffer, at: number, end: number): number {
  if (at >= end) return 0;
  let index = at + 1;
  const negative = bytes[index] === MINUS;
  if (negative || bytes[index] === 0x2b) index++;
  while (index < end && bytes[index] === ZERO) index++;
  const value = end - index > SMALL_DIGITS ? 1e15 : (smallWhole(bytes, index, end) ?? 0);
  return negative ? -value : value;
}
