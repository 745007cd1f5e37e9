/** Datasets: the built-in ones, and those that operators define, which stand in front of a built-in one of their name. */
import { z } from 'zod';
import { limits } from '../../model/limits.ts';
import { DATASET_ID } from '../../model/scope.ts';
import { allDatasets, BUILT_IN_DATASETS, datasetOf } from '../datasets/catalog.ts';
import { jobsOfDataset, refusedForJobs } from '../datasets/uses.ts';
import type { Edited } from '../desk.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import { datasetKey, FIELD_TYPES } from '../store/records.ts';
import type { DatasetRecord } from '../store/records.ts';
import type { StateView } from '../store/state.ts';
import type { Context } from './context.ts';
import { datasetAnswer, datasetSummaryAnswer, deletedDatasetAnswer } from './answers/accounts.ts';
import { json, route } from './route.ts';
import type { Answer, Route } from './route.ts';

const scopeKind = z.enum(['account', 'zone']);
const which = z.strictObject({ scope: scopeKind.optional() });
const field = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(128)
    // No pattern of the schema: without the `u` flag, readers of the API's description take \p for a p.
    .refine(
      (name) => /^[\p{L}\p{N}_.-]*$/u.test(name),
      'may hold letters, digits, `_`, `.` and `-`',
    ),
  type: z.enum(FIELD_TYPES),
  description: z.string().max(1024).default(''),
});
export const datasetBody = z.strictObject({
  scope: scopeKind.optional(),
  description: z.string().max(1024).optional(),
  /** Empty: open, any field is taken as it comes. */
  fields: z.array(field).max(limits.control.datasetFields).optional(),
  /** Check each line as whole JSON on arrival. */
  strict: z.boolean().optional(),
});

export function datasetRoutes(context: Context): readonly Route[] {
  const { desk } = context;
  return [
    route({
      method: 'GET',
      path: '/v1/datasets',
      access: 'token',
      answer: z.strictObject({ datasets: z.array(datasetSummaryAnswer) }),
      help: 'Lists all datasets, without their fields.',
      handle: () =>
        json({
          datasets: allDatasets(desk.state.datasets).map((dataset) => summary(desk.state, dataset)),
        }),
    }),
    route({
      method: 'GET',
      path: '/v1/datasets/:dataset',
      access: 'token',
      answer: datasetAnswer,
      help: 'Shows a dataset with its fields; `scope` tells two of one name apart.',
      query: which,
      handle({ params, query }): Answer {
        const found = find(desk.state, params['dataset'] ?? '', query.scope);
        if (found.kind === 'refused') return found;
        const { dataset } = found;
        return json({ ...summary(desk.state, dataset), fields: dataset.fields });
      },
    }),
    route({
      method: 'PUT',
      path: '/v1/datasets/:dataset',
      access: 'operator',
      answer: datasetAnswer,
      help: 'Defines or changes a dataset; refused when a job could not go on as it is.',
      query: which,
      body: datasetBody,
      async handle({ params, query, body, actor }) {
        const id = params['dataset'] ?? '';
        if (!DATASET_ID.test(id)) {
          return refuse(
            'body_invalid',
            'The name may hold 1 to 64 letters, digits, `-` and `_`.',
            'id',
          );
        }
        const scope = body.scope ?? query.scope;
        const changed = await desk.change(actor, 'dataset.put', (state) =>
          putDataset(context, state, id, scope, body),
        );
        return changed.kind === 'refused'
          ? changed
          : json({ ...summary(desk.state, changed.value), fields: changed.value.fields });
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/datasets/:dataset',
      access: 'operator',
      answer: deletedDatasetAnswer,
      help: "Deletes an operator's dataset that no job delivers; a built-in one of its name comes back.",
      query: which,
      async handle({ params, query, actor }) {
        const deleted = await desk.change(actor, 'dataset.delete', (state) =>
          deleteDataset(state, params['dataset'] ?? '', query.scope),
        );
        return deleted.kind === 'refused'
          ? deleted
          : json({ id: deleted.value.id, scope: deleted.value.scope });
      },
    }),
  ];
}

type ScopeKind = z.infer<typeof scopeKind>;

function find(
  state: StateView,
  id: string,
  scope: ScopeKind | undefined,
): { readonly kind: 'dataset'; readonly dataset: DatasetRecord } | Refusal {
  const kinds: readonly ScopeKind[] = scope ? [scope] : ['zone', 'account'];
  const found = kinds
    .map((kind) => datasetOf(state.datasets, kind, id))
    .filter((one) => one !== undefined);
  const [first, second] = found;
  if (!first) return refuse('dataset_unknown');
  if (second)
    return refuse(
      'query_invalid',
      'Zones and accounts both have a dataset of this name: add `?scope=zone` or `?scope=account`.',
      'scope',
    );
  return { kind: 'dataset', dataset: first };
}

export function putDataset(
  context: Context,
  state: StateView,
  id: string,
  wished: ScopeKind | undefined,
  body: z.infer<typeof datasetBody>,
): Edited<DatasetRecord> {
  const standing = find(state, id, wished);
  if (standing.kind === 'refused' && standing.code === 'query_invalid') return standing;
  const current = standing.kind === 'dataset' ? standing.dataset : undefined;
  const scope = wished ?? current?.scope;
  if (scope === undefined)
    return refuse(
      'body_invalid',
      '`scope` is required for a new dataset: `zone` or `account`.',
      'scope',
    );
  const key = datasetKey(scope, id);
  const before = state.datasets.get(key) ?? null;
  if (!before && state.datasets.size >= context.bounds.datasets) return refuse('limit_reached');
  const names = body.fields?.map(({ name }) => name) ?? [];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    return refuse('body_invalid', `\`fields\` names ${twice} twice`, 'fields');
  const after: DatasetRecord = {
    id,
    scope,
    description: body.description ?? current?.description ?? '',
    fields: body.fields ?? current?.fields ?? [],
    strict: body.strict ?? current?.strict ?? false,
  };
  const broken = refusedForJobs(state, current, after);
  if (broken) return broken;
  if (before && JSON.stringify(before) === JSON.stringify(after))
    return { kind: 'unchanged', value: before };
  return { kind: 'draft', edits: [{ kind: 'dataset', id: key, before, after }], value: after };
}

export function deleteDataset(
  state: StateView,
  id: string,
  scope: ScopeKind | undefined,
): Edited<DatasetRecord> {
  const found = find(state, id, scope);
  if (found.kind === 'refused') return found;
  const { dataset } = found;
  const key = datasetKey(dataset.scope, id);
  const before = state.datasets.get(key);
  if (!before) return refuse('in_use', 'A built-in dataset stays.');
  const builtIn = BUILT_IN_DATASETS.get(key);
  const using = jobsOfDataset(state, dataset);
  if (!builtIn && using.length > 0) {
    return refuse(
      'in_use',
      `${using.length} jobs deliver this dataset, such as job ${using[0]?.id}. Delete them first.`,
    );
  }
  const broken = builtIn && refusedForJobs(state, before, builtIn);
  if (broken) return broken;
  return {
    kind: 'draft',
    edits: [{ kind: 'dataset', id: key, before, after: null }],
    value: before,
  };
}

function summary(state: StateView, dataset: DatasetRecord): object {
  const { id, scope, description, strict, fields } = dataset;
  const key = datasetKey(scope, id);
  return {
    id,
    scope,
    description,
    strict,
    open: fields.length === 0,
    builtIn: !state.datasets.has(key),
  };
}
