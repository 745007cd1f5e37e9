/**
 * Decodes a JSON string to UTF-8 bytes (RFC 8259, section 7), without making a JavaScript string of it. Bytes that are not
 * escapes come out as they came in, whatever they are. Half of a surrogate pair has no UTF-8: its escape stays as it stands.
 */
import type { Output } from './output.ts';
import { findByte, fourOf } from './words.ts';

const BACKSLASH = 0x5c;
const BACKSLASHES = fourOf(BACKSLASH);
const LOWER_U = 0x75;

/** What stands for itself or a control character behind a backslash. */
const PLAIN = new Uint8Array(128);
for (const [letter, byte] of [
  ['"', 0x22],
  ['\\', 0x5c],
  ['/', 0x2f],
  ['b', 0x08],
  ['f', 0x0c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
] as const) {
  PLAIN[letter.charCodeAt(0)] = byte;
}

/** Whether the string holds an escape, and so stands for another text than its bytes. */
export function hasEscape(view: DataView, start: number, end: number): boolean {
  return findByte(view, BACKSLASHES, start + 1, end) < end;
}

/**
 * Appends the text of the string whose quotes stand at `start` and just before `end`.
 *
 * @returns false when an escape breaks the grammar; `into` then holds a part of it
 */
export function unescapeString(
  bytes: Buffer,
  view: DataView,
  start: number,
  end: number,
  into: Output,
): boolean {
  const last = end - 1;
  let index = start + 1;
  while (index < last) {
    const slash = findByte(view, BACKSLASHES, index, last);
    if (slash >= last) break;
    into.put(bytes, view, index, slash);
    index = unescapeOne(bytes, slash, last, into);
    if (index < 0) return false;
  }
  into.put(bytes, view, index, last);
  return true;
}

/** Decodes the escape at `at`; the place behind it, or -1. */
function unescapeOne(bytes: Buffer, at: number, end: number, into: Output): number {
  const letter = at + 1 < end ? bytes[at + 1]! : 0;
  if (letter !== LOWER_U) {
    const plain = PLAIN[letter & 0x7f]!;
    if (plain === 0 || letter > 0x7f) return -1;
    into.putByte(plain);
    return at + 2;
  }
  const unit = hex4(bytes, at + 2, end);
  if (unit < 0) return -1;
  if (unit < 0xd800 || unit > 0xdfff) {
    putCodePoint(into, unit);
    return at + 6;
  }
  const isPair = unit < 0xdc00 && bytes[at + 6] === BACKSLASH && bytes[at + 7] === LOWER_U;
  const low = isPair ? hex4(bytes, at + 8, end) : -1;
  if (low >= 0xdc00 && low <= 0xdfff) {
    putCodePoint(into, 0x10000 + ((unit - 0xd800) << 10) + low - 0xdc00);
    return at + 12;
  }
  for (let index = at; index < at + 6; index++) into.putByte(bytes[index]!);
  return at + 6;
}

function putCodePoint(into: Output, code: number): void {
  if (code < 0x80) {
    into.putByte(code);
    return;
  }
  if (code < 0x800) {
    into.putByte(0xc0 | (code >> 6));
  } else {
    if (code < 0x10000) {
      into.putByte(0xe0 | (code >> 12));
    } else {
      into.putByte(0xf0 | (code >> 18));
      into.putByte(0x80 | ((code >> 12) & 0x3f));
    }
    into.putByte(0x80 | ((code >> 6) & 0x3f));
  }
  into.putByte(0x80 | (code & 0x3f));
}

/** The value of four hexadecimal digits, or -1. */
function hex4(bytes: Buffer, at: number, end: number): number {
  if (at + 4 > end) return -1;
  let value = 0;
  for (let index = at; index < at + 4; index++) {
    const byte = bytes[index]!;
    const lower = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) value = value * 16 + lower - 0x57;
    else return -1;
  }
  return value;
}
