/** Which fields of a request log to show, for those who name them with commas: Instant Logs and Logpull. */
import { parseOutputOptions } from '../../model/output-options.ts';
import type { OutputOptions } from '../../model/snapshot.ts';
import { datasetOf, defaultFields } from '../datasets/catalog.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import type { DatasetRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';

/** The dataset that Instant Logs and Logpull show, as with Logpush. */
export const REQUEST_LOG = 'http_requests';

/** The zone's request log as the operator has defined it, else as it is built in. */
export function requestLog(state: StateView): DatasetRecord | undefined {
  return datasetOf(state.datasets, 'zone', REQUEST_LOG);
}

/** The names asked for, else the default ones; undefined means all, for a dataset of which no fields are listed. */
export function fieldNames(
  fields: string | undefined,
  dataset: DatasetRecord | undefined,
): readonly string[] | undefined {
  if (fields !== undefined && fields !== '') return fields.split(',').map((name) => name.trim());
  const names = dataset ? defaultFields(dataset).map(({ name }) => name) : [];
  if (names.length > 0) return names;
  return dataset && dataset.fields.length > 0 ? dataset.fields.map(({ name }) => name) : undefined;
}

export type CheckedOptions =
  | { readonly kind: 'options'; readonly options: OutputOptions }
  | Refusal;

/** Output options in their words; what is wrong with them is told in the words of a query. */
export function checkOptions(
  names: readonly string[] | undefined,
  others: OutputOptions,
  dataset: DatasetRecord | undefined,
  code: 'body_invalid' | 'query_invalid',
): CheckedOptions {
  const options = { ...(names && { field_names: names }), ...others };
  const parsed = parseOutputOptions(options, dataset);
  switch (parsed.kind) {
    case 'options':
      return parsed;
    case 'none':
      return { kind: 'options', options: {} };
    case 'invalid': {
      const isFields = parsed.path === '' || parsed.path.startsWith('field_names');
      const path = isFields ? 'fields' : parsed.path;
      return refuse(code, `\`${path}\`: ${parsed.message}`, path);
    }
  }
}
