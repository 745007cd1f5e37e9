/**
 * Finds the wanted fields of a line in one pass over its bytes, and checks on the way that the line is an object whose names
 * and scalars at the top level are JSON (nested values are skipped by their brackets; see lib/json/scanner.ts).
 *
 * Lines of one stream look alike, so the scanner guesses each name from the one before it: every name that it has seen is an
 * entry, and every entry knows which one followed it last time. A right guess costs one comparison; a wrong one a look-up by
 * hash. Guesses change how long a scan takes and never what it finds.
 */
import {
  decodeString,
  skipNumber,
  skipSpace,
  skipString,
  skipValue,
} from '../../lib/json/scanner.ts';
import { findByte, fourOf } from './words.ts';

/** What stands in a field. `none`: the line does not have it. */
export const KIND = {
  none: 0,
  string: 1,
  number: 2,
  true: 3,
  false: 4,
  null: 5,
  object: 6,
  array: 7,
} as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

const QUOTE = 0x22;
const QUOTES = fourOf(QUOTE);
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const SPACE = 0x20;
const UPPER_HALVES = 0xf0f0f0f0 | 0;
const THREES = 0x30303030;
const SIXES = 0x06060606;

/** Names remembered at once; when more come, all are forgotten and learned anew. */
const ENTRIES = 512;
/** Names longer than this, with their quotes, are looked up each time. */
const ENTRY_BYTES = 256;
const UNKNOWN = -1;
/** Places of the hash table. */
const PLACES = 2048;

/** Numbers at the head of an entry. */
const HEAD = {
  /** The entry that followed it last time, or UNKNOWN. */
  next: 0,
  /** Bytes of the name. */
  length: 1,
  /** Slot of the field, or UNKNOWN. */
  slot: 2,
  marked: 3,
  /** What of the name's last four bytes counts. */
  mask: 4,
  name: 5,
} as const;
/** The entry before the first field of a line: a head without a name. */
const BEGIN = 0;

/** Numbers per field in {@link LineScanner.fields}. */
export const FIELD_STRIDE = 5;

export interface ScannerPlan {
  /** The fields to find; a field's slot is its index. */
  readonly wanted: readonly string[];
  /** Whether to list all fields in the line's order as well. */
  readonly listAll: boolean;
  /** Marks fields in that list, by name. */
  readonly mark?: (name: string) => boolean;
}

/** See the file's header. What it found of a line is valid until the next line is scanned. */
export class LineScanner {
  /** By slot: where the value stands. Of two fields of one name the last counts. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly kinds: Uint8Array;
  /**
   * With `listAll`: the fields in the line's order, {@link FIELD_STRIDE} numbers each: where the name's opening quote and
   * the value's first byte stand, the place behind the value, its kind, and 1 when it is marked.
   */
  fields: Int32Array;
  fieldCount = 0;
  /** How many lines have been scanned: tells one line's findings from another's. */
  scans = 0;

  readonly #slotOf: ReadonlyMap<string, number>;
  readonly #plan: ScannerPlan;

  /**
   * The entries, one behind the other; an entry is where its head begins. Behind the head ({@link HEAD}) stands the name as
   * lines write it, quotes and escapes and all, four bytes to a number, the last one masked.
   */
  #table = new Int32Array(1024);
  #tableEnd = 0;
  #entries = 0;
  readonly #hash = new Int32Array(PLACES).fill(UNKNOWN);

  // What the last look-up found, apart from its entry.
  #foundSlot = UNKNOWN;
  #foundMark = 0;
  #foundLength = 0;

  constructor(plan: ScannerPlan) {
    this.#plan = plan;
    const count = plan.wanted.length;
    this.starts = new Int32Array(count);
    this.ends = new Int32Array(count);
    this.kinds = new Uint8Array(count);
    this.fields = new Int32Array(plan.listAll ? 64 * FIELD_STRIDE : 0);
    this.#slotOf = new Map(plan.wanted.map((name, slot) => [name, slot]));
    this.#forget();
  }

  /**
   * Looks through the line in `[start, end)`.
   *
   * @returns false when it is malformed
   */
  scan(bytes: Buffer, view: DataView, start: number, end: number): boolean {
    const { starts, ends, kinds } = this;
    const { listAll } = this.#plan;
    let table = this.#table;
    for (let slot = 0; slot < kinds.length; slot++) kinds[slot] = KIND.none;
    this.fieldCount = 0;
    this.scans++;
    let index = skipSpace(bytes, start, end);
    if (index >= end || bytes[index] !== OPEN_BRACE) return false;
    index = skipSpace(bytes, index + 1, end);
    if (index < end && bytes[index] === CLOSE_BRACE)
      return skipSpace(bytes, index + 1, end) === end;
    let previous = BEGIN;
    while (index < end) {
      const nameAt = index;
      let entry = table[previous + HEAD.next]!;
      let slot: number;
      let marked: number;
      if (entry !== UNKNOWN && isEntry(table, entry, view, index)) {
        slot = table[entry + HEAD.slot]!;
        marked = table[entry + HEAD.marked]!;
        index += table[entry + HEAD.length]!;
      } else {
        if (bytes[index] !== QUOTE) return false;
        entry = this.#lookUp(bytes, view, index, end, previous);
        if (this.#foundLength < 0) return false;
        table = this.#table;
        slot = this.#foundSlot;
        marked = this.#foundMark;
        index += this.#foundLength;
      }
      previous = entry === UNKNOWN ? BEGIN : entry;
      if (bytes[index]! <= SPACE) index = skipSpace(bytes, index, end);
      if (index >= end || bytes[index] !== COLON) return false;
      index++;
      if (bytes[index]! <= SPACE) index = skipSpace(bytes, index, end);
      const valueAt = index;
      index = this.#skipValue(bytes, view, index, end);
      if (index < 0 || index > end) return false;
      if (slot >= 0) {
        starts[slot] = valueAt;
        ends[slot] = index;
        kinds[slot] = this.#kind;
      }
      if (listAll) this.#list(nameAt, valueAt, index, marked);
      if (bytes[index]! <= SPACE) index = skipSpace(bytes, index, end);
      if (index >= end) return false;
      const byte = bytes[index];
      if (byte === CLOSE_BRACE)
        return index + 1 === end || skipSpace(bytes, index + 1, end) === end;
      if (byte !== COMMA) return false;
      index++;
      if (bytes[index]! <= SPACE) index = skipSpace(bytes, index, end);
    }
    return false;
  }

  /** The kind of the value skipped last. */
  #kind: Kind = KIND.none;

  #skipValue(bytes: Buffer, view: DataView, at: number, end: number): number {
    if (at >= end) return -1;
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      this.#kind = KIND.string;
      const quote = findByte(view, QUOTES, at + 1, end);
      if (quote >= end) return -1;
      // A quote without a backslash before it ends every string.
      return bytes[quote - 1] === BACKSLASH ? skipString(bytes, at, end) : quote + 1;
    }
    if (byte >= 0x31 && byte <= 0x39) {
      this.#kind = KIND.number;
      const index = skipDigits(bytes, view, at + 1, end);
      const after = bytes[index]!;
      return after === 0x2e || (after | 0x20) === 0x65 ? skipNumber(bytes, at, end) : index;
    }
    this.#kind = otherKind(byte);
    return skipValue(bytes, at, end);
  }

  #list(nameAt: number, valueAt: number, valueEnd: number, marked: number): void {
    const at = this.fieldCount++ * FIELD_STRIDE;
    if (at === this.fields.length) {
      const grown = new Int32Array(this.fields.length * 2);
      grown.set(this.fields);
      this.fields = grown;
    }
    this.fields[at] = nameAt;
    this.fields[at + 1] = valueAt;
    this.fields[at + 2] = valueEnd;
    this.fields[at + 3] = this.#kind;
    this.fields[at + 4] = marked;
  }

  /**
   * Finds the entry of the name whose opening quote stands at `at`, or makes it one, and notes that it followed `previous`.
   *
   * @returns the entry, or UNKNOWN when the name is too long for one. `#found...` say the rest; a `#foundLength` below zero
   *   says that the name is malformed
   */
  #lookUp(bytes: Buffer, view: DataView, at: number, end: number, previous: number): number {
    const nameEnd = skipString(bytes, at, end);
    const length = nameEnd - at;
    this.#foundLength = nameEnd < 0 || nameEnd > end ? -1 : length;
    if (this.#foundLength < 0) return UNKNOWN;
    if (length > ENTRY_BYTES) {
      this.#learn(bytes, at, nameEnd);
      return UNKNOWN;
    }
    let place = hashOf(bytes, at, nameEnd);
    for (; ; place = (place + 1) % PLACES) {
      const entry = this.#hash[place]!;
      if (entry === UNKNOWN) break;
      if (this.#table[entry + HEAD.length] === length && isEntry(this.#table, entry, view, at)) {
        this.#foundSlot = this.#table[entry + HEAD.slot]!;
        this.#foundMark = this.#table[entry + HEAD.marked]!;
        this.#table[previous + HEAD.next] = entry;
        return entry;
      }
    }
    this.#learn(bytes, at, nameEnd);
    return this.#foundLength < 0 ? UNKNOWN : this.#addEntry(bytes, at, nameEnd, previous);
  }

  /** Decodes a name and says what is known of it. */
  #learn(bytes: Buffer, start: number, end: number): void {
    const name = decodeString(bytes, start, end);
    if (name === undefined) {
      this.#foundLength = -1;
      return;
    }
    this.#foundSlot = this.#slotOf.get(name) ?? UNKNOWN;
    this.#foundMark = this.#plan.mark?.(name) ? 1 : 0;
  }

  #addEntry(bytes: Buffer, start: number, end: number, previous: number): number {
    const isFull = this.#entries === ENTRIES;
    if (isFull) this.#forget();
    const entry = this.#tableEnd;
    const length = end - start;
    const words = (length + 3) >> 2;
    this.#growTable(entry + HEAD.name + words);
    const table = this.#table;
    table[entry + HEAD.next] = UNKNOWN;
    table[entry + HEAD.length] = length;
    table[entry + HEAD.slot] = this.#foundSlot;
    table[entry + HEAD.marked] = this.#foundMark;
    table[entry + HEAD.mask] = -1 >>> (8 * (words * 4 - length));
    for (let word = 0; word < words; word++) {
      const left = Math.min(4, length - word * 4);
      table[entry + HEAD.name + word] = bytes.readUIntLE(start + word * 4, left);
    }
    this.#tableEnd += HEAD.name + words;
    this.#entries++;
    let place = hashOf(bytes, start, end);
    while (this.#hash[place] !== UNKNOWN) place = (place + 1) % PLACES;
    this.#hash[place] = entry;
    // What came before has been forgotten with all the others.
    if (!isFull) table[previous + HEAD.next] = entry;
    return entry;
  }

  #growTable(size: number): void {
    if (size <= this.#table.length) return;
    const grown = new Int32Array(Math.max(size, this.#table.length * 2));
    grown.set(this.#table);
    this.#table = grown;
  }

  #forget(): void {
    this.#table[BEGIN + HEAD.next] = UNKNOWN;
    this.#tableEnd = HEAD.name;
    this.#entries = 0;
    this.#hash.fill(UNKNOWN);
  }
}

/** Whether the name at `at` is the entry's, quotes and all. */
function isEntry(table: Int32Array, entry: number, view: DataView, at: number): boolean {
  const length = table[entry + HEAD.length]!;
  // The last four bytes may reach beyond the name: what lies there is masked out.
  if (at + length + 3 > view.byteLength) return false;
  const wholeEnd = at + ((length - 1) & ~3);
  let word = entry + HEAD.name;
  let index = at;
  for (; index < wholeEnd; index += 4) {
    if (view.getInt32(index, true) !== table[word++]) return false;
  }
  return (view.getInt32(index, true) & table[entry + HEAD.mask]!) === table[word];
}

/** The place behind the digits at `at`, four at a time while four more bytes can be looked at. */
function skipDigits(bytes: Buffer, view: DataView, at: number, end: number): number {
  const wordsEnd = Math.min(end, view.byteLength - 3);
  let index = at;
  for (; index < wordsEnd; index += 4) {
    const word = view.getInt32(index, true);
    // Digits are 0x30 to 0x39: the upper halves are 3, and stay 3 when 6 is added.
    if ((word & UPPER_HALVES) !== THREES || ((word + SIXES) & UPPER_HALVES) !== THREES) break;
  }
  while (index < end && bytes[index]! >= 0x30 && bytes[index]! <= 0x39) index++;
  return index;
}

function otherKind(byte: number): Kind {
  switch (byte) {
    case OPEN_BRACE:
      return KIND.object;
    case 0x5b:
      return KIND.array;
    case 0x74:
      return KIND.true;
    case 0x66:
      return KIND.false;
    case 0x6e:
      return KIND.null;
    default:
      return KIND.number;
  }
}

/** FNV-1a over the name's bytes, folded to a place in the table. */
function hashOf(bytes: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  return ((hash ^ (hash >>> 15)) >>> 0) % PLACES;
}
