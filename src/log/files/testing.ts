/** Shared by the tests of the log over files: small limits, so that edges come early. */
import assert from 'node:assert/strict';

import { systemClock } from '../../lib/clock.ts';
import { silent } from '../../lib/diagnostics.ts';
import type { FileSystem } from '../../lib/fs/file-system.ts';
import type { OpenOutcome } from '../contract.ts';
import type { FilesLogOptions } from './options.ts';

export const DIRECTORY = '/data/log';

/** Options with small limits over a file system. */
export function smallOptions(
  files: FileSystem,
  more: Partial<FilesLogOptions> = {},
): FilesLogOptions {
  return {
    files,
    directory: DIRECTORY,
    clock: systemClock,
    diagnostics: silent,
    segmentBytes: 4096,
    recordBytes: 2048,
    commitBytes: 8192,
    openSegments: 2,
    ...more,
  };
}

/** The outcome of opening, which must be an open log. */
export function opened(outcome: OpenOutcome): OpenOutcome & { readonly kind: 'open' } {
  assert.equal(outcome.kind, 'open', JSON.stringify(outcome));
  assert.ok(outcome.kind === 'open');
  return outcome;
}
