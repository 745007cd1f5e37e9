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

/** Whole numbers of this many digits at most are exact as a JavaScript number. */
const SMALL_DIGITS = 15;

/** Takes a number's text apart. The text must be a number by JSON's grammar. */
export function parseDecimal(text: string): Decimal {
  const bytes = Buffer.from(text, 'latin1');
  const negative = bytes[0] === MINUS;
  const digits: number[] = [];
  takeApart(bytes, negative ? 1 : 0, bytes.length);
  for (let index = 0; index < parts.count; index++) digits.push(digitAt(bytes, index));
  return {
    negative,
    digits: Buffer.from(digits),
    magnitude: parts.magnitude,
    small: smallWhole(bytes, 0, bytes.length),
  };
}

/**
 * Compares the number that stands in `[start, end)` with another.
 *
 * @returns less than 0, 0 or more than 0, as the number in the bytes is smaller, equal or larger
 */
export function compareDecimal(bytes: Buffer, start: number, end: number, other: Decimal): number {
  if (other.small !== undefined) {
    const small = smallWhole(bytes, start, end);
    if (small !== undefined) return small - other.small;
  }
  const negative = bytes[start] === MINUS;
  takeApart(bytes, negative ? start + 1 : start, end);
  const sign = parts.count === 0 ? 0 : negative ? -1 : 1;
  const otherSign = other.digits.length === 0 ? 0 : other.negative ? -1 : 1;
  if (sign !== otherSign || sign === 0) return sign - otherSign;
  return sign * compareMagnitudes(bytes, other);
}

function compareMagnitudes(bytes: Buffer, other: Decimal): number {
  if (parts.magnitude !== other.magnitude) return parts.magnitude < other.magnitude ? -1 : 1;
  const common = Math.min(parts.count, other.digits.length);
  for (let index = 0; index < common; index++) {
    const difference = digitAt(bytes, index) - other.digits[index]!;
    if (difference !== 0) return difference;
  }
  return parts.count - other.digits.length;
}

/** The number in the run when it is whole, without exponent and of at most 15 digits. */
export function smallWhole(bytes: Buffer, start: number, end: number): number | undefined {
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

/** Scratch of one synchronous call, so that no comparison allocates. */
const parts = {
  /** Where the first significant digit stands; the point may follow it. */
  first: 0,
  /** Where the point stands, or -1 when it does not lie between significant digits. */
  point: -1,
  /** Number of significant digits. */
  count: 0,
  magnitude: 0,
};

function digitAt(bytes: Buffer, index: number): number {
  const at = parts.first + index;
  return bytes[parts.point >= 0 && at >= parts.point ? at + 1 : at]!;
}

/** Finds the significant digits of the unsigned number in `[start, end)`. */
function takeApart(bytes: Buffer, start: number, end: number): void {
  let point = -1;
  let first = -1;
  let last = -1;
  let index = start;
  for (; index < end; index++) {
    const byte = bytes[index]!;
    if (byte === POINT) point = index;
    else if (byte < ZERO || byte > 0x39) break;
    else if (byte !== ZERO) {
      if (first < 0) first = index;
      last = index;
    }
  }
  const wholeEnd = point < 0 ? index : point;
  if (first < 0) {
    parts.count = 0;
    parts.magnitude = 0;
    return;
  }
  const pointInside = point > first && point < last;
  parts.first = first;
  parts.point = pointInside ? point : -1;
  parts.count = last - first + (pointInside ? 0 : 1);
  const own = first < wholeEnd ? wholeEnd - first - 1 : wholeEnd - first;
  parts.magnitude = own + exponent(bytes, index, end);
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
