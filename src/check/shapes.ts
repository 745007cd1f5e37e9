/**
 * Whether what a record, a chunk or an event says has the shape that its page in `docs/formats/` gives it. A checksum says
 * that bytes are those which were written, and not that whoever wrote them made no mistake: such a folder is to be reported
 * on like any other.
 */
export type Shape<T> = (value: unknown) => value is T;

/** A whole number that is exact, of either sign. */
export const integer = (value: unknown): value is number => Number.isSafeInteger(value);

/** A whole number from 0 on. */
export const natural = (value: unknown): value is number => integer(value) && value >= 0;

export const text = (value: unknown): value is string => typeof value === 'string';

export const flag = (value: unknown): value is boolean => typeof value === 'boolean';

export const exactly =
  <const T extends string>(wanted: T): Shape<T> =>
  (value): value is T =>
    value === wanted;

export const orNull =
  <T>(shape: Shape<T>): Shape<T | null> =>
  (value): value is T | null =>
    value === null || shape(value);

export const orAbsent =
  <T>(shape: Shape<T>): Shape<T | undefined> =>
  (value): value is T | undefined =>
    value === undefined || shape(value);

export const list =
  <T>(shape: Shape<T>): Shape<readonly T[]> =>
  (value): value is readonly T[] =>
    Array.isArray(value) && value.every(shape);

/** An object that has these fields, and perhaps others. */
export const object =
  <T extends object>(fields: { readonly [Key in keyof T]-?: Shape<T[Key]> }): Shape<T> =>
  (value): value is T =>
    isObject(value) &&
    (Object.keys(fields) as (keyof T & string)[]).every((key) => fields[key](value[key]));

/** A list whose first elements have these shapes; there may be more behind them. */
export const tuple =
  <T extends readonly unknown[]>(
    ...shapes: { readonly [Key in keyof T]: Shape<T[Key]> }
  ): Shape<T> =>
  (value): value is T =>
    Array.isArray(value) && shapes.every((shape: Shape<unknown>, index) => shape(value[index]));

/** Numbers by name. */
export const sums = (value: unknown): value is { readonly [name: string]: number } =>
  isObject(value) && Object.values(value).every(natural);

export const anyOf =
  <T extends readonly unknown[]>(
    ...shapes: { readonly [Key in keyof T]: Shape<T[Key]> }
  ): Shape<T[number]> =>
  (value): value is T[number] =>
    shapes.some((shape: Shape<unknown>) => shape(value));

function isObject(value: unknown): value is Readonly<{ [key: string]: unknown }> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
