/**
 * A configuration as files: what `waybill plan -f` and `apply -f` read, and what the control API takes from them. Secrets
 * stand in the files by reference and in the document that is sent as they are.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { limits } from './limits.ts';
import { DATASET_ID, SCOPE_ID } from './scope.ts';

const id = z.string().regex(SCOPE_ID, 'may hold 1 to 32 letters, digits, `-` and `_`');
const count = z.int().min(0);

const job = z.strictObject({
  name: z
    .string()
    .min(1, 'is needed: a job is known again by its name')
    .max(512)
    .regex(/^[a-zA-Z0-9\-.]*$/, 'may hold letters, digits, `-` and `.`'),
  dataset: z.string().regex(DATASET_ID).default('http_requests'),
  /** As for `destination_conf`. */
  destination: z.string().min(1).max(limits.control.destinationConfBytes),
  enabled: z.boolean().default(true),
  /** Logpush's filter, as a mapping or as its JSON text. */
  filter: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
  output_options: z.record(z.string(), z.unknown()).optional(),
  frequency: z.enum(['high', 'low']).optional(),
  max_upload_bytes: z.int().optional(),
  max_upload_records: z.int().optional(),
  max_upload_interval_seconds: z.int().optional(),
  ownership_challenge: z.string().optional(),
});

const zone = z.strictObject({
  id,
  name: z.string().min(1).max(256).optional(),
  jobs: z.array(job).default([]),
});

const account = z.strictObject({
  id,
  name: z.string().min(1).max(256).optional(),
  ambientCredentials: z.boolean().default(false),
  limits: z
    .strictObject({
      jobsPerScope: z.int().min(0).optional(),
      destinations: z.array(z.string()).optional(),
      weight: z.number().optional(),
      diskShare: z.number().optional(),
    })
    .default({}),
  /** This is all that the account has: zones and jobs of it that are not named go. */
  complete: z.boolean().default(false),
  jobs: z.array(job).default([]),
  zones: z.array(zone).default([]),
});

const dataset = z.strictObject({
  id: z.string().regex(DATASET_ID),
  scope: z.enum(['account', 'zone']),
  description: z.string().max(1024).default(''),
  fields: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(128),
        type: z.string(),
        description: z.string().max(1024).default(''),
      }),
    )
    .default([]),
  strict: z.boolean().default(false),
});

export const configDocument = z.strictObject({
  waybill: z.literal(1, 'must be 1, the version of this form'),
  /** This is all there is: what is not named goes. */
  complete: z.boolean().default(false),
  datasets: z.array(dataset).default([]),
  accounts: z.array(account).default([]),
  /** What the document holds, in its own words: a file that was read by half does not hold it. */
  expect: z.strictObject({
    files: z.int().min(1).optional(),
    accounts: count,
    zones: count.optional(),
    datasets: count.optional(),
    jobs: count,
  }),
});

export type ConfigDocument = z.infer<typeof configDocument>;
export type DocumentJob = z.infer<typeof job>;
export type DocumentAccount = z.infer<typeof account>;

interface Counts {
  readonly accounts: number;
  readonly zones: number;
  readonly datasets: number;
  readonly jobs: number;
}

function countsOf({ accounts, datasets }: Pick<ConfigDocument, 'accounts' | 'datasets'>): Counts {
  const zones = accounts.flatMap((one) => one.zones);
  const jobs = [...accounts, ...zones].reduce((sum, one) => sum + one.jobs.length, 0);
  return { accounts: accounts.length, zones: zones.length, datasets: datasets.length, jobs };
}

/** Why a document is not believed to be whole; undefined: it holds what it declares. */
export function notWhole(document: ConfigDocument): string | undefined {
  const held = countsOf(document);
  for (const what of ['accounts', 'zones', 'datasets', 'jobs'] as const) {
    const declared = document.expect[what];
    if (declared !== undefined && declared !== held[what])
      return `\`expect\` declares ${declared} ${what}, and there are ${held[what]}: the file was read by half, or the number is to be corrected`;
  }
  if (held.accounts + held.datasets === 0)
    return 'the document is empty: it names neither an account nor a dataset, and is never taken for "nobody"';
  return undefined;
}

/** Hex SHA-256 of a document as it is sent. */
export function documentChecksum(document: unknown): string {
  return createHash('sha256').update(JSON.stringify(document)).digest('hex');
}
