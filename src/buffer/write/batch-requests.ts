/** Which requests of a commit become one block. */
import type { Pending } from './intake.ts';

export interface ShareLimits {
  readonly blockLines: number;
  readonly blockBytes: number;
  readonly blockKeys: number;
}

/** Several small requests of one stream, or one large one. */
export interface Batch {
  readonly members: readonly Pending[];
  readonly lines: number;
  readonly bytes: number;
}

/** Brings requests together that may share a block, keeping each stream's order. */
export function batchRequests(requests: readonly Pending[], limits: ShareLimits): Batch[] {
  const batches: Batch[] = [];
  const open = new Map<string, { members: Pending[]; lines: number; bytes: number }>();
  for (const pending of requests) {
    const { stream, lines } = pending.request;
    const size = { lines: lines.ends.length, bytes: lines.bytes.length };
    if (pending.pieces.length > 0) {
      open.delete(stream);
      batches.push({ members: [pending], ...size });
      continue;
    }
    const batch = open.get(stream);
    const fits =
      batch !== undefined &&
      batch.members.length < limits.blockKeys &&
      batch.lines + size.lines <= limits.blockLines &&
      batch.bytes + size.bytes <= limits.blockBytes;
    if (fits) {
      batch.members.push(pending);
      batch.lines += size.lines;
      batch.bytes += size.bytes;
    } else {
      const fresh = { members: [pending], ...size };
      open.set(stream, fresh);
      batches.push(fresh);
    }
  }
  return batches;
}
