/** Compares one value of a line with one value of a filter, on bytes. */
import { unreachable } from '../../lib/assert.ts';
import { parseDecimal } from '../../lib/json/decimal.ts';
import type { Decimal } from '../../lib/json/decimal.ts';
import { compareMoments, readRfc3339, readUnixTime } from '../../lib/timestamp.ts';
import type { Moment } from '../../lib/timestamp.ts';
import type { FilterOperand, FilterOperator } from '../../model/filter.ts';
import { KIND } from './line.ts';
import type { Value } from './value.ts';
import { sameBytes, viewOf } from './words.ts';

/** A filter's value, made ready once. */
export type Operand = { readonly operator: FilterOperator } & (
  | { readonly kind: 'string'; readonly bytes: Buffer; readonly view: DataView }
  | { readonly kind: 'number'; readonly decimal: Decimal }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'time'; readonly moment: Readonly<Moment> }
);

export function compileOperand(operand: FilterOperand, operator: FilterOperator): Operand {
  switch (operand.kind) {
    case 'string': {
      const bytes = Buffer.from(operand.text);
      return { operator, kind: 'string', bytes, view: viewOf(bytes) };
    }
    case 'number':
      return { operator, kind: 'number', decimal: parseDecimal(operand.text) };
    case 'bool':
    case 'time':
      return { operator, ...operand };
  }
}

/** The time in the value under comparison. Scratch of one synchronous call. */
const moment: Moment = { seconds: 0, nanos: 0 };

/** Whether `value operator operand` holds; false when they are not of one kind. */
export function holds(value: Value, operand: Operand): boolean {
  switch (operand.kind) {
    case 'string':
      return value.kind === KIND.string && textHolds(value, operand);
    case 'number':
      return (
        value.kind === KIND.number &&
        orderHolds(value.number.compare(operand.decimal), operand.operator)
      );
    case 'bool':
      return value.kind === (operand.value ? KIND.true : KIND.false);
    case 'time':
      return (
        readTime(value) && orderHolds(compareMoments(moment, operand.moment), operand.operator)
      );
  }
}

function readTime(value: Value): boolean {
  if (value.kind === KIND.number) return readUnixTime(value.bytes, value.start, value.end, moment);
  if (value.kind === KIND.string) return readRfc3339(value.bytes, value.start, value.end, moment);
  return false;
}

function orderHolds(order: number, operator: FilterOperator): boolean {
  switch (operator) {
    case 'eq':
    case 'in':
      return order === 0;
    case 'lt':
      return order < 0;
    case 'leq':
      return order <= 0;
    case 'gt':
      return order > 0;
    case 'geq':
      return order >= 0;
    case 'startsWith':
    case 'endsWith':
    case 'contains':
      return false;
    default:
      return unreachable(operator);
  }
}

type TextOperand = Extract<Operand, { kind: 'string' }>;

function textHolds(value: Value, operand: TextOperand): boolean {
  const { start, end } = value;
  const length = operand.bytes.length;
  if (length > end - start) return false;
  switch (operand.operator) {
    case 'eq':
    case 'in':
      return length === end - start && sameBytes(value.view, start, operand.view, 0, length);
    case 'startsWith':
      return sameBytes(value.view, start, operand.view, 0, length);
    case 'endsWith':
      return sameBytes(value.view, end - length, operand.view, 0, length);
    case 'contains':
      return contains(value, operand);
    case 'lt':
    case 'leq':
    case 'gt':
    case 'geq':
      return false;
    default:
      return unreachable(operand.operator);
  }
}

/** From here on the native search, which does not slow down on texts that nearly match, is the quicker one. */
const NATIVE_SEARCH_BYTES = 96;

function contains({ bytes, view, start, end }: Value, operand: TextOperand): boolean {
  const length = operand.bytes.length;
  if (length === 0) return true;
  if (end - start > NATIVE_SEARCH_BYTES) return bytes.subarray(start, end).includes(operand.bytes);
  const first = operand.bytes[0];
  for (let index = start; index <= end - length; index++) {
    if (bytes[index] === first && sameBytes(view, index, operand.view, 0, length)) return true;
  }
  return false;
}
