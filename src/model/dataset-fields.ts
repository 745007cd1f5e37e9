/** What a dataset says of a field: which there are, and which hold times. */
import type { DatasetConfig, FieldConfig } from './snapshot.ts';

/** A dataset with a list of fields knows no others; one without (an open one) takes any field as it comes. */
function isOpen(dataset: DatasetConfig | undefined): boolean {
  return dataset === undefined || dataset.fields.length === 0;
}

/** The field's type; `any` in an open dataset, undefined when the dataset has no such field. */
export function fieldType(
  dataset: DatasetConfig | undefined,
  name: string,
): FieldConfig['type'] | undefined {
  if (dataset === undefined || isOpen(dataset)) return 'any';
  return dataset.fields.find((field) => field.name === name)?.type;
}

/** How Logpush names its times. `EventTimestampMs` and the like do not match: Logpush leaves them as they are, too. */
const TIMESTAMP_NAME = /(?:Timestamp|Datetime)$|^When$/;

/** Whether `timestamp_format` speaks of this field: by its type, or in an open dataset by its name. */
export function isTimestampField(dataset: DatasetConfig | undefined, name: string): boolean {
  const type = fieldType(dataset, name);
  return type === 'timestamp' || (type === 'any' && TIMESTAMP_NAME.test(name));
}

/** What to say of a field that a dataset does not have. */
export function unknownField(dataset: DatasetConfig | undefined, name: string): string {
  const lower = name.toLowerCase();
  const near = dataset?.fields.find((field) => field.name.toLowerCase() === lower);
  const hint = near ? `; did you mean ${JSON.stringify(near.name)}?` : '';
  return `the dataset ${dataset?.id ?? ''} has no field ${JSON.stringify(name)}${hint}`;
}
