/**
 * What the control store keeps, and how it is written down: one JSON object per thing, checked when it is read back.
 *
 * Records hold no secret: a job's destination stands here with its secrets masked, beside the id and version of the sealed
 * secret that holds it in full; a token stands here as a hash.
 */
import { z } from 'zod';
import { deletedJobOf, erasure, place, replay, stage } from './held-records.ts';

const scope = z.object({ kind: z.enum(['account', 'zone']), id: z.string() });

/** What an operator allows one account; what is left out is as for everybody. */
const accountLimits = z.object({
  /** Jobs of each of its zones, and of itself. */
  jobsPerScope: z.int().optional(),
  /** Schemes of `destination_conf` that its jobs may have. */
  destinations: z.array(z.string()).optional(),
  /** Its weight in what is shared out when there is not enough. */
  weight: z.number().optional(),
  /** The share of the disk that its waiting lines may take. */
  diskShare: z.number().optional(),
});

const account = z.object({
  id: z.string(),
  name: z.string(),
  /** Whether its jobs may use the machine's own cloud credentials. */
  ambientCredentials: z.boolean(),
  createdMs: z.number(),
  limits: accountLimits.default({}),
  /** Logpush's "customer metadata boundary", stored and echoed; null: never set. */
  cmb: z
    .object({ regions: z.string(), allowOutOfRegionAccess: z.boolean() })
    .nullable()
    .default(null),
});

const zone = z.object({
  id: z.string(),
  account: z.string(),
  name: z.string(),
  createdMs: z.number(),
  /** Logpull's flag: whether its requests are to be kept for pulling. */
  retention: z.boolean().default(false),
});

export const FIELD_TYPES = [
  'string',
  'int',
  'float',
  'bool',
  'timestamp',
  'object',
  'array[string]',
  'array[int]',
  'array[object]',
  'any',
] as const;

const dataset = z.object({
  /** The dataset's own name; the store's id is `<scope>/<name>`, as one name may exist for both kinds of scope. */
  id: z.string(),
  scope: z.enum(['account', 'zone']),
  description: z.string(),
  fields: z.array(
    z.object({ name: z.string(), type: z.enum(FIELD_TYPES), description: z.string() }),
  ),
  strict: z.boolean(),
});

/** What shaped a job's content in one of its versions. */
const content = z.object({
  contentVersion: z.int(),
  filter: z.string(),
  outputOptions: z.record(z.string(), z.unknown()).nullable(),
  logpullOptions: z.string(),
});

const job = z.object({
  id: z.int(),
  name: z.string(),
  enabled: z.boolean(),
  scope,
  dataset: z.string(),
  /** `destination_conf` with its secrets masked. */
  destination: z.string(),
  /** Where the whole `destination_conf` is sealed. */
  secret: z.object({ id: z.string(), version: z.int() }),
  /** Short hash of the place that the destination names, credentials apart; empty in records of the first format. */
  fingerprint: z.string().default(''),
  filter: z.string(),
  /** As the customer gave them, in their order of keys; null: none. */
  outputOptions: z.record(z.string(), z.unknown()).nullable(),
  logpullOptions: z.string(),
  frequency: z.enum(['high', 'low']),
  maxUploadBytes: z.int(),
  maxUploadRecords: z.int(),
  maxUploadIntervalSeconds: z.int(),
  /** Grows when filter, output options or logpull options change. */
  contentVersion: z.int(),
  /** The contents before, newest first: plans made then are still sent as they were planned (I7). */
  olderContents: z.array(content).default([]),
  /** Where it begins when it is first switched on; absent: with the next line. */
  start: place.optional(),
  /** Lines before it that were not settled when its owner went on from there: he does not want them. */
  skipTo: place.optional(),
  /** The configuration's version in which the job last changed. */
  version: z.int(),
  created: z.object({
    atMs: z.number(),
    /** Keyed hash of token, path and body: recognises a create that is sent again after a lost answer. */
    mark: z.string(),
  }),
});

export const TOKEN_KINDS = ['operator', 'account', 'ingest'] as const;
export const PERMISSIONS = ['logs_read', 'logs_write'] as const;

const token = z.object({
  id: z.string(),
  kind: z.enum(TOKEN_KINDS),
  name: z.string(),
  /** Hex SHA-256 of the token as sent. */
  hash: z.string(),
  /** For kind `account`. */
  permissions: z.array(z.enum(PERMISSIONS)),
  scopes: z.union([z.literal('all'), z.array(scope)]),
  createdMs: z.number(),
});

/** Every kind of thing in the store with its schema. */
export const RECORDS = {
  account,
  zone,
  dataset,
  job,
  token,
  deleted_job: deletedJobOf(job),
  replay,
  erasure,
  stage,
} as const;

export type Kind = keyof typeof RECORDS;
export type RecordOf<K extends Kind> = Readonly<z.infer<(typeof RECORDS)[K]>>;
export type AccountRecord = RecordOf<'account'>;
export type ZoneRecord = RecordOf<'zone'>;
export type DatasetRecord = RecordOf<'dataset'>;
export type JobRecord = RecordOf<'job'>;
export type TokenRecord = RecordOf<'token'>;
export type DeletedJobRecord = RecordOf<'deleted_job'>;
export type ReplayRecord = RecordOf<'replay'>;
export type ErasureRecord = RecordOf<'erasure'>;
export type StageRecord = RecordOf<'stage'>;
export type AccountLimits = AccountRecord['limits'];
export type TokenKind = (typeof TOKEN_KINDS)[number];
export type Permission = (typeof PERMISSIONS)[number];

/** The store's id of a dataset. */
export function datasetKey(scopeKind: 'account' | 'zone', id: string): string {
  return `${scopeKind}/${id}`;
}
