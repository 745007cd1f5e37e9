/** How much an entry matters. `alarm` is for what an operator must see: loss, damage, a refused configuration. */
export type Level = 'debug' | 'info' | 'warn' | 'error' | 'alarm';

/** What an entry carries besides its text. Never a secret, never a customer's line. */
export type Details = Readonly<Record<string, string | number | boolean | null | undefined>> & {
  /** Every entry's own: a detail of that name would hide them from whoever filters by them. */
  readonly time?: never;
  readonly level?: never;
  readonly event?: never;
};

/** The process's own log: one JSON object a line, in a fixed order of keys. */
export interface Diagnostics {
  debug(event: string, details?: Details): void;
  info(event: string, details?: Details): void;
  warn(event: string, details?: Details): void;
  error(event: string, details?: Details): void;
  alarm(event: string, details?: Details): void;
  /** The same log with details that every entry carries. */
  with(details: Details): Diagnostics;
}

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3, alarm: 4 };

/**
 * Writes entries of at least `least` through `write`.
 *
 * @param write takes one whole line including its newline
 * @param wallMs the time to stamp entries with
 */
export function diagnosticsTo(
  write: (line: string) => void,
  wallMs: () => number,
  least: Level = 'info',
  bound: Details = {},
): Diagnostics {
  const entry = (level: Level, event: string, details: Details = {}) => {
    if (RANK[level] < RANK[least]) return;
    const time = new Date(wallMs()).toISOString();
    write(`${JSON.stringify({ time, level, event, ...bound, ...details })}\n`);
  };
  return {
    debug: (event, details) => entry('debug', event, details),
    info: (event, details) => entry('info', event, details),
    warn: (event, details) => entry('warn', event, details),
    error: (event, details) => entry('error', event, details),
    alarm: (event, details) => entry('alarm', event, details),
    with: (details) => diagnosticsTo(write, wallMs, least, { ...bound, ...details }),
  };
}

/** Says nothing; for tests that do not look at the log. */
export const silent: Diagnostics = diagnosticsTo(
  () => {},
  () => 0,
  'alarm',
);
