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

/** Names remembered at once; when more come, all are forgotten and learned anew. */
const ENTRIES = 512;
/** Names longer than this, with their quotes, are looked up each time. */
const ENTRY_BYTES = 256;
/** The entry before the first field of a line. */
const BEGIN = 0;
const UNKNOWN = -1;
const SLOTS_OF_HASH = 2048;

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

  readonly #slotOf: ReadonlyMap<string, number>;
  readonly #plan: ScannerPlan;

  // Entries: their names with quotes, as they stand in lines, escapes and all; four bytes to a number, the last one masked.
  #entries = 1;
  #words = new Int32Array(512);
  #wordsEnd = 0;
  readonly #wordAt = new Int32Array(ENTRIES);
  readonly #lastWordAt = new Int32Array(ENTRIES);
  readonly #lastMask = new Int32Array(ENTRIES);
  readonly #nameLength = new Int32Array(ENTRIES);
  readonly #next = new Int32Array(ENTRIES).fill(UNKNOWN);
  readonly #slot = new Int32Array(ENTRIES).fill(UNKNOWN);
  readonly #marked = new Uint8Array(ENTRIES);
  readonly #hash = new Int16Array(SLOTS_OF_HASH).fill(UNKNOWN);

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
  }

  /**
   * Looks through the line in `[start, end)`.
   *
   * @returns false when it is malformed
   */
  scan(bytes: Buffer, view: DataView, start: number, end: number): boolean {
    const { starts, ends, kinds } = this;
    const { listAll } = this.#plan;
    const next = this.#next;
    const slots = this.#slot;
    const marks = this.#marked;
    const lengths = this.#nameLength;
    for (let slot = 0; slot < kinds.length; slot++) kinds[slot] = KIND.none;
    this.fieldCount = 0;
    let index = skipSpace(bytes, start, end);
    if (index >= end || bytes[index] !== OPEN_BRACE) return false;
    index = skipSpace(bytes, index + 1, end);
    if (index < end && bytes[index] === CLOSE_BRACE)
      return skipSpace(bytes, index + 1, end) === end;
    let previous = BEGIN;
    while (index < end) {
      const nameAt = index;
      let entry = next[previous]!;
      let slot: number;
      let marked: number;
      if (entry !== UNKNOWN && this.#isEntry(entry, view, index)) {
        slot = slots[entry]!;
        marked = marks[entry]!;
        index += lengths[entry]!;
      } else {
        if (bytes[index] !== QUOTE) return false;
        entry = this.#lookUp(bytes, view, index, end);
        if (this.#foundLength < 0) return false;
        // A forgotten entry may be the one before: then nothing is learned from this field.
        if (previous < this.#entries) next[previous] = entry;
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
      let index = at + 1;
      while (index < end && bytes[index]! >= 0x30 && bytes[index]! <= 0x39) index++;
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

  /** Whether the name at `at` is the entry's, quotes and all. */
  #isEntry(entry: number, view: DataView, at: number): boolean {
    const words = this.#words;
    const last = this.#lastWordAt[entry]!;
    let word = this.#wordAt[entry]!;
    let index = at;
    if (index + (last - word) * 4 + 4 > view.byteLength) return false;
    for (; word < last; word++) {
      if (view.getInt32(index, true) !== words[word]) return false;
      index += 4;
    }
    return (view.getInt32(index, true) & this.#lastMask[entry]!) === words[last];
  }

  /**
   * Finds the entry of the name whose opening quote stands at `at`, or makes it one.
   *
   * @returns the entry, or UNKNOWN when the name is too long for one. `#found...` say the rest; a `#foundLength` below zero
   *   says that the name is malformed
   */
  #lookUp(bytes: Buffer, view: DataView, at: number, end: number): number {
    const nameEnd = skipString(bytes, at, end);
    const length = nameEnd - at;
    this.#foundLength = nameEnd < 0 || nameEnd > end ? -1 : length;
    if (this.#foundLength < 0) return UNKNOWN;
    if (length > ENTRY_BYTES) {
      this.#learn(bytes, at, nameEnd);
      return UNKNOWN;
    }
    let place = hashOf(bytes, at, nameEnd);
    for (;;) {
      const entry = this.#hash[place]!;
      if (entry === UNKNOWN) break;
      if (this.#nameLength[entry] === length && this.#isEntry(entry, view, at)) {
        this.#foundSlot = this.#slot[entry]!;
        this.#foundMark = this.#marked[entry]!;
        return entry;
      }
      place = (place + 1) % SLOTS_OF_HASH;
    }
    this.#learn(bytes, at, nameEnd);
    return this.#foundLength < 0 ? UNKNOWN : this.#addEntry(bytes, at, nameEnd);
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

  #addEntry(bytes: Buffer, start: number, end: number): number {
    if (this.#entries === ENTRIES) this.#forget();
    const entry = this.#entries++;
    const length = end - start;
    const count = (length + 3) >> 2;
    if (this.#wordsEnd + count > this.#words.length) {
      const grown = new Int32Array(this.#words.length * 2);
      grown.set(this.#words);
      this.#words = grown;
    }
    for (let word = 0; word < count; word++) {
      const left = Math.min(4, length - word * 4);
      this.#words[this.#wordsEnd + word] = bytes.readUIntLE(start + word * 4, left);
    }
    this.#wordAt[entry] = this.#wordsEnd;
    this.#lastWordAt[entry] = this.#wordsEnd + count - 1;
    this.#lastMask[entry] = -1 >>> (8 * (count * 4 - length));
    this.#wordsEnd += count;
    this.#nameLength[entry] = length;
    this.#slot[entry] = this.#foundSlot;
    this.#marked[entry] = this.#foundMark;
    let place = hashOf(bytes, start, end);
    while (this.#hash[place] !== UNKNOWN) place = (place + 1) % SLOTS_OF_HASH;
    this.#hash[place] = entry;
    return entry;
  }

  #forget(): void {
    this.#entries = 1;
    this.#wordsEnd = 0;
    this.#next.fill(UNKNOWN);
    this.#hash.fill(UNKNOWN);
  }
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
  return ((hash ^ (hash >>> 15)) >>> 0) % SLOTS_OF_HASH;
}
