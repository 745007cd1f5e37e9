import { writeSync } from 'node:fs';
import { systemClock } from '../lib/clock.ts';
import { diagnosticsTo } from '../lib/diagnostics.ts';
import type { Diagnostics, Level } from '../lib/diagnostics.ts';

/**
 * The process's own log on standard error, the same from every thread. Written at once: what a thread said last must not be
 * lost with it. A reader that stalls or is gone costs the entry, never the process.
 */
export function processDiagnostics(least: string): Diagnostics {
  const write = (line: string) => {
    try {
      writeSync(2, line);
    } catch {
      // Nobody can be told that nobody can be told.
    }
  };
  return diagnosticsTo(write, () => systemClock.wallMs(), least as Level);
}
