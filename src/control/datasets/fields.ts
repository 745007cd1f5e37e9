import type { FieldConfig } from '../../model/snapshot.ts';

/** A dataset's fields as data: name, type, and what it holds in our own words. */
export type FieldTable = readonly (readonly [
  name: string,
  type: FieldConfig['type'],
  description: string,
])[];
