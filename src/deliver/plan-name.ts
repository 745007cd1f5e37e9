/** How plans and their objects are called. Unique by construction: job, stream epoch and range. */
import type { Plan, Range } from '../model/delivery.ts';

/** A plan's id, fit for a file name, an object key and a header: digits, lower-case hex and `-`. */
export function planId(job: number, epoch: string, range: Range): string {
  return `${job}-${epoch}-${range.from}-${range.to}`;
}

/** `20261123T064012Z`, as Logpush writes times into object names. */
export function compactTime(wallMs: number): string {
  const iso = new Date(wallMs).toISOString();
  return `${iso.slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/** Makes a plan; id and name follow from the rest. */
export function makePlan(parts: Omit<Plan, 'id' | 'name'>): Plan {
  const id = planId(parts.job, parts.epoch, parts.range);
  const start = compactTime(parts.receivedMs.first);
  const end = compactTime(parts.receivedMs.last);
  return { ...parts, id, name: `${start}_${end}_${id}.log.gz` };
}

/** The halves of a plan, by offsets. The whole has at least two lines. */
export function halves(range: Range): readonly [Range, Range] {
  const middle = range.from + Math.ceil((range.to - range.from) / 2);
  return [
    { from: range.from, to: middle },
    { from: middle, to: range.to },
  ];
}
