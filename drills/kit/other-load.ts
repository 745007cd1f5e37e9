/**
 * How busy the machine was with what is not the drill's: times that were measured beside somebody else's work say little of the
 * product. Known on Linux only.
 */
import { readFileSync, readdirSync } from 'node:fs';

/** Processor time since some start, in ticks. */
interface Ticks {
  readonly all: number;
  readonly busy: number;
  /** This process, its children that live, and those that have ended. */
  readonly own: number;
}

/** @returns tells the share of all processors, 0 to 1, that others have had since the last call; undefined: not known here */
export function watchOtherLoad(): () => number | undefined {
  let last = ticks();
  return () => {
    const [before, now] = [last, (last = ticks())];
    if (before === undefined || now === undefined || now.all <= before.all) return undefined;
    const others = now.busy - before.busy - (now.own - before.own);
    return Math.max(0, others) / (now.all - before.all);
  };
}

function ticks(): Ticks | undefined {
  try {
    const [user, nice, system, idle, wait, irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
      .split('\n')[0]!
      .split(/\s+/)
      .slice(1)
      .map(Number) as [number, number, number, number, number, number, number, number];
    const busy = user + nice + system + irq + softirq + steal;
    return { all: busy + idle + wait, busy, own: ownTicks() };
  } catch {
    return undefined;
  }
}

function ownTicks(): number {
  const all = new Map(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => processOf(Number(name))),
  );
  let sum = 0;
  const family = [process.pid];
  for (const pid of family) {
    sum += all.get(pid)?.ticks ?? 0;
    for (const [child, { parent }] of all) if (parent === pid) family.push(child);
  }
  return sum;
}

function processOf(pid: number): [number, { readonly parent: number; readonly ticks: number }][] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Behind the name, which may hold anything: state, parent, …, and from the twelfth on user, system, and those of children.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const used = fields.slice(11, 15).reduce((sum, one) => sum + one, 0);
    return [[pid, { parent: fields[1]!, ticks: used }]];
  } catch {
    // It has ended since.
    return [];
  }
}
