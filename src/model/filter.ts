/**
 * A job's filter: the customer's JSON text, checked when the job is made and turned into a tree that the data plane can
 * judge lines by. Grammar and operators: Logpush's, see `docs/reference/filters.md`.
 *
 * The text is configuration, not a log line, so it is parsed whole; its numbers are kept as text, so that an integer beyond
 * 2^53 is compared by all of its digits.
 */
import { readRfc3339, readUnixTime } from '../lib/timestamp.ts';
import type { Moment } from '../lib/timestamp.ts';
import { fieldType, unknownField } from './dataset-fields.ts';
import { limits } from './limits.ts';
import type { DatasetConfig, FieldConfig } from './snapshot.ts';

/** Without its `!`: negation stands apart. */
export type FilterOperator =
  | 'eq'
  | 'lt'
  | 'leq'
  | 'gt'
  | 'geq'
  | 'startsWith'
  | 'endsWith'
  | 'contains'
  | 'in';

/** What a field's value is compared with. */
export type FilterOperand =
  | { readonly kind: 'string'; readonly text: string }
  /** A number by JSON's grammar, as text. */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'bool'; readonly value: boolean }
  /** For fields that hold times: compared as a point in time, however the line writes it. */
  | { readonly kind: 'time'; readonly moment: Readonly<Moment> };

export interface FilterCondition {
  readonly kind: 'condition';
  readonly key: string;
  readonly operator: FilterOperator;
  /** Whether the operator came with a `!`: true for exactly the lines for which the plain one is false. */
  readonly negated: boolean;
  /** One for all operators but `in`. */
  readonly operands: readonly FilterOperand[];
}

export type FilterNode =
  | { readonly kind: 'and' | 'or'; readonly nodes: readonly FilterNode[] }
  | FilterCondition;

export type ParsedFilter =
  | { readonly kind: 'none' }
  | { readonly kind: 'filter'; readonly node: FilterNode }
  | {
      readonly kind: 'invalid';
      /** Where in the filter: `where.and[1].value`; empty for the text as a whole. */
      readonly path: string;
      readonly message: string;
    };

type Bounds = { readonly filterBytes: number; readonly filterConditions: number };

/**
 * Checks a filter's text against the grammar and the dataset's fields.
 *
 * @param text as the customer sent it; empty means that everything passes
 * @param dataset undefined or open: any field may be named, and the value's type says what is compared
 */
export function parseFilter(
  text: string,
  dataset: DatasetConfig | undefined,
  bounds: Bounds = limits.control,
): ParsedFilter {
  if (text.trim() === '') return { kind: 'none' };
  const bytes = Buffer.byteLength(text);
  if (bytes > bounds.filterBytes) {
    return invalid('', `is ${bytes} bytes long; at most ${bounds.filterBytes} are allowed`);
  }
  const tree = parseText(text);
  if (tree instanceof Mistake) return invalid(tree.path, tree.message);
  const reader = new FilterReader(dataset, bounds.filterConditions);
  try {
    return { kind: 'filter', node: reader.readRoot(tree) };
  } catch (error) {
    if (error instanceof Mistake) return invalid(error.path, error.message);
    throw error;
  }
}

function invalid(path: string, message: string): ParsedFilter {
  return { kind: 'invalid', path, message };
}

/** Carries a mistake up through the tree; never leaves this file. */
class Mistake extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/** A number of the filter, not rounded. */
class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type ReviverWithSource = (key: string, value: unknown, context: { source?: string }) => unknown;

function parseText(text: string): unknown {
  const keepDigits: ReviverWithSource = (_key, value, { source }) =>
    typeof value === 'number' ? new NumberText(source ?? String(value)) : value;
  try {
    // The types of the language do not know the reviver's third parameter yet (ECMAScript 2026).
    return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown);
  } catch (error) {
    return new Mistake('', `is not valid JSON: ${error instanceof Error ? error.message : ''}`);
  }
}

type KnownOperator = Pick<FilterCondition, 'operator' | 'negated'>;

const OPERATORS: ReadonlyMap<string, KnownOperator> = new Map<string, KnownOperator>([
  ['eq', { operator: 'eq', negated: false }],
  ['!eq', { operator: 'eq', negated: true }],
  ['lt', { operator: 'lt', negated: false }],
  ['leq', { operator: 'leq', negated: false }],
  ['gt', { operator: 'gt', negated: false }],
  ['geq', { operator: 'geq', negated: false }],
  ['startsWith', { operator: 'startsWith', negated: false }],
  ['!startsWith', { operator: 'startsWith', negated: true }],
  ['endsWith', { operator: 'endsWith', negated: false }],
  ['!endsWith', { operator: 'endsWith', negated: true }],
  ['contains', { operator: 'contains', negated: false }],
  ['!contains', { operator: 'contains', negated: true }],
  ['in', { operator: 'in', negated: false }],
  ['!in', { operator: 'in', negated: true }],
  // Not in Logpush's table of operators, but in its own examples.
  ['neq', { operator: 'eq', negated: true }],
]);

type FieldType = FieldConfig['type'];

/** By operator: the types of field that it can judge, apart from `any`. */
const JUDGES: Readonly<Record<FilterOperator, readonly FieldType[]>> = {
  eq: ['string', 'int', 'float', 'bool', 'timestamp'],
  lt: ['int', 'float', 'timestamp'],
  leq: ['int', 'float', 'timestamp'],
  gt: ['int', 'float', 'timestamp'],
  geq: ['int', 'float', 'timestamp'],
  startsWith: ['string'],
  endsWith: ['string'],
  contains: ['string', 'array[string]', 'array[int]'],
  in: ['string', 'int', 'float', 'timestamp'],
};

class FilterReader {
  readonly #dataset: DatasetConfig | undefined;
  readonly #most: number;
  #conditions = 0;

  constructor(dataset: DatasetConfig | undefined, most: number) {
    this.#dataset = dataset;
    this.#most = most;
  }

  readRoot(tree: unknown): FilterNode {
    if (!isObject(tree)) throw new Mistake('', 'must be a JSON object: {"where": ...}');
    const other = Object.keys(tree).find((key) => key !== 'where');
    if (other !== undefined) throw new Mistake(other, 'is not known; only "where" may stand here');
    if (!Object.hasOwn(tree, 'where')) throw new Mistake('where', 'is missing');
    return this.#readNode(tree['where'], 'where');
  }

  #readNode(node: unknown, path: string): FilterNode {
    if (!isObject(node)) throw new Mistake(path, 'must be an object: a condition, "and" or "or"');
    const keys = Object.keys(node);
    const joint = keys.find((key) => key === 'and' || key === 'or');
    if (joint === undefined) return this.#readCondition(node, path);
    if (keys.length > 1)
      throw new Mistake(path, `must hold nothing beside ${JSON.stringify(joint)}`);
    const parts = node[joint];
    const inner = `${path}.${joint}`;
    if (!Array.isArray(parts)) throw new Mistake(inner, 'must be an array');
    if (parts.length === 0) throw new Mistake(inner, 'must not be empty');
    const nodes = parts.map((part, index) => this.#readNode(part, `${inner}[${index}]`));
    return { kind: joint === 'and' ? 'and' : 'or', nodes };
  }

  #readCondition(node: Readonly<Record<string, unknown>>, path: string): FilterNode {
    for (const key of Object.keys(node)) {
      if (key !== 'key' && key !== 'operator' && key !== 'value') {
        throw new Mistake(
          `${path}.${key}`,
          'is not known; a condition has "key", "operator" and "value"',
        );
      }
    }
    for (const key of ['key', 'operator', 'value']) {
      if (!Object.hasOwn(node, key)) throw new Mistake(`${path}.${key}`, 'is missing');
    }
    if (++this.#conditions > this.#most) {
      throw new Mistake(path, `is one condition too many; at most ${this.#most} are allowed`);
    }
    const { key, operator: named, value } = node;
    if (typeof key !== 'string' || key === '')
      throw new Mistake(`${path}.key`, 'must be the name of a field');
    const type = fieldType(this.#dataset, key);
    if (type === undefined) throw new Mistake(`${path}.key`, unknownField(this.#dataset, key));
    const known = typeof named === 'string' ? OPERATORS.get(named) : undefined;
    if (known === undefined) {
      throw new Mistake(`${path}.operator`, `must be one of ${[...OPERATORS.keys()].join(', ')}`);
    }
    if (type !== 'any' && !JUDGES[known.operator].includes(type)) {
      throw new Mistake(`${path}.operator`, `cannot judge ${key}, which is of type ${type}`);
    }
    return {
      kind: 'condition',
      key,
      ...known,
      operands: readOperands(known.operator, type, value, `${path}.value`),
    };
  }
}

function readOperands(
  operator: FilterOperator,
  type: FieldType,
  value: unknown,
  path: string,
): FilterOperand[] {
  if (operator !== 'in') return [readOperand(operator, type, value, path)];
  if (!Array.isArray(value)) throw new Mistake(path, 'must be an array of values');
  if (value.length === 0) throw new Mistake(path, 'must not be empty');
  return value.map((element, index) => readOperand(operator, type, element, `${path}[${index}]`));
}

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Reads a value and says when it does not fit the operator and the field's type. */
function readOperand(
  operator: FilterOperator,
  type: FieldType,
  value: unknown,
  path: string,
): FilterOperand {
  switch (type) {
    case 'string':
    case 'array[string]':
      return readText(value, path);
    case 'bool':
      if (typeof value === 'boolean') return { kind: 'bool', value };
      throw new Mistake(path, 'must be true or false');
    case 'timestamp':
      return readTime(value, path);
    case 'int':
    case 'array[int]':
    case 'float':
      return readNumber(operator, type === 'float', value, path);
    case 'any':
      return readAny(operator, value, path);
    case 'object':
    case 'array[object]':
      throw new Mistake(path, `cannot be compared with a field of type ${type}`);
  }
}

function readText(value: unknown, path: string): FilterOperand {
  if (typeof value !== 'string') throw new Mistake(path, 'must be a string');
  if (!value.isWellFormed()) throw new Mistake(path, 'holds half of a surrogate pair');
  return { kind: 'string', text: value };
}

const isOrder = (operator: FilterOperator): boolean =>
  ['lt', 'leq', 'gt', 'geq'].includes(operator);

function readNumber(
  operator: FilterOperator,
  mayBeFraction: boolean,
  value: unknown,
  path: string,
): FilterOperand {
  const text =
    value instanceof NumberText
      ? value.text
      : isOrder(operator) && typeof value === 'string'
        ? value
        : '';
  if (!JSON_NUMBER.test(text)) throw new Mistake(path, 'must be a number');
  if (!mayBeFraction && !/^-?\d+$/.test(text)) throw new Mistake(path, 'must be a whole number');
  return { kind: 'number', text };
}

function readTime(value: unknown, path: string): FilterOperand {
  const moment = { seconds: 0, nanos: 0 };
  const text = value instanceof NumberText ? value.text : typeof value === 'string' ? value : '';
  const bytes = Buffer.from(text);
  if (readUnixTime(bytes, 0, bytes.length, moment) || readRfc3339(bytes, 0, bytes.length, moment)) {
    return { kind: 'time', moment };
  }
  throw new Mistake(
    path,
    'must be a time: RFC 3339 text, or seconds or nanoseconds since 1970 as a whole number',
  );
}

/** In an open dataset the value says what is meant. */
function readAny(operator: FilterOperator, value: unknown, path: string): FilterOperand {
  switch (operator) {
    case 'lt':
    case 'leq':
    case 'gt':
    case 'geq':
      return readNumber(operator, true, value, path);
    case 'startsWith':
    case 'endsWith':
      return readText(value, path);
    case 'eq':
      if (typeof value === 'boolean') return { kind: 'bool', value };
      break;
    case 'contains':
    case 'in':
      break;
  }
  if (typeof value === 'string') return readText(value, path);
  if (value instanceof NumberText) return { kind: 'number', text: value.text };
  throw new Mistake(
    path,
    operator === 'eq'
      ? 'must be a string, a number, true or false'
      : 'must be a string or a number',
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof NumberText)
  );
}
