/** Accounts, zones, datasets and tokens under `/v1`. */
import { z } from 'zod';
import { FIELD_TYPES, PERMISSIONS, TOKEN_KINDS } from '../../store/records.ts';
import { scopeShape, time, whole } from './shapes.ts';

export const accountAnswer = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    ambientCredentials: z.boolean(),
    limits: z
      .strictObject({
        jobsPerScope: whole,
        destinations: z.array(z.string()),
        weight: z.number(),
        diskShare: z.number().nullable(),
      })
      .describe('As they are in force.'),
    created: time,
  })
  .meta({ id: 'Account' });
export const zoneAnswer = z
  .strictObject({
    id: z.string(),
    account: z.string(),
    name: z.string(),
    retention: z.boolean(),
    created: time,
  })
  .meta({ id: 'Zone' });

const datasetSummary = {
  id: z.string(),
  scope: z.enum(['account', 'zone']),
  description: z.string(),
  strict: z.boolean(),
  open: z.boolean().describe('Takes any field as it comes: no fields are listed.'),
  builtIn: z.boolean(),
};
export const datasetSummaryAnswer = z.strictObject(datasetSummary).meta({ id: 'DatasetSummary' });
export const datasetAnswer = z
  .strictObject({
    ...datasetSummary,
    fields: z.array(
      z.strictObject({ name: z.string(), type: z.enum(FIELD_TYPES), description: z.string() }),
    ),
  })
  .meta({ id: 'Dataset' });
export const deletedDatasetAnswer = z.strictObject({
  id: z.string(),
  scope: z.enum(['account', 'zone']),
});

const token = {
  id: z.string(),
  kind: z.enum(TOKEN_KINDS),
  name: z.string(),
  permissions: z.array(z.enum(PERMISSIONS)).optional(),
  scopes: z.union([z.literal('all'), z.array(scopeShape)]).optional(),
  created: time,
};
export const tokenAnswer = z.strictObject(token).meta({ id: 'Token' });
export const newTokenAnswer = z.strictObject({
  ...token,
  token: z.string().describe('Shown this once.'),
});
