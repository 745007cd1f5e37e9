import type { LossMarker, SealedNotice } from './contract.ts';

const HOUR_MS = 3_600_000;

/** The marker of a notice, as the destination gets it. A pure function: repeats are the same, byte for byte. */
export function markerOf(notice: SealedNotice): LossMarker {
  const first = notice.hours.from * HOUR_MS;
  const end = notice.hours.to * HOUR_MS;
  const marker = {
    waybill_notice: 'lines_lost',
    id: notice.id,
    job: notice.job,
    stream: notice.stream,
    reason: notice.reason,
    lines: notice.lines,
    from: isoSeconds(first),
    to: isoSeconds(end),
    epoch: notice.epoch,
    offsets: notice.offsets.map(({ from, to }) => ({ from, to })),
    told: isoSeconds(notice.toldMs),
  };
  return {
    id: notice.id,
    job: notice.job,
    stream: notice.stream,
    // A batch ends in `.log.gz` and its id begins with a digit: no name is both.
    name: `${compact(first)}_${compact(end)}_${notice.id}.loss.json.gz`,
    line: JSON.stringify(marker),
    receivedMs: { first, last: end - 1 },
    toldMs: notice.toldMs,
  };
}

/** `2026-11-23T06:00:00Z`. */
const isoSeconds = (wallMs: number): string => `${new Date(wallMs).toISOString().slice(0, 19)}Z`;

/** `20261123T060000Z`, as in the names of batches. */
const compact = (wallMs: number): string => isoSeconds(wallMs).replaceAll(/[-:]/g, '');
