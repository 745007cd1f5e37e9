import { writeSync } from 'node:fs';

import { ARCHIVE_STEPS } from '../ledger/index.ts';
import type { ArchiveStep } from '../ledger/index.ts';
import { BUFFER_STEPS } from '../buffer/index.ts';
import type { BufferStep } from '../buffer/index.ts';
import { assert } from '../lib/assert.ts';
import { STEPS } from '../log/index.ts';
import type { Step } from '../log/index.ts';

/** A durability step of any room. */
export type AnyStep = Step | BufferStep | ArchiveStep;

/** All of them: what a crash can be asked for at. */
export const CRASH_POINTS: readonly AnyStep[] = [...STEPS, ...BUFFER_STEPS, ...ARCHIVE_STEPS];

/**
 * For tests of crashes: ends the whole process by SIGKILL when a step is done for the n-th time.
 *
 * @param armed `<step>` or `<step>:<n>`, as in `WAYBILL_CRASH_AT`; nothing ever happens when it is undefined
 */
export function crashAt(armed: string | undefined): (step: AnyStep) => void {
  if (armed === undefined) return () => {};
  const [name = '', count = '1'] = armed.split(':');
  let left = Number(count);
  assert(
    CRASH_POINTS.some((step) => step === name) && left > 0,
    `${armed} is a step that there is`,
  );
  return (step) => {
    if (step !== name || --left > 0) return;
    // Said before it happens: a test can tell this end from any other.
    writeSync(2, `crash point: ${armed}\n`);
    process.kill(process.pid, 'SIGKILL');
  };
}
