/**
 * A staged apply: a document of which the tenth of the jobs with the least traffic has been applied, and the rest waits for
 * its second command. Held in memory: whoever goes on sends the same document again, so that a restart costs nothing but the
 * reminder, and no secret lies anywhere for it.
 */
import type { Step } from './plan.ts';
import { streamKey } from '../../model/scope.ts';

export interface Stage {
  /** Of the document. */
  readonly checksum: string;
  readonly who: string;
  readonly atMs: number;
  /** The configuration's version with the first stage in it. */
  readonly version: number;
  /** Jobs made or changed by it, and how many wait. */
  readonly jobsDone: number;
  readonly jobsLeft: number;
}

export class StageDesk {
  #open: Stage | undefined;

  get open(): Stage | undefined {
    return this.#open;
  }

  begin(stage: Stage): void {
    this.#open = stage;
  }

  /** Forgets it; what was applied stays. */
  end(): Stage | undefined {
    const ended = this.#open;
    this.#open = undefined;
    return ended;
  }
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
