/**
 * Records of what outlives a job or is done beside it: deleted jobs while they can be restored, replays, erasures. Each is
 * made of a job or a scope; none of them makes a stream wanted.
 */
import { z } from 'zod';

const scope = z.object({ kind: z.enum(['account', 'zone']), id: z.string() });

/** A place in a stream; it holds for one epoch. */
export const place = z.object({ epoch: z.string(), offset: z.int() });

/** A deleted job with its secret still sealed beside it, until its holdback has ended. */
export const deletedJobOf = <Job extends z.ZodType>(job: Job) =>
  z.object({ id: z.int(), job, deletedMs: z.number(), by: z.string() });

/** Lines by what became of them, as a replay's books say at its end. */
const outcome = z.object({
  delivered: z.int(),
  excluded: z.record(z.string(), z.int()),
  dropped: z.record(z.string(), z.int()),
});

/** One more delivery of a range that a job's stream still holds. Its id is a job's: names and books differ by it. */
export const replay = z.object({
  id: z.int(),
  /** Whose content it has. */
  job: z.int(),
  scope,
  dataset: z.string(),
  epoch: z.string(),
  from: z.int(),
  to: z.int(),
  /** Lines before `from` that were asked for and are not held any more; null: none. */
  goneSinceMs: z.number().nullable(),
  /** `destination_conf` with its secrets masked; null: the job's own, as it is by then. */
  destination: z.string().nullable(),
  secret: z.object({ id: z.string(), version: z.int() }).nullable(),
  fingerprint: z.string(),
  /** The job's content and bounds when the replay was made: what a replay sends does not change under way. */
  content: z.object({
    contentVersion: z.int(),
    filter: z.string(),
    outputOptions: z.record(z.string(), z.unknown()).nullable(),
    logpullOptions: z.string(),
    maxUploadBytes: z.int(),
    maxUploadRecords: z.int(),
    maxUploadIntervalSeconds: z.int(),
  }),
  /** The configuration's version in which it last changed. */
  version: z.int(),
  createdMs: z.number(),
  by: z.string(),
  state: z.enum(['running', 'done', 'cancelled']),
  endedMs: z.number().nullable(),
  result: outcome.nullable(),
});

/** An owner's order that lines be erased. Durable before anything is erased, and kept as the proof that it was. */
export const erasure = z.object({
  id: z.string(),
  scope,
  /** Null: all datasets of the scope. */
  dataset: z.string().nullable(),
  /** Lines received before it. */
  beforeMs: z.number(),
  atMs: z.number(),
  by: z.string(),
  reason: z.string(),
  /** `ordered`: not yet in force everywhere; `in_force`: nothing reads the lines; `done`: their bytes are gone as well. */
  state: z.enum(['ordered', 'in_force', 'done']),
  /** What it erased, once in force: lines by stream (the first thousand) and in all, and lines that were kept apart. */
  streams: z.array(z.object({ stream: z.string(), to: z.int(), lines: z.int() })),
  lines: z.int(),
  keptLines: z.int(),
  doneMs: z.number().nullable(),
});

/** A staged apply whose rest waits for its second command. There is one at most; its id is `open`. */
export const stage = z.object({
  id: z.string(),
  /** Keyed hash of the document's checksum: the document holds secrets, and a plain hash of a weak one could be guessed. */
  mark: z.string(),
  who: z.string(),
  atMs: z.number(),
  /** The configuration's version with the first stage in it. */
  version: z.int(),
  /** Jobs made or changed by it, and how many wait. */
  jobsDone: z.int(),
  jobsLeft: z.int(),
});
