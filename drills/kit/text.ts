/** Numbers as people read them. */

export function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** `3.4 ms`, `120 ms`, `2.1 s`. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** `1.2 GB`: decimal units, as bandwidth and disks are sold. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** What happened how often, most often first: `3 x no answer, 1 x 503 draining`. */
export function counted(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .toSorted((a, b) => b[1] - a[1])
    .map(([what, times]) => `${number(times)} x ${what}`)
    .join(', ');
}
