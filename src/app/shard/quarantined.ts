import type { KeepEntry } from '../../ingest/index.ts';
import type { KeptLineEntry } from '../../ledger/index.ts';

/** Lines that were not good enough to be stored, as the control thread keeps them. */
export function quarantined(
  { account, stream, reason, lines }: KeepEntry,
  atMs: number,
): readonly KeptLineEntry[] {
  return lines.map(({ line, bytes, problem }) => ({
    account,
    stream,
    reason,
    job: null,
    offset: null,
    detail: `line ${line} of its body: ${problem}`,
    atMs,
    bytes,
  }));
}
