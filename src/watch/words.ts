/** Numbers and times as alerts say them. */

export function count(lines: number): string {
  return `${lines.toLocaleString('en-US')} ${lines === 1 ? 'line' : 'lines'}`;
}

/** `40 seconds`, `12 minutes`, `5 hours`, `3 days`: the largest unit of which there are at least two. */
export function span(ms: number): string {
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1_000],
  ] as const;
  for (const [unit, unitMs] of units) {
    if (ms >= 2 * unitMs) return `${Math.floor(ms / unitMs)} ${unit}s`;
  }
  return '1 second';
}

/** `2026-11-23 06:40 UTC`. */
export function moment(wallMs: number): string {
  return `${new Date(wallMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
