/** Writes one value of a line, as it came or as its format asks. */
import { readRfc3339, readUnixTime, TIMESTAMP_BYTES, writeTimestamp } from '../../lib/timestamp.ts';
import type { Moment, TimestampFormat } from '../../lib/timestamp.ts';
import { KIND } from './line.ts';
import type { Kind } from './line.ts';
import { Output } from './output.ts';
import { hasEscape, unescapeString } from './unescape.ts';

const QUOTE = 0x22;

/** Scratch of one synchronous call. */
const moment: Moment = { seconds: 0, nanos: 0 };
const decoded = new Output(512);

/**
 * Appends a time in the form asked for, in quotes where the form is a text.
 *
 * @returns false, and appends nothing, when the value is no time: it then stays as it came
 */
export function putTimestamp(
  into: Output,
  bytes: Buffer,
  start: number,
  end: number,
  kind: Kind,
  format: TimestampFormat,
): boolean {
  const isTime =
    kind === KIND.number
      ? readUnixTime(bytes, start, end, moment)
      : kind === KIND.string && readRfc3339(bytes, start + 1, end - 1, moment);
  if (!isTime) return false;
  into.reserve(TIMESTAMP_BYTES + 2);
  const isText = format !== 'unixnano' && format !== 'unix';
  if (isText) into.putByte(QUOTE);
  into.length = writeTimestamp(into.bytes, into.length, moment, format);
  if (isText) into.putByte(QUOTE);
  return true;
}

/**
 * Appends a value as a cell of CSV (RFC 4180): a string decoded and in quotes, quotes in it doubled; an object or array as
 * its JSON text in the same way; null as nothing at all, which differs from the empty string's `""`; all else as it came.
 *
 * @returns false when the value is a string with a broken escape
 */
export function putCell(
  into: Output,
  bytes: Buffer,
  view: DataView,
  start: number,
  end: number,
  kind: Kind,
): boolean {
  switch (kind) {
    case KIND.none:
    case KIND.null:
      return true;
    case KIND.string:
      if (hasEscape(view, start, end)) return putDecoded(into, bytes, view, start, end);
      into.put(bytes, view, start, end);
      return true;
    case KIND.number:
    case KIND.true:
    case KIND.false:
      into.put(bytes, view, start, end);
      return true;
    case KIND.object:
    case KIND.array:
      putQuoted(into, bytes, start, end);
      return true;
  }
}

function putDecoded(
  into: Output,
  bytes: Buffer,
  view: DataView,
  start: number,
  end: number,
): boolean {
  decoded.clear();
  if (!unescapeString(bytes, view, start, end, decoded)) return false;
  putQuoted(into, decoded.bytes, 0, decoded.length);
  return true;
}

function putQuoted(into: Output, bytes: Buffer, start: number, end: number): void {
  into.reserve(2 * (end - start) + 2);
  const target = into.bytes;
  let at = into.length;
  target[at++] = QUOTE;
  for (let index = start; index < end; index++) {
    const byte = bytes[index]!;
    target[at++] = byte;
    if (byte === QUOTE) target[at++] = QUOTE;
  }
  target[at++] = QUOTE;
  into.length = at;
}
