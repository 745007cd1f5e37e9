/**
 * Judges lines by a job's filter.
 *
 * A condition is true when the field is there, is of a kind that the operator can judge, and the comparison holds. A line
 * that lacks the field, or has null or another kind of value in it, makes the condition false, and its negated form (`!eq`,
 * `!in`, ...) true: each line passes exactly one of an operator and its `!`. See `docs/reference/filters.md`.
 */
import type { FilterCondition, FilterNode } from '../../model/filter.ts';
import { ArrayProbe } from './array-probe.ts';
import { compileOperand, holds } from './operand.ts';
import { KIND } from './line.ts';
import type { Kind, LineScanner } from './line.ts';
import { Value } from './value.ts';

/** `MALFORMED`: a value that had to be looked into is not JSON. */
export const FALSE = 0;
const TRUE = 1;
export const MALFORMED = 2;
type Verdict = typeof FALSE | typeof TRUE | typeof MALFORMED;

/** Judges the line that the scanner has just scanned. */
export type Judge = (bytes: Buffer, view: DataView) => Verdict;

/** The names of the fields that a filter needs, each once. */
export function filterKeys(node: FilterNode): string[] {
  if (node.kind === 'condition') return [node.key];
  return [...new Set(node.nodes.flatMap(filterKeys))];
}

/** @param slotOf where the scanner puts a field that {@link filterKeys} named */
export function compileJudge(
  filter: FilterNode,
  scanner: LineScanner,
  slotOf: (key: string) => number,
): Judge {
  const probes = new Map<number, ArrayProbe>();
  const compile = (node: FilterNode): Judge => {
    if (node.kind !== 'condition') return compileJoint(node.kind, node.nodes.map(compile));
    const slot = slotOf(node.key);
    const judge = compileCondition(node, scanner, slot);
    if (node.operator !== 'contains') return judge;
    const probe = probes.get(slot) ?? new ArrayProbe(scanner, slot);
    probes.set(slot, probe);
    return compileContains(node, scanner, slot, probe, judge);
  };
  return compile(filter);
}

function compileJoint(kind: 'and' | 'or', judges: readonly Judge[]): Judge {
  // The verdict that decides at once: one false part of `and`, one true part of `or`.
  const decisive = kind === 'and' ? FALSE : TRUE;
  const otherwise = kind === 'and' ? TRUE : FALSE;
  return (bytes, view) => {
    for (let index = 0; index < judges.length; index++) {
      const verdict = judges[index]!(bytes, view);
      if (verdict === MALFORMED || verdict === decisive) return verdict;
    }
    return otherwise;
  };
}

/** The value under judgement. Shared by all of a thread, so that no job holds on to the block that it saw last. */
const value = new Value();
/** Whose value `value` holds: several conditions may speak of one field, which is then decoded once. */
const loaded = { scanner: undefined as LineScanner | undefined, scan: 0, slot: 0, isSound: true };

function load(scanner: LineScanner, slot: number, bytes: Buffer, view: DataView): boolean {
  if (loaded.scanner === scanner && loaded.scan === scanner.scans && loaded.slot === slot) {
    return loaded.isSound;
  }
  loaded.scanner = scanner;
  loaded.scan = scanner.scans;
  loaded.slot = slot;
  const kind = scanner.kinds[slot] as Kind;
  loaded.isSound = value.set(bytes, view, scanner.starts[slot]!, scanner.ends[slot]!, kind);
  return loaded.isSound;
}

function compileCondition(condition: FilterCondition, scanner: LineScanner, slot: number): Judge {
  const { operator, negated } = condition;
  const operands = condition.operands.map((operand) => compileOperand(operand, operator));
  return (bytes, view) => {
    if (scanner.kinds[slot] === KIND.none) return verdictOf(false, negated);
    if (!load(scanner, slot, bytes, view)) return MALFORMED;
    for (let index = 0; index < operands.length; index++) {
      if (holds(value, operands[index]!)) return verdictOf(true, negated);
    }
    return verdictOf(false, negated);
  };
}

/** `contains` speaks of a string's text, which `ofText` judges, and of an array's elements. */
function compileContains(
  { operands, negated }: FilterCondition,
  scanner: LineScanner,
  slot: number,
  probe: ArrayProbe,
  ofText: Judge,
): Judge {
  const wanted = operands.map((operand) => probe.add(operand));
  return (bytes, view) => {
    if (scanner.kinds[slot] !== KIND.array) return ofText(bytes, view);
    if (!probe.look(bytes, view)) return MALFORMED;
    return verdictOf(
      wanted.some((operand) => probe.isFound(operand)),
      negated,
    );
  };
}

function verdictOf(isHeld: boolean, isNegated: boolean): Verdict {
  return isHeld === isNegated ? FALSE : TRUE;
}
