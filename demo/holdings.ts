/** What the destinations hold, line by line, against what producers were promised. */
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import type { Job } from './stage.ts';
import type { Traffic } from './traffic.ts';

/** One job's comparison. Lines are texts of their very bytes. */
export interface Comparison {
  readonly job: Job;
  /** Lines that producers were promised for the job's stream. */
  readonly accepted: number;
  /** Those of them that its filter lets through. */
  readonly expected: number;
  readonly found: number;
  readonly objects: number;
  readonly missing: readonly string[];
  /** Lines that nobody was promised, or that are not the bytes that were sent. */
  readonly wrong: readonly string[];
  /** Lines that stand more than once. */
  readonly twice: number;
  /** Objects that are no whole gzip file. */
  readonly broken: readonly string[];
}

export async function compare(job: Job, traffic: Traffic): Promise<Comparison> {
  const lines = traffic.promised.get(job.zone.id)!.flatMap(linesOf);
  const { filter } = job;
  const expected = filter
    ? lines.filter((line) =>
        filter.passes(JSON.parse(line) as { readonly EdgeResponseStatus: number }),
      )
    : lines;
  const left = new Set(expected);
  const known = new Set(expected);
  const wrong: string[] = [];
  const broken: string[] = [];
  let found = 0;
  let twice = 0;
  const paths = await objectsOf(job);
  for (const path of paths) {
    const plain = unpacked(await readFile(path));
    if (plain === undefined) broken.push(path);
    for (const line of plain === undefined ? [] : linesOf(plain)) {
      found += 1;
      if (left.delete(line)) continue;
      if (known.has(line)) twice += 1;
      else wrong.push(line);
    }
  }
  return {
    job,
    accepted: lines.length,
    expected: expected.length,
    found,
    objects: paths.length,
    missing: [...left],
    wrong,
    twice,
    broken,
  };
}

export function isRight({ missing, wrong, twice, broken }: Comparison): boolean {
  return missing.length + wrong.length + twice + broken.length === 0;
}

/** Deletes one object of a job. Returns its name and how many lines went with it. */
export async function deleteOne(
  job: Job,
): Promise<{ readonly path: string; readonly lines: number }> {
  const paths = await objectsOf(job);
  const path = paths[Math.floor(paths.length / 2)];
  if (path === undefined) throw new Error('nothing was delivered, so nothing can be deleted');
  const lines = linesOf(gunzipSync(await readFile(path))).length;
  await rm(path);
  return { path, lines };
}

/** Finished objects, oldest first. */
export async function objectsOf({ folder }: Job): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

function unpacked(bytes: Buffer): Buffer | undefined {
  try {
    return gunzipSync(bytes);
  } catch {
    return undefined;
  }
}

/** Each byte as one character, so that lines are the same text only if they are the same bytes. */
function linesOf(bytes: Buffer): string[] {
  const lines = bytes.toString('latin1').split('\n');
  // What stands behind the last newline is a line only if there is something.
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
