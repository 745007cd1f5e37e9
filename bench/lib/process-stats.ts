/** What a process has cost so far, from Linux's /proc. */
import { readFileSync } from 'node:fs';

/** User and system CPU seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export function rssMiB(pid: number): number {
  return statusMiB(pid, 'VmRSS');
}

export function peakRssMiB(pid: number): number {
  return statusMiB(pid, 'VmHWM');
}

function statusMiB(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status);
  return Math.round(Number(found?.[1] ?? 0) / 1024);
}
