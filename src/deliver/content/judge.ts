/**
 * Judges lines by a job's filter.
 *
 * A condition is true when the field is there, is of a kind that the operator can judge, and the comparison holds. A line
 * that lacks the field, or has null or another kind of value in it, makes the condition false, and its negated form (`!eq`,
 * `!in`, ...) true: each line passes exactly one of an operator and its `!`. See `docs/reference/filters.md`.
 */
import type { FilterCondition, FilterNode } from '../../model/filter.ts';
import { skipSpace, skipValue } from '../../lib/json/scanner.ts';
import { compileOperand, holds } from './operand.ts';
import type { Operand } from './operand.ts';
import { KIND } from './line.ts';
import type { Kind, LineScanner } from './line.ts';
import { Value } from './value.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const CLOSE_BRACKET = 0x5d;

/** `MALFORMED`: a value that had to be looked into is not JSON. */
export const FALSE = 0;
export const TRUE = 1;
export const MALFORMED = 2;
export type Verdict = typeof FALSE | typeof TRUE | typeof MALFORMED;

/** Judges the line that the scanner has just scanned. */
export type Judge = (bytes: Buffer, view: DataView) => Verdict;

/** The names of the fields that a filter needs, each once. */
export function filterKeys(node: FilterNode): string[] {
  if (node.kind === 'condition') return [node.key];
  return [...new Set(node.nodes.flatMap(filterKeys))];
}

/** @param slotOf where the scanner puts a field that {@link filterKeys} named */
export function compileJudge(
  node: FilterNode,
  scanner: LineScanner,
  slotOf: (key: string) => number,
): Judge {
  if (node.kind === 'condition') return compileCondition(node, scanner, slotOf(node.key));
  const judges = node.nodes.map((part) => compileJudge(part, scanner, slotOf));
  // The verdict that decides at once: one false part of `and`, one true part of `or`.
  const decisive = node.kind === 'and' ? FALSE : TRUE;
  const otherwise = node.kind === 'and' ? TRUE : FALSE;
  return (bytes, view) => {
    for (let index = 0; index < judges.length; index++) {
      const verdict = judges[index]!(bytes, view);
      if (verdict === MALFORMED || verdict === decisive) return verdict;
    }
    return otherwise;
  };
}

function compileCondition(condition: FilterCondition, scanner: LineScanner, slot: number): Judge {
  const { operator, negated } = condition;
  const operands = condition.operands.map((operand) => compileOperand(operand, operator));
  // What an array's element is compared with: for equality, a string as well as a number.
  const elements = condition.operands.map((operand) => compileOperand(operand, 'eq'));
  const { starts, ends, kinds } = scanner;
  const value = new Value();
  return (bytes, view) => {
    const kind = kinds[slot] as Kind;
    let verdict: Verdict = FALSE;
    if (kind === KIND.array) {
      value.set(bytes, view, starts[slot]!, ends[slot]!, kind);
      if (operator === 'contains') verdict = judgeElements(value, elements);
    } else if (kind !== KIND.none) {
      if (!value.set(bytes, view, starts[slot]!, ends[slot]!, kind)) return MALFORMED;
      verdict = holdsAny(value, operands) ? TRUE : FALSE;
    }
    if (!negated || verdict === MALFORMED) return verdict;
    return verdict === TRUE ? FALSE : TRUE;
  };
}

function holdsAny(value: Value, operands: readonly Operand[]): boolean {
  for (let index = 0; index < operands.length; index++) {
    if (holds(value, operands[index]!)) return true;
  }
  return false;
}

/** Whether an element of the array equals an operand. The array is looked through whole. */
function judgeElements(value: Value, operands: readonly Operand[]): Verdict {
  const { bytes, view, end } = value;
  let at = skipSpace(bytes, value.start + 1, end);
  if (bytes[at] === CLOSE_BRACKET) return FALSE;
  let verdict: Verdict = FALSE;
  while (at < end) {
    const elementEnd = skipValue(bytes, at, end);
    if (elementEnd < 0) return MALFORMED;
    if (!value.set(bytes, view, at, elementEnd, elementKind(bytes[at]!))) return MALFORMED;
    if (holdsAny(value, operands)) verdict = TRUE;
    at = skipSpace(bytes, elementEnd, end);
    if (bytes[at] === CLOSE_BRACKET) return verdict;
    if (bytes[at] !== COMMA) return MALFORMED;
    at = skipSpace(bytes, at + 1, end);
  }
  return MALFORMED;
}

/** Only strings and numbers can be looked for; what else stands there equals nothing. */
function elementKind(first: number): Kind {
  if (first === QUOTE) return KIND.string;
  return first === MINUS || (first >= 0x30 && first <= 0x39) ? KIND.number : KIND.null;
}
