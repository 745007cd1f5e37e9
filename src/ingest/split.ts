/**
 * Splits a `?by=` body: tells by a field's value to which zone each line belongs, and gathers each stream's lines in their
 * order.
 *
 * Lines are looked into by the byte scanner alone. A value's bytes are looked up in a table, so that a zone is resolved once
 * per body however many lines it has, and no line costs an allocation. A second pass copies the lines of each wanted stream
 * together. What cannot be told apart (no such field, no known zone, not a line at all) is refused by itself; the lines of
 * others go on.
 */
import type { Lines } from '../buffer/index.ts';
import { decodeString, forEachTopLevelField, isName } from '../lib/json/scanner.ts';
import type { FieldVisitor } from '../lib/json/scanner.ts';
import type { StreamKey } from '../model/scope.ts';
import type { IngestLimits, KeptLine, LineProblem, Onlooker } from './contract.ts';
import { keptLine } from './frame.ts';
import { LineWalk, NumberList, tooManyLines, walkOneTurn } from './lines.ts';
import type { LineRules, Work } from './lines.ts';
import type { Found, Place } from './place.ts';
import type { Refusal } from './refusal.ts';
import { ValueTable } from './value-table.ts';

/** The lines of one stream in a body. */
interface StreamPart {
  readonly place: Place;
  /** Lines of the body that belong to it, whether good or bad. */
  readonly count: number;
  /** Its good lines; empty when it is not wanted or refused. */
  readonly lines: Lines;
  readonly bad: readonly KeptLine[];
  readonly refusal: Refusal | undefined;
}

/** Lines that belong to no stream that the sender may write to. */
interface StrayPart {
  readonly count: number;
  readonly refusal: Refusal;
}

export interface Split {
  readonly parts: readonly StreamPart[];
  readonly strays: readonly StrayPart[];
  /** Why nothing of the whole body may be stored. */
  readonly refusal: Refusal | undefined;
  /** Where the lines lie that stay on this shard. */
  readonly memory: Buffer | undefined;
}

/** A zone's id or name is far shorter; longer values are not looked up. */
const VALUE_BYTES_MAX = 512;
const USUAL_LINE_BYTES = 256;
const COPIES_PER_TURN = 20_000;
/** What a part costs by itself, roughly. */
const PART_BYTES = 512;
const NO_BYTES = Buffer.alloc(0);

const fresh = (bytes: number): Buffer => Buffer.allocUnsafeSlow(bytes);

interface Part {
  readonly place: Place;
  /** Is shown its good lines on the way, wanted or not. */
  readonly onlooker: Onlooker | undefined;
  readonly bad: KeptLine[];
  count: number;
  goodLines: number;
  goodBytes: number;
  refusal: Refusal | undefined;
  lines: Lines;
  /** While lines are copied: what has been filled. */
  filledBytes: number;
  filledLines: number;
}

/** Marks values in the table that lead to no part. */
const UNKNOWN = -1;
const NOT_ALLOWED = -2;

export class Splitting implements Work {
  readonly #walk: LineWalk;
  readonly #rules: LineRules;
  readonly #limits: IngestLimits;
  readonly #quarantine: boolean;
  readonly #field: Buffer;
  readonly #resolve: (value: string) => Found;
  readonly #onlooker: ((stream: StreamKey) => Onlooker | undefined) | undefined;
  readonly #ownerOf: ((stream: StreamKey) => number | undefined) | undefined;
  readonly #make: (bytes: number) => Buffer;
  #memory: Buffer | undefined;
  readonly #values: ValueTable;
  readonly #parts: Part[] = [];
  readonly #partOf = new Map<StreamKey, number>();
  readonly #strays = new Map<Refusal['code'], { refusal: Refusal; count: number }>();
  /** For each good line of a wanted stream: its part, its first byte, the place behind its newline. */
  readonly #lineParts: NumberList;
  readonly #lineStarts: NumberList;
  readonly #lineEnds: NumberList;
  #quarantined = 0;
  #badBytes = 0;
  /** What the second pass will copy; set when the first one is over. */
  #copyBytes = 0;
  #refusal: Refusal | undefined;
  #copiedLines = 0;

  /**
   * @param body ended by a newline, or empty
   * @param by the field, where a value of it leads (asked about once per value), and who looks at a stream
   * @param seed any number that senders do not know: it spreads the values in their table
   */
  constructor(
    body: Buffer,
    by: {
      readonly field: string;
      readonly resolve: (value: string) => Found;
      readonly onlooker?: (stream: StreamKey) => Onlooker | undefined;
      /** The other shard that owns a stream: what goes there lies in memory of its own, which can be moved. */
      readonly ownerOf?: (stream: StreamKey) => number | undefined;
      /** Memory for lines that stay on this shard; absent: made anew. */
      readonly make?: (bytes: number) => Buffer;
      readonly seed: number;
    },
    rules: LineRules,
    limits: IngestLimits,
    quarantine: boolean,
  ) {
    this.#walk = new LineWalk(body);
    this.#rules = rules;
    this.#limits = limits;
    this.#quarantine = quarantine;
    this.#field = Buffer.from(by.field);
    this.#resolve = by.resolve;
    this.#onlooker = by.onlooker;
    this.#ownerOf = by.ownerOf;
    this.#make = by.make ?? fresh;
    this.#values = new ValueTable(body, 2 * limits.streamsPerRequest, by.seed);
    const expected = Math.ceil(body.length / USUAL_LINE_BYTES);
    this.#lineParts = new NumberList(expected);
    this.#lineStarts = new NumberList(expected);
    this.#lineEnds = new NumberList(expected);
  }

  get heldBytes(): number {
    const lists = this.#lineParts.heldBytes + this.#lineStarts.heldBytes + this.#lineEnds.heldBytes;
    return lists + this.#badBytes + this.#copyBytes + this.#parts.length * PART_BYTES;
  }

  step(): boolean {
    if (this.#copyBytes > 0) return this.#copySome();
    const more = walkOneTurn(this.#walk, this.#visit);
    if (this.#walk.number > this.#limits.linesPerRequest) {
      this.#refusal = tooManyLines(this.#limits);
    } else if (this.#parts.length > this.#limits.streamsPerRequest) {
      const detail = `At most ${this.#limits.streamsPerRequest} streams are taken.`;
      this.#refusal = { code: 'body_too_large', detail };
    }
    if (this.#refusal !== undefined) return false;
    if (more) return true;
    for (const part of this.#takers()) this.#copyBytes += part.goodBytes + 4 * part.goodLines;
    return this.#copyBytes > 0;
  }

  readonly #visit = (): void => {
    const walk = this.#walk;
    if (walk.end - walk.start > this.#limits.lineBytes) return this.#stray('line_too_long');
    this.#valueStart = -1;
    const scan = forEachTopLevelField(walk.body, walk.first, walk.last + 1, this.#seeField);
    if (scan === 'malformed') return this.#stray('line_shape');
    const index = this.#valueStart < 0 ? UNKNOWN : this.#partIndex();
    if (index === UNKNOWN) return this.#stray('routing_field_missing');
    if (index === NOT_ALLOWED) return this.#stray('scope_not_allowed');
    const part = this.#parts[index]!;
    part.count++;
    const { wanted } = part.place;
    if (part.refusal !== undefined || !(wanted || part.onlooker)) return;
    const problem = walk.problem(this.#rules);
    if (problem === undefined) part.onlooker?.see(walk.body, walk.start, walk.end + 1);
    if (!wanted) return;
    if (problem !== undefined) return this.#putAside(part, problem);
    part.goodLines++;
    part.goodBytes += walk.end + 1 - walk.start;
    this.#lineParts.push(index);
    this.#lineStarts.push(walk.start);
    this.#lineEnds.push(walk.end + 1);
  };

  /** The field's value in the current line: the last of several counts. */
  #valueStart = -1;
  #valueEnd = -1;
  #valueIsText = false;
  readonly #seeField: FieldVisitor = (nameStart, nameEnd, escaped, start, end, kind) => {
    if (isName(this.#walk.body, nameStart, nameEnd, escaped, this.#field)) {
      this.#valueIsText = kind === 'string';
      const usable = this.#valueIsText || kind === 'number';
      this.#valueStart = usable && end - start <= VALUE_BYTES_MAX ? start : -1;
      this.#valueEnd = end;
    }
    return true;
  };

  #partIndex(): number {
    const known = this.#values.get(this.#valueStart, this.#valueEnd);
    if (known !== undefined) return known;
    const index = this.#resolveValue();
    this.#values.set(this.#valueStart, this.#valueEnd, index);
    return index;
  }

  #resolveValue(): number {
    const body = this.#walk.body;
    const value = this.#valueIsText
      ? decodeString(body, this.#valueStart, this.#valueEnd)
      : integerText(body.toString('latin1', this.#valueStart, this.#valueEnd));
    const found = value === undefined ? 'unknown' : this.#resolve(value);
    if (found === 'unknown') return UNKNOWN;
    if (found === 'not_allowed') return NOT_ALLOWED;
    const known = this.#partOf.get(found.stream);
    if (known !== undefined) return known;
    const index = this.#parts.length;
    this.#partOf.set(found.stream, index);
    this.#parts.push({
      place: found,
      onlooker: this.#onlooker?.(found.stream),
      bad: [],
      count: 0,
      goodLines: 0,
      goodBytes: 0,
      refusal: undefined,
      lines: { bytes: NO_BYTES, ends: new Uint32Array(0) },
      filledBytes: 0,
      filledLines: 0,
    });
    return index;
  }

  #stray(code: Refusal['code']): void {
    const known = this.#strays.get(code);
    if (known !== undefined) known.count++;
    else this.#strays.set(code, { refusal: { code, line: this.#walk.number }, count: 1 });
  }

  #putAside(part: Part, problem: LineProblem): void {
    if (!this.#quarantine || this.#quarantined >= this.#limits.quarantinedPerRequest) {
      part.refusal = { code: problem, line: this.#walk.number };
      return;
    }
    const line = keptLine(this.#walk, problem, this.#limits.lineBytes);
    this.#quarantined++;
    this.#badBytes += line.bytes.length;
    part.bad.push(line);
  }

  #takers(): Part[] {
    return this.#parts.filter((part) => part.refusal === undefined && part.goodLines > 0);
  }

  /** What goes to the same shard lies together; what is handed on later than the rest lies by itself. */
  #makeRoom(): void {
    const groups = new Map<number | undefined | Part, Part[]>();
    for (const part of this.#takers()) {
      const owner = this.#ownerOf?.(part.place.stream);
      const key = owner !== undefined && part.bad.length > 0 ? part : owner;
      const group = groups.get(key);
      if (group) group.push(part);
      else groups.set(key, [part]);
    }
    for (const [key, group] of groups) {
      const isOwn = key === undefined;
      const memory = makeRoom(group, isOwn ? this.#make : fresh);
      if (isOwn) this.#memory = memory;
    }
  }

  /** Copies one turn's worth of lines. */
  #copySome(): boolean {
    if (this.#copiedLines === 0) this.#makeRoom();
    const total = this.#lineParts.length;
    const stopAt = Math.min(total, this.#copiedLines + COPIES_PER_TURN);
    for (let index = this.#copiedLines; index < stopAt; index++) {
      const part = this.#parts[this.#lineParts.at(index)]!;
      if (part.refusal !== undefined) continue;
      const start = this.#lineStarts.at(index);
      const end = this.#lineEnds.at(index);
      this.#walk.body.copy(part.lines.bytes, part.filledBytes, start, end);
      part.filledBytes += end - start;
      part.lines.ends[part.filledLines++] = part.filledBytes;
    }
    this.#copiedLines = stopAt;
    return stopAt < total;
  }

  result(): Split {
    const strays = [...this.#strays.values()];
    return { parts: this.#parts, strays, refusal: this.#refusal, memory: this.#memory };
  }
}

/**
 * Gives each part its place in one buffer, and its ends in one array: thousands of parts cost two allocations.
 *
 * @returns the buffer
 */
function makeRoom(takers: readonly Part[], make: (bytes: number) => Buffer): Buffer {
  const bytes = make(takers.reduce((sum, part) => sum + part.goodBytes, 0));
  const ends = new Uint32Array(takers.reduce((sum, part) => sum + part.goodLines, 0));
  let atByte = 0;
  let atLine = 0;
  for (const part of takers) {
    part.lines = {
      bytes: bytes.subarray(atByte, (atByte += part.goodBytes)),
      ends: ends.subarray(atLine, (atLine += part.goodLines)),
    };
  }
  return bytes;
}

function integerText(number: string): string | undefined {
  return /^-?[0-9]+$/.test(number) ? number : undefined;
}
