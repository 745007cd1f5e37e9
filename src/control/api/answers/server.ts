/** The server itself: its changes, its store, its state, and where it can deliver to. */
import { z } from 'zod';
import { VOICES } from '../../store/store.ts';
import { time, whole } from './shapes.ts';

export const changeAnswer = z.strictObject({
  version: z.int(),
  who: z.string().describe("A token's id, or `server`."),
  address: z.string().nullable(),
  what: z.string(),
  voice: z.enum(VOICES).nullable().describe('As whom he spoke; null in entries of older versions.'),
  reason: z.string().nullable().describe('Why, in his own words.'),
  at: time,
  edits: z.array(
    z.strictObject({ kind: z.string(), id: z.string(), before: z.unknown(), after: z.unknown() }),
  ),
});
const standing = {
  checksum: z.string().describe('Of the whole; two of the same hold the same.'),
  readOnly: z
    .strictObject({ trouble: z.string(), detail: z.string(), since: time, advice: z.string() })
    .nullable()
    .describe('Why nothing can be changed; null: it can.'),
  copyDamage: z
    .string()
    .nullable()
    .describe('What was wrong with the copy in `snapshots/` when the server started.'),
};
export const rotatedAnswer = z.strictObject({
  key: z.string().describe('The name of the key that seals now; it says nothing of the key.'),
  resealed: whole,
  unopened: whole.describe('Secrets that no known key opens; they stay as they are.'),
  version: whole,
});
export const rebuiltAnswer = z.strictObject({
  rebuilt: z.boolean().describe('False: the store is what it should be.'),
  version: whole,
  setAside: z.string().nullable().describe('The name that the file before has now.'),
});

export const statusAnswer = z.strictObject({
  version: z.string(),
  ready: z.boolean(),
  reason: z.string().nullable(),
  configuration: z.strictObject({
    version: whole,
    accounts: whole,
    zones: whole,
    jobs: whole,
    enabledJobs: whole,
    ...standing,
  }),
  durability: z.enum(['disk', 'memory']).nullable(),
  started: time.nullable(),
  shards: z
    .array(z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])))
    .nullable(),
});
export const retentionAnswer = z.strictObject({
  lines: whole.describe(
    'Waiting lines that retention would drop, and asks about; 0 when it does not ask.',
  ),
  goesOn: z.boolean().describe('Whether it drops them now.'),
});
export const destinationsAnswer = z.strictObject({
  destinations: z.array(
    z.strictObject({
      schemes: z.array(z.string()),
      title: z.string(),
      form: z.string(),
      settings: z.array(
        z.strictObject({
          name: z.string(),
          help: z.string(),
          required: z.boolean(),
          secret: z.boolean(),
          example: z.string().optional(),
        }),
      ),
      repeats: z.enum(['replaces', 'appends']),
      inOrder: z.boolean().optional().describe('Batches of a job go one after the other.'),
      batchBytes: whole.optional(),
      batchLines: whole.optional(),
    }),
  ),
});
