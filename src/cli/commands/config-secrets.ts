/**
 * Secrets in configuration files stand there by reference, so that the files can be committed: `${env:NAME}` and
 * `${file:path}` within a job's `destination`. A reference that is the whole value is taken as it is; one within an address is
 * percent-encoded, as its place asks.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ConfigDocument, DocumentJob } from '../../model/config-document.ts';

export interface Sources {
  /** What relative paths start from. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Throws. */
  readonly refuse: (path: readonly string[], message: string) => never;
}

const REFERENCE = /\$\{([^}]*)\}/g;

export function filledIn(document: ConfigDocument, sources: Sources): ConfigDocument {
  const jobs = (list: readonly DocumentJob[], path: readonly string[]): DocumentJob[] =>
    list.map((job, index) => ({
      ...job,
      destination: fill(job.destination, [...path, 'jobs', String(index), 'destination'], sources),
    }));
  return {
    ...document,
    accounts: document.accounts.map((account, index) => {
      const path = ['accounts', String(index)];
      return {
        ...account,
        jobs: jobs(account.jobs, path),
        zones: account.zones.map((zone, at) => ({
          ...zone,
          jobs: jobs(zone.jobs, [...path, 'zones', String(at)]),
        })),
      };
    }),
  };
}

function fill(text: string, path: readonly string[], sources: Sources): string {
  const whole = /^\$\{([^}]*)\}$/.exec(text);
  if (whole) return valueOf(whole[1]!, path, sources);
  return text.replaceAll(REFERENCE, (_all, reference: string) =>
    encodeURIComponent(valueOf(reference, path, sources)),
  );
}

function valueOf(reference: string, path: readonly string[], sources: Sources): string {
  const [, kind, name = ''] = /^(env|file):(.+)$/.exec(reference) ?? [];
  const value =
    kind === 'env'
      ? (sources.environment[name] ?? sources.refuse(path, `the environment has no ${name}`))
      : kind === 'file'
        ? fileOf(name, path, sources)
        : sources.refuse(
            path,
            `\${${reference}} is no reference; write \${env:NAME} or \${file:path}`,
          );
  return value === '' ? sources.refuse(path, `\${${reference}} is empty`) : value;
}

function fileOf(name: string, path: readonly string[], { folder, refuse }: Sources): string {
  try {
    return readFileSync(resolve(folder, name), 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    return refuse(path, `the file ${name} cannot be read (${code})`);
  }
}
