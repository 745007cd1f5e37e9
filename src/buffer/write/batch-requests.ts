/** Which requests of a commit become one block. */
import { assert } from '../../lib/assert.ts';
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
    // Memory that was given back too early has no bytes any more: zeros would be stored in their place.
    assert(lines.ends.at(-1) === lines.bytes.length, 'a request has all of its bytes still');
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
