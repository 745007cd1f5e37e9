/**
 * Looks into a JSON line byte by byte, without parsing it: finds where fields begin and end and leaves every byte as it
 * came (numbers keep their digits, strings their escapes). Format: RFC 8259.
 *
 * All functions take a buffer and a half-open run of bytes `[at, end)` in it, never read outside of the run's meaning, and
 * allocate nothing per field. They look only as deep as they must: names and scalars at the top level are checked against
 * the grammar, nested values are skipped by their brackets and strings alone. Whoever must know that a line is JSON through
 * and through asks {@link file://./validate.ts validate.ts}.
 */

/** How deep a value may nest. Receivers' own parsers give up between 20 and 512. */
export const MAX_NESTING = 64;

export type ValueKind = 'string' | 'number' | 'true' | 'false' | 'null' | 'object' | 'array';

/** Where a value stands: `start` at its first byte (a string's opening quote), `end` just behind its last. */
export interface ValueSpan {
  readonly start: number;
  readonly end: number;
  readonly kind: ValueKind;
}

/**
 * Sees one field. The name's bytes are those between its quotes, as they stand; `escaped` says that they hold a backslash
 * and must be decoded before they are compared ({@link isName} does it).
 *
 * @returns whether to go on to the next field
 */
export type FieldVisitor = (
  nameStart: number,
  nameEnd: number,
  escaped: boolean,
  valueStart: number,
  valueEnd: number,
  kind: ValueKind,
) => boolean;

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Strings longer than this are searched by the native `indexOf`, whose call costs as much as looking at some 20 bytes here.
 * On lines of `http_requests` the choice makes no difference that can be measured; on strings of kilobytes it is tenfold.
 */
const NATIVE_FROM_BYTES = 16;

/** The first byte that is no white space, or `end`. */
export function skipSpace(bytes: Buffer, at: number, end: number): number {
  let index = at;
  while (index < end) {
    const byte = bytes[index];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    index++;
  }
  return index;
}

/**
 * The place just behind the string whose opening quote stands at `at`; -1 when it does not end before `end`. Looks for the
 * closing quote only: whether the escapes in it are right shows when it is decoded.
 */
export function skipString(bytes: Buffer, at: number, end: number): number {
  const soon = Math.min(end, at + 1 + NATIVE_FROM_BYTES);
  let index = at + 1;
  for (; index < soon; index++) {
    const byte = bytes[index];
    if (byte === QUOTE) return index + 1;
    if (byte === BACKSLASH) index++;
  }
  while (index < end) {
    const quote = bytes.indexOf(QUOTE, index);
    if (quote < 0 || quote >= end) return -1;
    let before = quote - 1;
    while (before >= index && bytes[before] === BACKSLASH) before--;
    if (((quote - before) & 1) === 1) return quote + 1;
    index = quote + 1;
  }
  return -1;
}

/** The place just behind the number at `at`; -1 when what stands there is none by the grammar. */
export function skipNumber(bytes: Buffer, at: number, end: number): number {
  let index = at;
  if (index < end && bytes[index] === 0x2d) index++;
  if (index < end && bytes[index] === 0x30) index++;
  else if ((index = skipDigits(bytes, index, end)) < 0) return -1;
  if (index < end && bytes[index] === 0x2e) {
    index = skipDigits(bytes, index + 1, end);
    if (index < 0) return -1;
  }
  if (index < end && (bytes[index] === 0x65 || bytes[index] === 0x45)) {
    index++;
    if (index < end && (bytes[index] === 0x2b || bytes[index] === 0x2d)) index++;
    index = skipDigits(bytes, index, end);
  }
  return index;
}

function skipDigits(bytes: Buffer, at: number, end: number): number {
  let index = at;
  while (index < end && bytes[index]! >= 0x30 && bytes[index]! <= 0x39) index++;
  return index > at ? index : -1;
}

/** What kind of value begins with `byte`, or undefined when none does. */
function kindOf(byte: number | undefined): ValueKind | undefined {
  switch (byte) {
    case QUOTE:
      return 'string';
    case OPEN_BRACE:
      return 'object';
    case OPEN_BRACKET:
      return 'array';
    case 0x74:
      return 'true';
    case 0x66:
      return 'false';
    case 0x6e:
      return 'null';
    default:
      return byte !== undefined && (byte === 0x2d || (byte >= 0x30 && byte <= 0x39))
        ? 'number'
        : undefined;
  }
}

/**
 * The place just behind the value at `at` (no white space before it); -1 when it is none, does not end before `end`, or
 * nests deeper than {@link MAX_NESTING}.
 */
export function skipValue(bytes: Buffer, at: number, end: number): number {
  const kind = at < end ? kindOf(bytes[at]) : undefined;
  return kind === undefined ? -1 : skipKind(bytes, at, end, kind);
}

/** {@link skipValue} for one whose kind is known. */
function skipKind(bytes: Buffer, at: number, end: number, kind: ValueKind): number {
  switch (kind) {
    case 'string':
      return skipString(bytes, at, end);
    case 'number':
      return skipNumber(bytes, at, end);
    case 'object':
    case 'array':
      return skipNested(bytes, at, end);
    case 'true':
    case 'false':
    case 'null':
      return skipWord(bytes, at, end, kind);
  }
}

/** The place just behind `word` at `at`, or -1 when it does not stand there. */
export function skipWord(bytes: Buffer, at: number, end: number, word: string): number {
  if (at + word.length > end) return -1;
  for (let index = 1; index < word.length; index++) {
    if (bytes[at + index] !== word.charCodeAt(index)) return -1;
  }
  return at + word.length;
}

/** The closing brackets that are due, innermost last. Scratch of one synchronous call, so that none is allocated. */
const due = new Uint8Array(MAX_NESTING);

function skipNested(bytes: Buffer, at: number, end: number): number {
  let depth = 0;
  let index = at;
  while (index < end) {
    const byte = bytes[index]!;
    if (byte === QUOTE) {
      index = skipString(bytes, index, end);
      if (index < 0) return -1;
      continue;
    }
    index++;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth === MAX_NESTING) return -1;
      due[depth++] = byte + 2;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (due[--depth] !== byte) return -1;
      if (depth === 0) return index;
    }
  }
  return -1;
}

/**
 * Visits the fields of the object that the run holds, in their order. A name that stands twice is visited twice; as in
 * `JSON.parse`, the last one is the one that counts.
 *
 * @returns `malformed` when the run is not one object (white space around it is allowed); fields before the bad place have
 *   been visited by then. `stopped` when the visitor had enough: what follows has not been looked at.
 */
export function forEachTopLevelField(
  bytes: Buffer,
  start: number,
  end: number,
  visit: FieldVisitor,
): 'done' | 'stopped' | 'malformed' {
  let index = skipSpace(bytes, start, end);
  if (index >= end || bytes[index] !== OPEN_BRACE) return 'malformed';
  index = skipSpace(bytes, index + 1, end);
  if (index < end && bytes[index] === CLOSE_BRACE) return isRest(bytes, index + 1, end);
  while (index < end) {
    if (bytes[index] !== QUOTE) return 'malformed';
    const nameStart = index + 1;
    let nameEnd = nameStart;
    while (nameEnd < end && bytes[nameEnd] !== QUOTE && bytes[nameEnd] !== BACKSLASH) nameEnd++;
    const escaped = nameEnd < end && bytes[nameEnd] === BACKSLASH;
    if (escaped) nameEnd = skipString(bytes, index, end) - 1;
    if (nameEnd < 0 || nameEnd >= end) return 'malformed';
    index = nameEnd + 1;
    if (index < end && bytes[index] !== COLON) index = skipSpace(bytes, index, end);
    if (index >= end || bytes[index] !== COLON) return 'malformed';
    let valueStart = index + 1;
    if (valueStart < end && bytes[valueStart]! <= SPACE)
      valueStart = skipSpace(bytes, valueStart, end);
    if (valueStart >= end) return 'malformed';
    // Nearly all values are of these two kinds, and hardly any line has white space: neither costs a call that finds nothing.
    const first = bytes[valueStart]!;
    let kind: ValueKind | undefined;
    let valueEnd: number;
    if (first === QUOTE) {
      kind = 'string';
      valueEnd = skipString(bytes, valueStart, end);
    } else if (first >= 0x30 && first <= 0x39) {
      kind = 'number';
      valueEnd = skipNumber(bytes, valueStart, end);
    } else {
      kind = kindOf(first);
      if (kind === undefined) return 'malformed';
      valueEnd = skipKind(bytes, valueStart, end, kind);
    }
    if (valueEnd < 0) return 'malformed';
    if (!visit(nameStart, nameEnd, escaped, valueStart, valueEnd, kind)) return 'stopped';
    index = valueEnd;
    if (index < end && bytes[index]! <= SPACE) index = skipSpace(bytes, index, end);
    if (index >= end) return 'malformed';
    if (bytes[index] === CLOSE_BRACE) return isRest(bytes, index + 1, end);
    if (bytes[index] !== COMMA) return 'malformed';
    index++;
    if (index < end && bytes[index]! <= SPACE) index = skipSpace(bytes, index, end);
  }
  return 'malformed';
}

function isRest(bytes: Buffer, at: number, end: number): 'done' | 'malformed' {
  return skipSpace(bytes, at, end) === end ? 'done' : 'malformed';
}

/**
 * Finds a field of the object that the run holds.
 *
 * @param name the name decoded, in UTF-8; a name in the line matches however it is escaped
 * @returns the value of the last field of that name; undefined when there is none; `malformed` as
 *   {@link forEachTopLevelField} says it (also when the damage lies behind the field)
 */
export function findTopLevelField(
  bytes: Buffer,
  start: number,
  end: number,
  name: Buffer,
): ValueSpan | undefined | 'malformed' {
  let found: ValueSpan | undefined;
  const scan = forEachTopLevelField(
    bytes,
    start,
    end,
    (nameStart, nameEnd, escaped, valueStart, valueEnd, kind) => {
      if (isName(bytes, nameStart, nameEnd, escaped, name)) {
        found = { start: valueStart, end: valueEnd, kind };
      }
      return true;
    },
  );
  return scan === 'malformed' ? 'malformed' : found;
}

/** Whether a name as a {@link FieldVisitor} is given it is `name` (decoded, in UTF-8). */
export function isName(
  bytes: Buffer,
  nameStart: number,
  nameEnd: number,
  escaped: boolean,
  name: Buffer,
): boolean {
  if (escaped) return decodeString(bytes, nameStart - 1, nameEnd + 1) === name.toString('utf8');
  if (nameEnd - nameStart !== name.length) return false;
  for (let index = 0; index < name.length; index++) {
    if (bytes[nameStart + index] !== name[index]) return false;
  }
  return true;
}

const PLAIN_ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/**
 * The text of a string, quotes included in the run. Escapes are resolved, pairs of surrogates joined; a lone surrogate
 * stays one, and bytes that are not UTF-8 become U+FFFD.
 *
 * @returns undefined when an escape or an unescaped control character breaks the grammar
 */
export function decodeString(bytes: Buffer, start: number, end: number): string | undefined {
  const raw = bytes.toString('utf8', start + 1, end - 1);
  // oxlint-disable-next-line no-control-regex -- RFC 8259 names exactly these
  if (/[\u0000-\u001f]/.test(raw)) return undefined;
  if (!raw.includes('\\')) return raw;
  let broken = false;
  const text = raw.replace(/\\(u[0-9a-fA-F]{4}|[^]?)/g, (_whole, escape: string) => {
    if (escape.length === 5) return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    const plain = PLAIN_ESCAPES[escape];
    if (plain === undefined) broken = true;
    return plain ?? '';
  });
  return broken ? undefined : text;
}
