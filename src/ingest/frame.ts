/**
 * Frames a body for one stream: finds where its lines end, checks their shape, and leaves every byte as it came.
 *
 * A body in which nothing is wrong and nothing is blank goes through as the very Buffer that it is. Where lines have to go
 * (blank ones, and bad ones that are kept apart), the rest moves up in place.
 */
import type { Lines } from '../buffer/index.ts';
import type { IngestLimits, KeptLine, LineProblem } from './contract.ts';
import { LineWalk, NumberList, tooManyLines, walkOneTurn } from './lines.ts';
import type { LineRules, Work } from './lines.ts';
import type { Refusal } from './refusal.ts';

export interface Framed {
  readonly lines: Lines;
  /** Lines kept apart, in their order. */
  readonly bad: readonly KeptLine[];
  /** Why nothing of the body may be stored. */
  readonly refusal: Refusal | undefined;
  /** Lines of the body, blank ones apart, whether good or bad. */
  readonly count: number;
}

/** A guess at a line's length, which only sizes the first array. */
const USUAL_LINE_BYTES = 256;

export class Framing implements Work {
  readonly #walk: LineWalk;
  readonly #rules: LineRules;
  readonly #limits: IngestLimits;
  readonly #quarantine: boolean;
  readonly #beforeChange: (() => void) | undefined;
  readonly #ends: NumberList;
  readonly #bad: KeptLine[] = [];
  #refusal: Refusal | undefined;
  #badBytes = 0;
  #keptBytes = 0;
  #count = 0;

  /**
   * @param body ended by a newline, or empty; it may be changed
   * @param quarantine keep bad lines apart instead of refusing the body
   * @param beforeChange called before a byte of the body is changed
   */
  constructor(
    body: Buffer,
    rules: LineRules,
    limits: IngestLimits,
    quarantine: boolean,
    beforeChange?: () => void,
  ) {
    this.#walk = new LineWalk(body);
    this.#rules = rules;
    this.#limits = limits;
    this.#quarantine = quarantine;
    this.#beforeChange = beforeChange;
    this.#ends = new NumberList(Math.ceil(body.length / USUAL_LINE_BYTES));
  }

  get heldBytes(): number {
    return this.#ends.heldBytes + this.#badBytes;
  }

  step(): boolean {
    const more = walkOneTurn(this.#walk, this.#visit);
    if (this.#walk.number <= this.#limits.linesPerRequest) return more;
    this.#refusal = tooManyLines(this.#limits);
    return false;
  }

  readonly #visit = (): void => {
    this.#count++;
    // What is refused is only counted from there on.
    if (this.#refusal !== undefined) return;
    const walk = this.#walk;
    const problem = walk.problem(this.#rules);
    if (problem !== undefined) return this.#putAside(problem);
    const next = walk.end + 1;
    if (this.#keptBytes !== walk.start) {
      this.#beforeChange?.();
      walk.body.copyWithin(this.#keptBytes, walk.start, next);
    }
    this.#keptBytes += next - walk.start;
    this.#ends.push(this.#keptBytes);
  };

  #putAside(problem: LineProblem): void {
    if (!this.#quarantine || this.#bad.length >= this.#limits.quarantinedPerRequest) {
      this.#refusal = { code: problem, line: this.#walk.number };
      return;
    }
    const line = keptLine(this.#walk, problem, this.#limits.lineBytes);
    this.#badBytes += line.bytes.length;
    this.#bad.push(line);
  }

  result(): Framed {
    return {
      lines: { bytes: this.#walk.body.subarray(0, this.#keptBytes), ends: this.#ends.view() },
      bad: this.#bad,
      refusal: this.#refusal,
      count: this.#count,
    };
  }
}

/** The walk's current line, copied out, cut at `lineBytes`. */
export function keptLine(walk: LineWalk, problem: LineProblem, lineBytes: number): KeptLine {
  const end = Math.min(walk.end, walk.start + lineBytes);
  return { line: walk.number, bytes: Buffer.from(walk.body.subarray(walk.start, end)), problem };
}
