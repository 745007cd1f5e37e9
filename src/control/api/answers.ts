/**
 * What routes answer, as schemas: the description of the API is made from them, and a test holds real answers to them.
 * Strict, so that nothing is answered that is not described.
 */
import { z } from 'zod';
import { DROP_REASONS, EXCLUDE_REASONS } from '../../model/delivery.ts';
import { FIELD_TYPES, PERMISSIONS, TOKEN_KINDS } from '../store/records.ts';
import { VOICES } from '../store/store.ts';

export const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  .describe('RFC 3339, UTC');
const whole = z.int().min(0);
const scopeShape = z.strictObject({ kind: z.enum(['account', 'zone']), id: z.string() });
const countsOf = (reasons: readonly string[]) =>
  z.partialRecord(z.enum(reasons as [string, ...string[]]), whole);

export const jobAnswer = z
  .strictObject({
    id: z.int().min(1),
    dataset: z.string(),
    name: z.string(),
    kind: z.literal(''),
    enabled: z.boolean(),
    destination_conf: z.string().describe('In full, with its secrets.'),
    filter: z.string().describe("Logpush's filter as a JSON text; empty: everything passes."),
    output_options: z.record(z.string(), z.unknown()).nullable(),
    logpull_options: z.string(),
    frequency: z.enum(['high', 'low']),
    max_upload_bytes: whole,
    max_upload_records: whole,
    max_upload_interval_seconds: whole,
    filter_attack_traffic: z.literal(false),
    last_complete: time.nullable().describe('Everything received up to then is settled.'),
    last_error: time.nullable(),
    error_message: z.string().nullable(),
  })
  .meta({ id: 'LogpushJob' });

/** Logpush's list of fields: what each holds, by name. */
export const fieldsAnswer = z.record(z.string(), z.string());
export const jobIdAnswer = z.strictObject({ id: z.int() });
export const ownershipAnswer = z.strictObject({
  filename: z.string().describe('Where the challenge was written, without the bucket.'),
  message: z.string(),
  valid: z.literal(true),
});
export const validAnswer = z.strictObject({ valid: z.boolean() });
export const judgedAnswer = z.strictObject({ valid: z.boolean(), message: z.string() });
/** What became of a job's test line. */
export const jobTestAnswer = z.strictObject({
  accepted: z.boolean(),
  message: z.string(),
  destination: z.string(),
});
export const existsAnswer = z.strictObject({ exists: z.boolean() });
export const flagAnswer = z.strictObject({ flag: z.boolean() });
export const cmbAnswer = z
  .strictObject({ regions: z.string(), allow_out_of_region_access: z.boolean() })
  .nullable();

/** A page of a list under `/v1`. */
export function page(name: string, item: z.ZodType, next: z.ZodType = z.string()): z.ZodType {
  return z.strictObject({
    [name]: z.array(item),
    next: next.nullable().describe('What to send as `after` for the next page; null at the end.'),
  });
}

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
export const deletedAnswer = z.strictObject({ id: z.string() });

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

const attempt = z
  .strictObject({
    job: z.int(),
    plan: z.string(),
    range: z.strictObject({ from: whole, to: whole }),
    number: z.int(),
    atMs: z.number(),
    durationMs: z.number(),
    stage: z.enum(['before', 'destination', 'after']),
    outcome: z.enum(['accepted', 'retry', 'split', 'reject']),
    status: z.int().nullable(),
    error: z.string().nullable(),
    lines: whole,
    plainBytes: whole,
    sentBytes: whole,
  })
  .meta({ id: 'Attempt' });
export const attemptsAnswer = z.strictObject({ attempts: z.array(attempt) });

const activity = z.strictObject({
  activity: z.enum(['idle', 'delivering', 'retrying', 'blocked', 'off']),
  epoch: z.string().nullable(),
  cursor: whole,
  head: whole,
  waitingLines: whole,
  waitingBytes: whole,
  oldestWaiting: time.nullable(),
  lastComplete: time.nullable(),
  lastError: time.nullable(),
  errorMessage: z.string().nullable(),
  delivered: whole,
  excluded: countsOf(EXCLUDE_REASONS),
  dropped: countsOf(DROP_REASONS),
  deliveredBytes: whole,
  inFlight: whole,
  nextAttempt: time.nullable(),
});
const status = {
  id: z.int(),
  name: z.string(),
  account: z.string().nullable(),
  scope: scopeShape,
  dataset: z.string(),
  stream: z.string(),
  enabled: z.boolean(),
  destination: z.string().describe('With its secrets masked.'),
  version: whole,
  contentVersion: whole,
  status: activity
    .nullable()
    .describe('Null when the data plane knows nothing of it, or does not answer.'),
};
export const jobStatusAnswer = z.strictObject(status).meta({ id: 'JobStatus' });
const { version: _version, contentVersion: _content, status: _status, ...settings } = status;
export const deletedJobAnswer = z
  .strictObject({
    ...settings,
    deleted: time,
    by: z.string().describe('Whose token deleted it.'),
    held: z
      .strictObject({
        cursor: whole.describe('Where it goes on when it is restored.'),
        head: whole,
        waitingLines: whole,
        until: time.nullable().describe('Counts time in service: later when the server was off.'),
      })
      .nullable()
      .describe('What is held of it; null when nothing is, or the data plane does not answer.'),
  })
  .meta({ id: 'DeletedJob' });
export const jobDetailAnswer = z.strictObject({
  ...status,
  attempts: z
    .strictObject({ recent: whole, accepted: whole, failed: whole, last: attempt.nullable() })
    .nullable(),
});

const row = z
  .strictObject({
    hour: time.nullable().describe('The UTC hour; null for the total.'),
    accepted: whole,
    acceptedBytes: whole,
    waiting: whole,
    delivered: whole,
    excluded: countsOf(EXCLUDE_REASONS),
    dropped: countsOf(DROP_REASONS),
    notTaken: z.record(z.string(), whole),
    balanced: z.boolean().describe('accepted = delivered + excluded + dropped + waiting'),
  })
  .meta({ id: 'LedgerRow' });
const books = { job: z.int(), stream: z.string(), total: row, hours: z.array(row) };
export const jobLedgerAnswer = z.strictObject({ ...books, deleted: z.boolean() });
export const scopeLedgerAnswer = z.strictObject({
  scope: scopeShape,
  streams: z.array(
    z.strictObject({
      stream: z.string(),
      accepted: whole,
      acceptedBytes: whole,
      notTaken: z.record(z.string(), whole),
    }),
  ),
  jobs: z.array(z.strictObject(books)),
  replays: z
    .array(z.strictObject(books))
    .describe('Apart: their lines were accepted once, and are delivered once more.'),
});
export const usageAnswer = z.strictObject({
  account: z.string().nullable(),
  scope: scopeShape,
  days: z.array(
    z.strictObject({
      day: z.string(),
      acceptedLines: whole,
      acceptedBytes: whole,
      deliveredLines: whole,
      deliveredBytes: whole.describe('Before compression, over all jobs.'),
      sentBytes: whole,
    }),
  ),
});
export const keptLineAnswer = z.strictObject({
  id: z.int(),
  stream: z.string(),
  reason: z.enum(['quarantined', 'malformed', 'rejected_by_destination']),
  job: z.int().nullable(),
  offset: whole.nullable(),
  detail: z.string(),
  at: time,
  bytes: whole,
});

export const replayAnswer = z
  .strictObject({
    id: z.int().describe("Counted with jobs' ids: names, books and batch ids differ by it."),
    job: z.int(),
    scope: scopeShape,
    dataset: z.string(),
    stream: z.string(),
    state: z.enum(['running', 'done', 'cancelled']),
    activity: z
      .enum(['idle', 'delivering', 'retrying', 'blocked', 'off', 'throttled'])
      .nullable()
      .describe('`throttled`: live delivery goes first.'),
    from: whole,
    to: whole,
    lines: whole,
    waiting: whole,
    gone: whole.describe('Lines that were not held any more when it began.'),
    delivered: whole,
    excluded: countsOf(EXCLUDE_REASONS),
    dropped: countsOf(DROP_REASONS).describe('Lines that were gone by then stand here as well.'),
    goneSince: time
      .nullable()
      .describe('Set when older lines were asked for than are held: all are there since then.'),
    destination: z.string().nullable().describe("With its secrets masked; null: the job's own."),
    contentVersion: whole,
    created: time,
    by: z.string(),
    ended: time.nullable(),
    errorMessage: z.string().nullable(),
  })
  .meta({ id: 'Replay' });

const erasedStreams = z.array(z.strictObject({ stream: z.string(), lines: whole }));
export const erasureSizeAnswer = z.strictObject({
  scope: scopeShape,
  dataset: z.string().nullable(),
  before: time,
  lines: whole.describe('Lines that are stored.'),
  waitingLines: whole.describe('Of all jobs: lines that were still to be delivered.'),
  keptLines: whole.describe('Lines that were kept apart.'),
  streams: erasedStreams,
});
export const erasureAnswer = z
  .strictObject({
    id: z.string(),
    scope: scopeShape,
    dataset: z.string().nullable(),
    before: time,
    state: z
      .enum(['ordered', 'in_force', 'done'])
      .describe(
        '`ordered`: to be carried out; `in_force`: nothing reads the lines; `done`: their bytes are gone from the disk as well.',
      ),
    ordered: time,
    by: z.string(),
    reason: z.string(),
    lines: whole,
    keptLines: whole,
    done: time.nullable(),
    streams: erasedStreams.describe('The first thousand.'),
  })
  .meta({ id: 'Erasure' });

export const alertAnswer = z
  .strictObject({
    id: z.int(),
    kind: z.string(),
    severity: z.enum(['critical', 'warning']),
    state: z.enum(['firing', 'resolved']),
    title: z.string(),
    subject: z
      .string()
      .describe('What it is about: `job 12`, `stream zones/shop/http_requests`, `server`.'),
    account: z.string().nullable().describe("Null: the operator's business alone."),
    stream: z.string().nullable(),
    job: z.int().nullable(),
    since: time,
    resolved: time.nullable(),
    times: z.int().min(1).describe('How often it has begun.'),
    text: z.string(),
    advice: z.string(),
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
  })
  .meta({ id: 'Alert' });

export const webhookAnswer = z
  .strictObject({
    id: z.int(),
    account: z.string().nullable().describe("Null: the operator's, told of everything."),
    form: z.enum(['json', 'slack']),
    url: z.string().describe('With everything behind the host masked.'),
    signed: z.boolean(),
    sent: whole,
    givenUp: whole,
    queued: whole,
    last: z
      .strictObject({
        at: time,
        outcome: z.enum(['accepted', 'failed']),
        status: z.int().nullable(),
        error: z.string().nullable(),
      })
      .nullable(),
  })
  .meta({ id: 'Webhook' });

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
