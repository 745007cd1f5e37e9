import { writeSync } from 'node:fs';
import { systemClock } from '../lib/clock.ts';
import { diagnosticsTo } from '../lib/diagnostics.ts';
import type { Diagnostics, Level } from '../lib/diagnostics.ts';

/** The same log; what is logged as an alarm is told as well. `detail` is what its entry says of the reason, if anything. */
export function telling(
  inner: Diagnostics,
  tell: (event: string, detail: string | undefined) => void,
): Diagnostics {
  return {
    ...inner,
    alarm(event, details) {
      inner.alarm(event, details);
      const detail = details?.['detail'] ?? details?.['what'] ?? details?.['error'];
      tell(event, detail === undefined ? undefined : String(detail).split('\n')[0]?.slice(0, 300));
    },
    with: (details) => telling(inner.with(details), tell),
  };
}

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
