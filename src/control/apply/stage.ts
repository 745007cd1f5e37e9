/**
 * A staged apply: a document of which the tenth of the jobs with the least traffic has been applied, and the rest waits for
 * its second command. That it is open is part of the configuration, in one change with the first stage and with the last, so
 * that a restart does not forget it. Whoever goes on sends the same document again: no secret lies anywhere for it.
 */
import type { Step } from './plan.ts';
import { streamKey } from '../../model/scope.ts';
import type { Sealer } from '../secrets/sealing.ts';
import type { StageRecord } from '../store/records.ts';
import type { Edit } from '../store/store.ts';

const ID = 'open';

export type NewStage = Omit<StageRecord, 'id' | 'mark'> & { readonly checksum: string };

const markText = (checksum: string): string => `stage\n${checksum}`;

/** Begins it, or puts another in its place. */
export function beginStage(
  before: StageRecord | undefined,
  { checksum, ...rest }: NewStage,
  sealer: Pick<Sealer, 'mark'>,
): Edit {
  const after = { id: ID, mark: sealer.mark(markText(checksum)), ...rest };
  return { kind: 'stage', id: ID, before: before ?? null, after };
}

/** What was applied stays. */
export function endStage(before: StageRecord): Edit {
  return { kind: 'stage', id: ID, before, after: null };
}

/** Whether it is of the document with this checksum, also after the key was replaced. */
export function isOf(stage: StageRecord, checksum: string, sealer: Pick<Sealer, 'marks'>): boolean {
  return sealer.marks(markText(checksum)).includes(stage.mark);
}

/** What the choice of a stage is made from: how much a stream carries, undefined when it is not known. */
type Lines = (stream: string) => number | undefined;

/** The share of the jobs that a document makes or changes which goes first. */
const FIRST = 0.1;

/** A job's name within a document. */
export function jobKey(scopePath: string, name: string): string {
  return `${scopePath}\n${name}`;
}

/** The tenth of the made and changed jobs with the least traffic, at least one. What is not known counts as the most. */
export function firstTenth(
  steps: readonly Step[],
  lines: Lines,
): { readonly keys: ReadonlySet<string>; readonly of: number } {
  const jobs = steps.flatMap(({ edits }) =>
    edits.flatMap((edit) => (edit.kind === 'job' && edit.after ? [edit.after] : [])),
  );
  const weighed = jobs
    .map((job) => {
      const stream = streamKey(job.scope, job.dataset);
      return { job, stream, weight: lines(stream) ?? Number.POSITIVE_INFINITY };
    })
    .toSorted((a, b) => a.weight - b.weight || a.job.id - b.job.id);
  const first = weighed.slice(0, Math.ceil(jobs.length * FIRST));
  return {
    keys: new Set(
      first.map(({ job, stream }) => jobKey(stream.slice(0, stream.lastIndexOf('/')), job.name)),
    ),
    of: jobs.length,
  };
}
