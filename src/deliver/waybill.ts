import type { JobState } from '../buffer/index.ts';
import { assert } from '../lib/assert.ts';
import { hourOf, settledLines } from '../model/delivery.ts';
import type { OutcomeCounts, Range, Waybill } from '../model/delivery.ts';

/** What became of a range, before it is chained to the job's earlier waybills. */
export interface Fate {
  readonly range: Range;
  /** Reception time of the range's first line: it says which hour's books it belongs to. */
  readonly receivedMs: number;
  readonly counts: OutcomeCounts;
  readonly plan: string | null;
  /** What went out and who took it; null when nothing was sent. */
  readonly sent: {
    readonly sha256: string;
    readonly plainBytes: number;
    readonly sentBytes: number;
    readonly receipt: string;
    readonly destination: string;
  } | null;
  readonly configVersion: number;
}

/** The waybill that settles a range, chained to the job's newest one. */
export function makeWaybill(fate: Fate, state: JobState, atMs: number): Waybill {
  const { range, counts, sent } = fate;
  assert(
    settledLines(counts) === range.to - range.from,
    'a waybill accounts for exactly its lines',
  );
  return {
    job: state.job,
    sequence: state.sequence + 1,
    stream: state.stream,
    epoch: state.epoch,
    range,
    hour: hourOf(fate.receivedMs),
    counts,
    plan: fate.plan,
    sha256: sent?.sha256 ?? null,
    plainBytes: sent?.plainBytes ?? 0,
    sentBytes: sent?.sentBytes ?? 0,
    receipt: sent?.receipt ?? null,
    destination: sent?.destination ?? null,
    configVersion: fate.configVersion,
    atMs,
    previous: state.chain,
  };
}
