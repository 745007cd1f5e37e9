/** What is done with held lines: replays and erasures. */
import { z } from 'zod';
import { DROP_REASONS, EXCLUDE_REASONS } from '../../../model/delivery.ts';
import { countsOf, scopeShape, time, whole } from './shapes.ts';

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
