/**
 * Points in time as log lines write them, read and written on bytes with whole numbers only: nineteen digits of nanoseconds
 * lose none. Formats: RFC 3339, and Unix time as an integer.
 */

/** A point in time: seconds since 1970 UTC, and nanoseconds within the second (0 to 999,999,999). Reused, so mutable. */
export interface Moment {
  seconds: number;
  nanos: number;
}

export const TIMESTAMP_FORMATS = ['unixnano', 'unix', 'rfc3339', 'rfc3339ms', 'rfc3339ns'] as const;
export type TimestampFormat = (typeof TIMESTAMP_FORMATS)[number];

const ZERO = 0x30;
const DAY_SECONDS = 86_400;

/** Digits of the integer forms, by size: an integer below 10^11 is seconds, and so on by thousands. */
const MOST_DIGITS = { seconds: 11, milliseconds: 14, microseconds: 17, nanoseconds: 19 } as const;

/**
 * Reads an integer of seconds, milliseconds, microseconds or nanoseconds since 1970; which, is told by its size: up to 11
 * digits are seconds (until the year 5138), up to 14 milliseconds, up to 17 microseconds, up to 19 nanoseconds.
 *
 * @returns false for what is no such integer: a sign, a fraction, an exponent, 20 digits
 */
export function readUnixTime(bytes: Buffer, start: number, end: number, into: Moment): boolean {
  const length = end - start;
  if (length === 0 || length > MOST_DIGITS.nanoseconds) return false;
  for (let index = start; index < end; index++) {
    if (!isDigit(bytes[index]!)) return false;
  }
  const below =
    length <= MOST_DIGITS.seconds
      ? 0
      : length <= MOST_DIGITS.milliseconds
        ? 3
        : length <= MOST_DIGITS.microseconds
          ? 6
          : 9;
  into.seconds = wholeOf(bytes, start, end - below);
  into.nanos = wholeOf(bytes, end - below, end) * 10 ** (9 - below);
  if (below === 0) into.nanos = 0;
  return true;
}

/**
 * Reads a time of RFC 3339: `2026-11-14T11:43:00.123456789+01:00`. Digits of a second's fraction past the ninth are cut off,
 * a leap second counts as the first of the next minute, and a space may stand for the `T`.
 *
 * @returns false for what is none, or lies before 1970
 */
export function readRfc3339(bytes: Buffer, start: number, end: number, into: Moment): boolean {
  if (end - start < 20) return false;
  const separator = bytes[start + 10]! | 0x20;
  if (separator !== 0x74 && separator !== 0x20) return false;
  if (bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d) return false;
  if (bytes[start + 13] !== 0x3a || bytes[start + 16] !== 0x3a) return false;
  const year = field(bytes, start, 4);
  const month = field(bytes, start + 5, 2);
  const day = field(bytes, start + 8, 2);
  const hour = field(bytes, start + 11, 2);
  const minute = field(bytes, start + 14, 2);
  const second = field(bytes, start + 17, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return false;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return false;
  let index = start + 19;
  let nanos = 0;
  if (bytes[index] === 0x2e) {
    const first = ++index;
    let unit = 100_000_000;
    for (; index < end && isDigit(bytes[index]!); index++) {
      nanos += (bytes[index]! - ZERO) * unit;
      unit = Math.floor(unit / 10);
    }
    if (index === first) return false;
  }
  const offset = offsetSeconds(bytes, index, end);
  if (Number.isNaN(offset)) return false;
  const days = daysSince1970(year, month, day);
  into.seconds = days * DAY_SECONDS + hour * 3_600 + minute * 60 + second - offset;
  into.nanos = nanos;
  return into.seconds >= 0;
}

/** What `Z` or `+hh:mm` at `at` says, in seconds; NaN when the run does not end with one. */
function offsetSeconds(bytes: Buffer, at: number, end: number): number {
  if (at + 1 === end && (bytes[at]! | 0x20) === 0x7a) return 0;
  const sign = bytes[at] === 0x2b ? 1 : bytes[at] === 0x2d ? -1 : 0;
  if (sign === 0 || at + 6 !== end || bytes[at + 3] !== 0x3a) return Number.NaN;
  const hours = field(bytes, at + 1, 2);
  const minutes = field(bytes, at + 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return Number.NaN;
  return sign * (hours * 3_600 + minutes * 60);
}

/** Room that {@link writeTimestamp} may need. */
export const TIMESTAMP_BYTES = 40;

/**
 * Writes a time in one of Logpush's forms, as a JSON value without its quotes (the `rfc3339` forms stand in quotes, which
 * the caller writes). What the form has no room for is cut off, not rounded.
 *
 * @returns the place behind it
 */
export function writeTimestamp(
  into: Buffer,
  at: number,
  moment: Moment,
  format: TimestampFormat,
): number {
  switch (format) {
    case 'unix':
      return writeWhole(into, at, moment.seconds);
    case 'unixnano':
      if (moment.seconds === 0) return writeWhole(into, at, moment.nanos);
      return writePadded(into, writeWhole(into, at, moment.seconds), moment.nanos, 9);
    case 'rfc3339':
      return writeZulu(into, writeDateTime(into, at, moment.seconds));
    case 'rfc3339ms':
      return writeZulu(
        into,
        writeFraction(into, at, moment.seconds, Math.floor(moment.nanos / 1e6), 3),
      );
    case 'rfc3339ns':
      return writeZulu(into, writeFraction(into, at, moment.seconds, moment.nanos, 9));
  }
}

function writeFraction(
  into: Buffer,
  at: number,
  seconds: number,
  fraction: number,
  digits: number,
): number {
  const point = writeDateTime(into, at, seconds);
  into[point] = 0x2e;
  return writePadded(into, point + 1, fraction, digits);
}

function writeZulu(into: Buffer, at: number): number {
  into[at] = 0x5a;
  return at + 1;
}

/** `YYYY-MM-DDThh:mm:ss`, by the civil calendar (proleptic Gregorian; days counted in eras of 400 years from a 1 March). */
function writeDateTime(into: Buffer, at: number, seconds: number): number {
  const days = Math.floor(seconds / DAY_SECONDS);
  const rest = seconds - days * DAY_SECONDS;
  const sinceEra = days + 719_468;
  const era = Math.floor(sinceEra / 146_097);
  const dayOfEra = sinceEra - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  writePadded(into, at, year, 4);
  into[at + 4] = 0x2d;
  writePadded(into, at + 5, month, 2);
  into[at + 7] = 0x2d;
  writePadded(into, at + 8, dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1, 2);
  into[at + 10] = 0x54;
  writePadded(into, at + 11, Math.floor(rest / 3_600), 2);
  into[at + 13] = 0x3a;
  writePadded(into, at + 14, Math.floor(rest / 60) % 60, 2);
  into[at + 16] = 0x3a;
  return writePadded(into, at + 17, rest % 60, 2);
}

/** Days from 1970-01-01 to a date: the inverse of the above. */
function daysSince1970(year: number, month: number, day: number): number {
  const shiftedYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(shiftedYear / 400);
  const yearOfEra = shiftedYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

function daysIn(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : MONTH_DAYS[month - 1]!;
}

/** Orders two moments: less than 0, 0 or more than 0. */
export function compareMoments(left: Readonly<Moment>, right: Readonly<Moment>): number {
  return left.seconds - right.seconds || left.nanos - right.nanos;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39;
}

/** A field of exactly so many digits, or -1. */
function field(bytes: Buffer, at: number, digits: number): number {
  let value = 0;
  for (let index = at; index < at + digits; index++) {
    const byte = bytes[index]!;
    if (!isDigit(byte)) return -1;
    value = value * 10 + byte - ZERO;
  }
  return value;
}

function wholeOf(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let index = start; index < end; index++) value = value * 10 + bytes[index]! - ZERO;
  return value;
}

function writePadded(into: Buffer, at: number, value: number, digits: number): number {
  let rest = value;
  for (let index = at + digits - 1; index >= at; index--) {
    const tens = Math.floor(rest / 10);
    into[index] = ZERO + rest - tens * 10;
    rest = tens;
  }
  return at + digits;
}

function writeWhole(into: Buffer, at: number, value: number): number {
  let digits = 1;
  for (let power = 10; power <= value; power *= 10) digits++;
  return writePadded(into, at, value, digits);
}
