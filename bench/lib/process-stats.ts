/** What a process has cost so far, from Linux's /proc. */
import { readFileSync, readdirSync } from 'node:fs';

/** User and system CPU seconds. */
export function cpuSeconds(pid: number): number {
  return cpuOf(`/proc/${pid}/stat`);
}

/**
 * The same by the threads' names, summed: those of shards are `WorkerThread`, their helpers `wb-deflate` and `wb-prepare`, those of libuv's pool
 * `libuv-worker`.
 */
export function cpuByThread(pid: number): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const path = `/proc/${pid}/task/${thread}`;
    const name = readFileSync(`${path}/comm`, 'latin1').trim();
    sums.set(name, (sums.get(name) ?? 0) + cpuOf(`${path}/stat`));
  }
  return sums;
}

function cpuOf(path: string): number {
  const stat = readFileSync(path, 'latin1');
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
