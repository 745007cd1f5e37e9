/** Walks the lines of a body, by native searches for newlines; shared by framing and splitting. */
import { isUtf8 } from 'node:buffer';
import { isJson } from '../lib/json/validate.ts';
import type { IngestLimits, LineProblem } from './contract.ts';
import type { Lease } from './memory.ts';
import { giveBack } from '../lib/give-back.ts';
import { outOfMemory } from './refusal.ts';
import type { Refusal } from './refusal.ts';
import type { Wheel } from './wheel.ts';

const NEWLINE = 0x0a;

/** What a line must be like. */
export interface LineRules {
  readonly lineBytes: number;
  /** Whole lines must be JSON, by the grammar. */
  readonly strict: boolean;
}

/**
 * One line after the other, without allocation. White space in and around lines (spaces, tabs, carriage returns) belongs to
 * them: it is kept as it came, counts into their length and makes no line of its own.
 */
export class LineWalk {
  readonly body: Buffer;
  /** 1-based number of the current line; blank ones count. */
  number = 0;
  /** The current line's first byte, and the place of its newline. */
  start = 0;
  end = 0;
  /** Its first and last byte that are no white space. */
  first = 0;
  last = 0;
  #nextNul: number;
  #knownUtf8: boolean | undefined;

  /** @param body ended by a newline, or empty */
  constructor(body: Buffer) {
    this.body = body;
    this.end = -1;
    this.#nextNul = this.#findNul(0);
  }

  /** Goes to the next line. */
  next(): 'line' | 'blank' | 'end' {
    const body = this.body;
    const start = this.end + 1;
    if (start >= body.length) return 'end';
    const end = body.indexOf(NEWLINE, start);
    this.number++;
    this.start = start;
    this.end = end;
    let first = start;
    while (isSpace(body[first])) first++;
    if (first === end) return 'blank';
    let last = end - 1;
    while (isSpace(body[last])) last--;
    this.first = first;
    this.last = last;
    return 'line';
  }

  /** What is wrong with the current line, if anything. */
  problem(rules: LineRules): LineProblem | undefined {
    if (this.end - this.start > rules.lineBytes) return 'line_too_long';
    if (this.body[this.first] !== 0x7b || this.body[this.last] !== 0x7d || this.#holdsNul()) {
      return 'line_shape';
    }
    if (!rules.strict) return undefined;
    this.#knownUtf8 ??= isUtf8(this.body);
    const valid = isJson(this.body, this.first, this.last + 1, this.#knownUtf8);
    return valid ? undefined : 'line_json';
  }

  #holdsNul(): boolean {
    if (this.#nextNul < this.start) this.#nextNul = this.#findNul(this.start);
    return this.#nextNul < this.end;
  }

  #findNul(from: number): number {
    const found = this.body.indexOf(0, from);
    return found < 0 ? this.body.length : found;
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}

/** Bytes and lines that one turn works through: some milliseconds of the slowest kind of work. */
const TURN_BYTES = 1024 * 1024;
const TURN_LINES = 20_000;

/** A long piece of work in turns, so that a large body does not hold up other requests. */
export interface Work {
  /** Memory that it holds, or will hold after the next step, besides the body. */
  readonly heldBytes: number;
  /** Does one turn's worth; false when there is nothing left to do. */
  step(): boolean;
}

/**
 * Does all of the work when it is the payer's turn, and charges what it holds as that grows.
 *
 * @returns why it was given up, or undefined when it is done; at once when the first step did it all
 */
export function inTurns(
  work: Work,
  lease: Lease,
  wheel: Wheel,
  payer: string,
): Refusal | undefined | Promise<Refusal | undefined> {
  let charged = 0;
  let givenUp: Refusal | undefined;
  const waiting = wheel.run(payer, true, () => {
    const more = work.step();
    const verdict = lease.grow(work.heldBytes - charged);
    if (verdict !== 'ok') givenUp = outOfMemory(verdict);
    else charged = work.heldBytes;
    return more && givenUp === undefined;
  });
  return waiting === undefined ? givenUp : waiting.then(() => givenUp);
}

/** A shorter line than this is looked at for whether it is blank. */
const BLANK_BYTES = 16;

/**
 * How many lines a body holds, blank ones apart; of lines that nobody wants no more is looked at. It is counted as it comes, and
 * nothing of it is held.
 */
export class LineCount {
  lines = 0;
  bytes = 0;
  /** Bytes of a line that the piece before has begun, and whether any of them is no white space. */
  #openBytes = 0;
  #openFilled = false;

  /** Takes a piece and gives its memory back. */
  push(piece: Buffer): void {
    this.bytes += piece.length;
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      this.#open(piece, start, end);
      this.end();
      start = end + 1;
    }
    this.#open(piece, start, piece.length);
    giveBack(piece);
  }

  /** The body has ended, with or without a newline. */
  end(): void {
    if (this.#openFilled || this.#openBytes >= BLANK_BYTES) this.lines++;
    this.#openBytes = 0;
    this.#openFilled = false;
  }

  #open(piece: Buffer, start: number, end: number): void {
    this.#openBytes += end - start;
    if (this.#openFilled || this.#openBytes >= BLANK_BYTES) return;
    for (let at = start; at < end && !this.#openFilled; at++)
      this.#openFilled = !isSpace(piece[at]);
  }
}

/** Counts the lines of a body that is all there, when it is the payer's turn. */
export async function countInTurns(
  pieces: readonly Buffer[],
  wheel: Wheel,
  payer: string,
): Promise<LineCount> {
  const count = new LineCount();
  let next = 0;
  await wheel.run(payer, false, () => {
    const stopAt = count.bytes + TURN_BYTES;
    while (count.bytes < stopAt && next < pieces.length) count.push(pieces[next++]!);
    return next < pieces.length;
  });
  count.end();
  return count;
}

/** Goes through one turn's worth of lines. @returns false when there are no more lines */
export function walkOneTurn(walk: LineWalk, visit: () => void): boolean {
  const stopAt = walk.end + TURN_BYTES;
  for (let count = 0; count < TURN_LINES && walk.end < stopAt; count++) {
    const line = walk.next();
    if (line === 'end') return false;
    if (line === 'line') visit();
  }
  return true;
}

export function tooManyLines(limits: Pick<IngestLimits, 'linesPerRequest'>): Refusal {
  return { code: 'body_too_large', detail: `At most ${limits.linesPerRequest} lines are taken.` };
}

/** A list of numbers below 2^32 that grows. */
export class NumberList {
  length = 0;
  #numbers: Uint32Array;

  constructor(expected: number) {
    this.#numbers = new Uint32Array(Math.max(expected, 8));
  }

  push(number: number): void {
    if (this.length === this.#numbers.length) {
      const larger = new Uint32Array(this.length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.length++] = number;
  }

  at(index: number): number {
    return this.#numbers[index]!;
  }

  get heldBytes(): number {
    return this.#numbers.byteLength;
  }

  /** The numbers, in an array that holds little more. */
  view(): Uint32Array {
    const numbers = this.#numbers;
    return numbers.length > this.length * 2
      ? numbers.slice(0, this.length)
      : numbers.subarray(0, this.length);
  }
}
