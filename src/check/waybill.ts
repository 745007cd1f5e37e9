/** A waybill as the books need it, and its hash: the link that the job's next waybill names. */
import { createHash } from 'node:crypto';

import { integer, natural, object, orNull, sums, text } from './shapes.ts';

export interface Counts {
  readonly delivered: number;
  readonly excluded: { readonly [reason: string]: number };
  readonly dropped: { readonly [reason: string]: number };
}

/** The fields in the order in which their bytes are hashed (`docs/formats/record.md`). */
export interface Waybill {
  readonly job: number;
  readonly sequence: number;
  readonly stream: string;
  readonly epoch: string;
  readonly range: { readonly from: number; readonly to: number };
  readonly hour: number;
  readonly counts: Counts;
  readonly plan: string | null;
  readonly sha256: string | null;
  readonly plainBytes: number;
  readonly sentBytes: number;
  readonly receipt: string | null;
  readonly destination: string | null;
  readonly configVersion: number;
  readonly atMs: number;
  readonly previous: string | null;
}

export const counts = object<Counts>({ delivered: natural, excluded: sums, dropped: sums });

const waybillShape = object<Waybill>({
  job: integer,
  sequence: natural,
  stream: text,
  epoch: text,
  range: object<Waybill['range']>({ from: natural, to: natural }),
  hour: integer,
  counts,
  plan: orNull(text),
  sha256: orNull(text),
  plainBytes: natural,
  sentBytes: natural,
  receipt: orNull(text),
  destination: orNull(text),
  configVersion: integer,
  atMs: integer,
  previous: orNull(text),
});

export const isWaybill = (value: unknown): value is Waybill => waybillShape(value);

const ORDER = [
  'job',
  'sequence',
  'stream',
  'epoch',
  'range',
  'hour',
  'counts',
  'plan',
  'sha256',
  'plainBytes',
  'sentBytes',
  'receipt',
  'destination',
  'configVersion',
  'atMs',
  'previous',
] as const satisfies readonly (keyof Waybill)[];

/** Hex SHA-256 of the waybill's canonical JSON. */
export function waybillHash(waybill: Waybill): string {
  const canonical = Object.fromEntries(ORDER.map((key) => [key, part(waybill, key)]));
  return createHash('sha256').update(JSON.stringify(canonical)).digest('hex');
}

function part(waybill: Waybill, key: keyof Waybill): unknown {
  if (key === 'range') return { from: waybill.range.from, to: waybill.range.to };
  if (key !== 'counts') return waybill[key];
  const { delivered, excluded, dropped } = waybill.counts;
  return { delivered, excluded: reasons(excluded), dropped: reasons(dropped) };
}

/** Reasons with lines, by name. */
function reasons(counts: Counts['excluded']): Counts['excluded'] {
  const some = Object.entries(counts).filter(([, lines]) => lines > 0);
  return Object.fromEntries(some.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Lines by what became of them, reasons added up. */
export interface Totals {
  delivered: number;
  excluded: number;
  dropped: number;
}

export const nothing = (): Totals => ({ delivered: 0, excluded: 0, dropped: 0 });

export function totalsOf({ delivered, excluded, dropped }: Counts): Totals {
  const sum = (counts: Counts['excluded']) => Object.values(counts).reduce((a, b) => a + b, 0);
  return { delivered, excluded: sum(excluded), dropped: sum(dropped) };
}
