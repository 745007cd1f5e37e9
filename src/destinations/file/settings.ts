/** `file:///absolute/folder[/{DATE}]`, only below folders that the operator named. */
import { resolve } from 'node:path';
import { fingerprint, isProblem, problem, readConf, redact, unknownParams } from '../conf.ts';
import type { ConfProblem, DestinationPolicy, ParsedDestination } from '../destination.ts';

export interface FileSettings extends ParsedDestination {
  /** Absolute, with `{DATE}` unfilled, without a slash at its end. */
  readonly folder: string;
  /** The operator's folder that it lies below. */
  readonly root: string;
}

export function readSettings(
  text: string,
  policy: DestinationPolicy,
): FileSettings | readonly ConfProblem[] {
  if (policy.fileRoots.length === 0) {
    return [problem('destination_conf', 'file:// destinations are not enabled here')];
  }
  const conf = readConf(text);
  if (isProblem(conf)) return [conf];
  const problems = unknownParams(conf, []);
  const folder = readFolder(conf.place);
  if (typeof folder !== 'string') return [folder, ...problems];
  const root = policy.fileRoots
    .map((candidate) => resolve(candidate))
    .find((candidate) => isBelow(folder, candidate));
  if (root === undefined) {
    problems.push(
      problem('destination_conf', 'does not lie below a folder that is open to file:// here'),
    );
  }
  if (root === undefined || problems.length > 0) return problems;
  return {
    scheme: conf.scheme,
    address: `file://${folder}`,
    redacted: redact(conf),
    fingerprint: fingerprint(conf.scheme, '', '', folder),
    folder,
    root,
  };
}

function readFolder(place: string): string | ConfProblem {
  if (!place.startsWith('/')) {
    return problem(
      'destination_conf',
      'needs an absolute folder after file://, as in file:///logs/{DATE}',
    );
  }
  let folder: string;
  try {
    folder = decodeURIComponent(place);
  } catch {
    return problem('destination_conf', 'holds a `%` that is not followed by two hex digits');
  }
  const parts = trimmed(folder).split('/').slice(1);
  // eslint-disable-next-line no-control-regex -- that is what is looked for
  if (/[\u0000-\u001f\u007f]/.test(folder) || parts.some((part) => part.length > 255)) {
    return problem('destination_conf', 'holds a folder name that no file system takes');
  }
  if (parts.some((part) => part === '..' || part === '.' || part === '')) {
    return problem('destination_conf', 'must not hold `.`, `..` or empty folder names');
  }
  return trimmed(folder);
}

function trimmed(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}

/** Whether `path` is `root` or lies in it, by names alone. */
export function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root === '/' ? '/' : `${root}/`);
}
