/** Checks that bytes are JSON through and through, by the grammar of RFC 8259, without making anything of them. */
import { isUtf8 } from 'node:buffer';
import { MAX_NESTING, skipNumber, skipSpace, skipWord } from './scanner.ts';

/**
 * Whether the bytes `[start, end)` are one JSON value, with white space around it at most. Says yes to what `JSON.parse`
 * takes, but for two things that it refuses besides: bytes that are not UTF-8, and values inside the outermost one that
 * nest deeper than {@link MAX_NESTING}.
 *
 * @param knownUtf8 the caller has seen that the bytes are UTF-8 (of a whole body that is one native call)
 */
export function isJson(bytes: Buffer, start: number, end: number, knownUtf8 = false): boolean {
  if (!knownUtf8 && !isUtf8(bytes.subarray(start, end))) return false;
  const behind = passValue(bytes, skipSpace(bytes, start, end), end, 0);
  return behind >= 0 && skipSpace(bytes, behind, end) === end;
}

/** The place just behind the value at `at`, or -1. */
function passValue(bytes: Buffer, at: number, end: number, depth: number): number {
  if (at >= end) return -1;
  switch (bytes[at]) {
    case 0x22:
      return passString(bytes, at, end);
    case 0x7b:
      return depth > MAX_NESTING ? -1 : passObject(bytes, at, end, depth);
    case 0x5b:
      return depth > MAX_NESTING ? -1 : passArray(bytes, at, end, depth);
    case 0x74:
      return skipWord(bytes, at, end, 'true');
    case 0x66:
      return skipWord(bytes, at, end, 'false');
    case 0x6e:
      return skipWord(bytes, at, end, 'null');
    default:
      return skipNumber(bytes, at, end);
  }
}

function passObject(bytes: Buffer, at: number, end: number, depth: number): number {
  let index = skipSpace(bytes, at + 1, end);
  if (index < end && bytes[index] === 0x7d) return index + 1;
  while (index < end) {
    if (bytes[index] !== 0x22) return -1;
    index = passString(bytes, index, end);
    if (index < 0) return -1;
    index = skipSpace(bytes, index, end);
    if (index >= end || bytes[index] !== 0x3a) return -1;
    index = passValue(bytes, skipSpace(bytes, index + 1, end), end, depth + 1);
    if (index < 0) return -1;
    index = skipSpace(bytes, index, end);
    if (index >= end) return -1;
    if (bytes[index] === 0x7d) return index + 1;
    if (bytes[index] !== 0x2c) return -1;
    index = skipSpace(bytes, index + 1, end);
  }
  return -1;
}

function passArray(bytes: Buffer, at: number, end: number, depth: number): number {
  let index = skipSpace(bytes, at + 1, end);
  if (index < end && bytes[index] === 0x5d) return index + 1;
  while (index < end) {
    index = passValue(bytes, index, end, depth + 1);
    if (index < 0) return -1;
    index = skipSpace(bytes, index, end);
    if (index >= end) return -1;
    if (bytes[index] === 0x5d) return index + 1;
    if (bytes[index] !== 0x2c) return -1;
    index = skipSpace(bytes, index + 1, end);
  }
  return -1;
}

function passString(bytes: Buffer, at: number, end: number): number {
  let index = at + 1;
  while (index < end) {
    const byte = bytes[index]!;
    if (byte === 0x22) return index + 1;
    if (byte < 0x20) return -1;
    index = byte === 0x5c ? passEscape(bytes, index + 1, end) : index + 1;
    if (index < 0) return -1;
  }
  return -1;
}

/** @param at the byte behind the backslash */
function passEscape(bytes: Buffer, at: number, end: number): number {
  if (at >= end) return -1;
  switch (bytes[at]) {
    case 0x22: // "
    case 0x5c: // \
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 1;
    case 0x75: // u
      if (at + 5 > end) return -1;
      for (let index = at + 1; index < at + 5; index++) if (!isHex(bytes[index]!)) return -1;
      return at + 5;
    default:
      return -1;
  }
}

function isHex(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
}
